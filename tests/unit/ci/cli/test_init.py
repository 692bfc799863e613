"""`floe-ci init` writes a first table into a repository, by what the repository has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.config import read_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Call = Callable[..., Result]

FILE = """\
# Ours: keep it tidy.
[project]
name = "orders"    # short
dependencies = ["Psycopg[binary]>=3", "s3fs ; python_version > '3'"]

[project.optional-dependencies]
test = ["pytest"]

[tool.ruff]
line-length = 100 # wide


[[tool.mypy.overrides]]
module = "x"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with tests in one folder, and no lock file."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text(FILE)
    return tmp_path


def test_nothing_else_changes(call: Call, repository: Path) -> None:
    """The table is added, and every line that was there stays as it was, comments too."""
    told = call("init", "--source", str(repository))
    assert told.exit_code == 0, told.output
    assert (repository / "pyproject.toml").read_text().startswith(FILE)


def test_services_are_proposed_by_dependencies(call: Call, repository: Path) -> None:
    """What the dependencies speak to is proposed, and what they are installed from is found."""
    told = call("init", "--source", str(repository))
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.tier("integration").services == ("postgres", "minio")
    assert config.tier("integration").paths == ("tests",)
    assert config.runner.install == (".[test]",)
    assert "services of the integration tier: postgres, minio" in told.output


def test_lock_file_and_tiers_are_found(call: Call, repository: Path) -> None:
    """With a lock file its group of test packages is proposed; tests in `tests/<tier>` need no path."""
    (repository / "uv.lock").touch()
    (repository / "tests" / "integration").mkdir()
    with (repository / "pyproject.toml").open("a") as file:
        file.write('\n[dependency-groups]\ntest = ["dagster>=1"]\n')
    call("init", "--source", str(repository))
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.runner.groups == ("test",)
    assert config.runner.install == ()
    assert config.tier("integration").paths == ("tests/integration",)
    assert config.tier("integration").services == ("postgres", "minio", "dagster")


def test_repository_without_services(call: Call, repository: Path) -> None:
    """Where no dependency speaks to a service, the tests are the unit tier's."""
    (repository / "pyproject.toml").write_text('[project]\nname = "orders"\ndependencies = []')
    told = call("init", "--source", str(repository))
    config = read_config((repository / "pyproject.toml").read_text())
    assert config.tier("unit").paths == ("tests",)
    assert config.tier("integration").services == ()
    assert "none: no dependency speaks to one that is known" in told.output


def test_table_that_is_there_stays(call: Call, repository: Path) -> None:
    """A repository that has the table is refused, and its file is not touched."""
    call("init", "--source", str(repository))
    before = (repository / "pyproject.toml").read_text()
    told = call("init", "--source", str(repository))
    assert told.exit_code == 2
    assert "it has a table [tool.floe-ci] already, which stays as it is" in told.stderr
    assert (repository / "pyproject.toml").read_text() == before


@pytest.mark.parametrize(("text", "words"), [(None, "there is no such file"), ("[project", "not valid TOML")])
def test_no_repository(call: Call, tmp_path: Path, text: str | None, words: str) -> None:
    """A folder without a file that can be read is refused in one line."""
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    told = call("init", "--source", str(tmp_path))
    assert told.exit_code == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1
