"""The guide's first example, as it is printed there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from floe_testing.cli import group

if TYPE_CHECKING:
    from conftest import Repository

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "traceability.md"
pytestmark = pytest.mark.requirement("T073")


@pytest.fixture
def examples() -> dict[str, str]:
    """Return the first code block of each language."""
    blocks = [token for token in MarkdownIt().parse(GUIDE.read_text(encoding="utf-8")) if token.type == "fence"]
    return {block.info: block.content for block in reversed(blocks)}


def test_first_example_prints_what_the_guide_shows(repository: Repository, examples: dict[str, str]) -> None:
    """The guide's requirements and its test give the table that the guide shows, as far as it shows it."""
    (repository.root / "pyproject.toml").write_text("")
    repository.write("docs/login.md", examples["markdown"])
    repository.test("tests/test_login.py", examples["python"])
    command, *shown = examples["console"].split("…")[0].splitlines()
    args = command.removeprefix("$ floe-testing ").split()
    found = CliRunner(env={"COLUMNS": "60"}).invoke(group, [*args, "--root", str(repository.root)])
    assert [line.split() for line in found.stdout.splitlines()[: len(shown)]] == [line.split() for line in shown]
    assert found.exit_code == int(examples["console"].splitlines()[-1])


def test_table_of_the_guide_is_understood(repository: Repository, examples: dict[str, str]) -> None:
    """The guide's table holds every key, and is taken."""
    repository.write("pyproject.toml", examples["toml"])
    repository.write("docs/requirements/001-login.md", "- **FR-001**: Log in\n")
    repository.test("tests/test_login.py", '@pytest.mark.requirement("001-FR-001")', "def test_a(): ...")
    found = CliRunner().invoke(group, ["trace", "--root", str(repository.root)])
    assert found.exit_code == 0, found.stderr
