"""Comments that silence a rule, where they stand and with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Repository

SLEEP = "import time\ndef test_a(orders):\n    {before}\n    time.sleep(1){after}\n    assert orders.open == 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pass", "  # floe: ignore[FT401] the shop has no event"),
        ("pass", "  # floe: ignore[FT401]: the shop has no event"),
        ("pass", "  # floe: ignore[FT201, FT401] - the shop has no event"),
        ("# floe: ignore[FT401] the shop has no event", ""),
    ],
)
def test_with_a_reason(before: str, after: str, repository: Repository) -> None:
    """A comment on the line, or alone above it, silences the rules it names; the reason is kept with the finding."""
    repository.write("tests/unit/test_orders.py", SLEEP.format(before=before, after=after))
    done = repository.audit()
    assert done.findings == ()
    ((finding, reason),) = done.suppressed
    assert (finding.rule, finding.line, reason) == ("FT401", 4, "the shop has no event")


@pytest.mark.parametrize("comment", ["# floe: ignore[FT401]", "# floe: ignore[FT401]  :"])
def test_without_a_reason(comment: str, repository: Repository) -> None:
    """A comment without a reason silences nothing, and is a finding itself."""
    found = repository.found(SLEEP.format(before="pass", after=f"  {comment}"))
    assert found == [("FT001", 4), ("FT401", 4)]


@pytest.mark.parametrize(
    "comment",
    ["# floe: ignore[FT402] of another rule", "# floe: ignore[FT999] of no rule"],
)
def test_that_silences_nothing(comment: str, repository: Repository) -> None:
    """A comment for a rule that finds nothing there is a finding, and so is one for a rule that is none."""
    found = repository.found(SLEEP.format(before="pass", after=f"  {comment}"))
    assert found == [("FT002", 4), ("FT401", 4)]


@pytest.mark.parametrize(
    "after", ["  # floe: look here", "  # FLOE ignore[FT401] no", "  # noqa", "; name = '# floe: ignore[FT401] text'"]
)
def test_other_comments_and_texts(after: str, repository: Repository) -> None:
    """What is no comment of this form says nothing, least of all within a text."""
    assert repository.found(SLEEP.format(before="pass", after=after)) == [("FT401", 4)]


def test_a_statement_of_several_lines(repository: Repository) -> None:
    """A comment at the end of a statement counts for its first line, and at a signature not for the body."""
    code = """
        import time

        def test_a(
            orders,
        ):  # floe: ignore[FT401] not here
            time.sleep(
                1
            )  # floe: ignore[FT401] here
            assert orders.open == 1
    """
    assert repository.found(code) == [("FT002", 5)]
    assert [reason for _, reason in repository.audit().suppressed] == ["here"]


def test_at_a_decorator(repository: Repository) -> None:
    """A comment at a decorator speaks of the function's own line."""
    code = """
        import pytest

        @pytest.mark.slow  # floe: ignore[FT201] a smoke test of the import
        def test_a():
            total(7)
    """
    assert repository.found(code) == []


def test_in_pyproject(repository: Repository) -> None:
    """What is wrong with the settings is silenced in the settings, on its line."""
    repository.write("tests/e2e/test_shop.py", "def test_login(shop):\n    assert shop.login('ada').name == 'ada'\n")
    table = '[tool.floe-testing.audit.journeys]\ncheckout = { keyword = "checkout" }'
    repository.write("pyproject.toml", f"{table}\n")
    assert [(finding.rule, finding.path, finding.line) for finding in repository.audit_as_command()] == [
        ("FT901", "pyproject.toml", 2)
    ]
    repository.write("pyproject.toml", f"{table} # floe: ignore[FT901] shop#12\n")
    assert repository.audit_as_command() == []
