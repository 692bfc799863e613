"""`summary.md` tells what happened, first in one line and then in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci.junit import Case, Result, Suite
from floe_ci.listeners import Step
from floe_ci.summary import Page, brief
from floe_ci.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Case("t.a", "ok", 0.5)
FAIL = Case(
    "t.a", "bad", 2, (Result("failed", "assert 1 == 2", "def test():\nE   assert 1 == 2\n\nt/a.py:7: AssertionError"),)
)
ERROR = Case("t.a", "broken", 1, (Result("errored", "no server", "long"),))
SKIP = Case("t.a", "later", 0, (Result("skipped", "no"),))


def page(*cases: Case, suite: str = "unit", **more: object) -> str:
    """Return the summary of a run with some tests."""
    return Page(Verdict.FAILED, "unit", [Suite(suite, list(cases))], **more).text()  # type: ignore[arg-type]


def test_all_of_it() -> None:
    """The summary has the verdict first, then counts, failures with their place, slow tests and steps."""
    text = page(GOOD, FAIL, ERROR, SKIP, steps=[Step("cluster", 0, 31.5), Step("job", 31.5, 4, "one|two\nthree")])
    assert text.splitlines()[0] == "**Failed**: tier unit, 1 passed, 1 failed, 1 errored, 1 skipped."
    assert "| unit | 4 | 1 | 1 | 1 | 1 | 3.50 s |" in text
    assert "- failed: `t.a::bad` (unit)\n\n  ```text\n  assert 1 == 2\n  t/a.py:7: AssertionError\n  ```" in text
    assert "- errored: `t.a::broken` (unit)" in text
    assert text.index("| 2.00 s | `t.a::bad` |") < text.index("| 0.50 s | `t.a::ok` |")
    assert "| cluster | 0.00 s | 31.50 s | done |" in text
    assert "| job | 31.50 s | 4.00 s | one\\|two |" in text


def test_collection_error() -> None:
    """A module that can't be imported is told by what was raised, and where."""
    error = (
        "Traceback:\ntests/test_c.py:1: in <module>\n    import nope\nE   ModuleNotFoundError: No module named 'nope'"
    )
    text = page(Case("", "tests.test_c", 0, (Result("errored", "collection failure", error),)))
    assert "  tests/test_c.py:1: in <module>\n  E   ModuleNotFoundError: No module named 'nope'" in text


def test_flaky_tests() -> None:
    """A test that passed only when it was tried again is named, one that failed every time is a failure only."""
    text = page(Case("t.a", "ok", attempts=2), Case("t.a", "bad", 1, FAIL.results, attempts=3))
    assert text.startswith("**Failed**: tier unit, 1 passed, 1 of them flaky, 1 failed.\n")
    assert "- `t.a::ok`: passed in attempt 2" in text
    assert "`t.a::bad`: passed" not in text
    assert "flaky" not in page(GOOD).lower()


def test_problem_once() -> None:
    """The suite that stands for the problem in `junit.xml` isn't counted or listed as a test."""
    problem = Suite("floe-ci", [Case("floe-ci", "run", 0, (Result("errored", "the cluster stayed"),))])
    text = Page(Verdict.ERRORED, "unit", [Suite("unit", [GOOD]), problem], problem="the cluster stayed").text()
    assert text.startswith("**Errored**: tier unit, 1 passed.\n")
    assert text.count("the cluster stayed") == 2  # as the first cause, and as the whole problem


def test_without_tests() -> None:
    """A run that broke before its tests says so, with the whole problem and nothing invented."""
    text = Page(Verdict.ERRORED, "e2e", problem="uv failed:\n  x No solution found\n  ╰─▶ because").text()
    assert text.startswith(
        "**Errored**: tier e2e, no test reported.\n\n**First cause**: uv failed: x No solution found\n\n## Problem\n"
    )
    assert "uv failed:\n  x No solution found\n  ╰─▶ because" in text
    for absent in ("## Tests", "## Failures", "## Slowest", "## Steps", "## To look further"):
        assert absent not in text


def test_cause_of_a_module_that_can_not_be_imported() -> None:
    """Of a module that can't be imported the first cause is what was raised, and not only where."""
    said = "tests/test_a.py:2: in <module>\n    import nowhere\nE   ModuleNotFoundError: No module named 'nowhere'"
    case = Case("", "tests.test_a", 0, (Result("errored", "collection failure", said),))
    cause = Page(Verdict.REFUSED, "unit", [Suite("unit", [case])]).first_cause
    assert cause == "tests.test_a: ModuleNotFoundError: No module named 'nowhere'"


def test_files_that_are_there(tmp_path: Path) -> None:
    """Each file that is there is listed, none that is not, and where there was no cluster none is spoken of."""
    (tmp_path / "logs").mkdir()
    for name in ("junit.xml", "performance.json", "exit-code", "b`ad.png", ".hidden"):
        (tmp_path / name).write_text("x")
    text = Page(Verdict.PASSED, "unit", folder=tmp_path).text()
    further = text[text.index("## To look further") :]
    assert [line.split(":")[0] for line in further.splitlines()[2:]] == [
        "- `logs/`",
        "- `junit.xml`",
        "- `performance.json`",
        "- ``b`ad.png``",
    ]
    assert "pod" not in text
    assert "Kubernetes" not in text


def test_very_many_files(tmp_path: Path) -> None:
    """Of very many files of tests the first are listed."""
    for number in range(60):
        (tmp_path / f"{number:02}").write_text("x")
    text = Page(Verdict.PASSED, "unit", folder=tmp_path).text()
    assert "`49`" in text
    assert "`50`" not in text
    assert "- and 10 more" in text


def test_markup() -> None:
    """Bars, backticks and tags in a test's name or message can't break the page."""
    case = Case("t", "x[a|b-`c`-<b>]", 1, (Result("failed", "```\n<script>"),))
    text = page(case, suite="a_b|<i>")
    assert "| a\\_b\\|&lt;i&gt; |" in text
    assert "| ``t::x[a\\|b-`c`-<b>]`` |" in text
    assert "  ````text\n  ```\n  <script>\n  ````" in text


def test_bounds() -> None:
    """Long messages and endless failures are cut, and the rest is named."""
    lines = "\n".join(f"line {number} {'x' * 400}" for number in range(40))
    text = page(*(Case("", f"t{number}", 0, (Result("failed", lines),)) for number in range(60)))
    assert "line 7 " in text
    assert "line 8 " not in text
    assert "line 39 " in text
    assert "x" * 400 not in text
    assert "And 10 more, in `junit.xml`." in text


def test_brief() -> None:
    """Of a long reason the first lines are told, and the last, which says where it came from."""
    assert brief("a\n\nb") == ["a", "b"]
    assert brief("\n".join("abcdef"), 4) == ["a", "b", "[...]", "f"]


def test_slowest() -> None:
    """Ten tests are listed as slow, and tests without a duration aren't."""
    text = page(*(Case("", f"t{number}", number) for number in range(15)))
    assert [f"`t{number}`" in text for number in range(15)] == [False] * 5 + [True] * 10
