"""Where a repository's tests are is found by what it tells pytest, or else by what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci import suites

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, *names: str, **files: str) -> Path:
    """Write empty files, and those with a text, whose names have `_` for a dot."""
    for name, text in {**dict.fromkeys(names, ""), **{each.replace("_", "."): files[each] for each in files}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("names", "tier", "paths"),
    [
        (("tests/test_a.py",), "unit", ("tests",)),
        (("tests/unit/test_a.py", "tests/test_b.py"), "unit", ()),
        (("tests/integration/test_a.py",), "integration", ()),
        (("src/app/tests/test_a.py", "src/app/tests/inner/test_b.py"), "unit", ("src/app/tests",)),
        (("test_a.py", "app/b_test.py", "app/inner/c_test.py"), "unit", ("app", "test_a.py")),
        (("packages/a/tests/test_a.py", "libs/b/test/test_b.py"), "unit", ("libs/b/test", "packages/a/tests")),
        (("results/test_a.py", ".x/test_b.py", "node_modules/test_c.py", "app/model.py"), "unit", ()),
    ],
)
def test_places(tmp_path: Path, names: tuple[str, ...], tier: str, paths: tuple[str, ...]) -> None:
    """Tests are found in the usual folders, or wherever files of tests are, and belong to a tier that has them."""
    write(tmp_path, *names)
    found = suites.tier_of(tmp_path, has_services=False)
    assert (found, suites.paths(tmp_path, found)) == (tier, paths)


@pytest.mark.parametrize(
    ("name", "are_there"),
    [("tests/unit/test_a.py", True), ("app/test_a.py", True), ("results/test_a.py", False), ("app/model.py", False)],
)
def test_there_are_tests(tmp_path: Path, name: str, *, are_there: bool) -> None:
    """A repository has tests where a tier's folder is, too, which needs no path of its own."""
    assert suites.are_there(write(tmp_path, name)) == are_there


def test_tier_with_services_beside_folders_of_other_tiers(tmp_path: Path) -> None:
    """Tests that are in no tier's folder are the tier's that its services are for; without such, another's are run."""
    write(tmp_path, "tests/unit/test_a.py", "tests/functional/test_b.py", "tests/test_c.py", "tests/data/x.csv")
    assert suites.tier_of(tmp_path, has_services=True) == "integration"
    assert suites.paths(tmp_path, "integration") == ("tests/functional", "tests/test_c.py")
    write(other := tmp_path / "other", "tests/unit/test_a.py")
    assert suites.tier_of(other, has_services=True) == "unit"


@pytest.mark.parametrize(
    "files",
    [
        {"pytest_ini": "[pytest]\ntestpaths = checks docs/*\n    gone ../x\n"},
        {"pyproject_toml": "[tool.pytest.ini_options]\ntestpaths = ['checks', 'docs/*', 3]\n"},
        {"pyproject_toml": "[tool.pytest]\ntestpaths = 'checks docs/*'\n", "tox_ini": "[pytest]\ntestpaths = tests\n"},
        {"setup_cfg": "[tool:pytest]\ntestpaths =\n    checks\n    docs/*\n"},
    ],
)
def test_paths_that_pytest_is_told(tmp_path: Path, files: dict[str, str]) -> None:
    """Pytest's own `testpaths` count, from the first of its files that has options, as far as they are there."""
    write(tmp_path, "tests/test_a.py", "checks/test_b.py", "docs/a/test_c.py", **files)
    assert suites.paths(tmp_path, "unit") == ("checks", "docs/a")


def test_paths_of_another_shape(tmp_path: Path) -> None:
    """Pytest's `testpaths` say nothing where they are no paths."""
    write(tmp_path, "tests/test_a.py", pyproject_toml="[tool.pytest.ini_options]\ntestpaths = 5\n")
    assert suites.paths(tmp_path, "unit") == ("tests",)


@pytest.mark.parametrize(
    ("names", "options", "mode"),
    [
        (("a/tests/__init__.py", "b/tests/__init__.py"), "", suites.IMPORTLIB),
        (("a/tests/test_x.py", "b/tests/test_x.py"), "", suites.IMPORTLIB),
        (("a/tests/test_x.py", "b/tests/test_x.py"), "addopts = --import-mode=append", ""),
        (("a/tests/test_x.py", "b/tests/test_y.py"), "", ""),
        (("a/__init__.py", "a/tests/__init__.py", "b/tests/__init__.py"), "", ""),
    ],
)
def test_modules_of_the_same_name(tmp_path: Path, names: tuple[str, ...], options: str, mode: str) -> None:
    """Where pytest would take a module of one folder for another's, it gets the argument that tells them apart."""
    write(tmp_path, *names, pytest_ini=f"[pytest]\n{options}\n")
    assert suites.import_mode(tmp_path, ("a/tests", "b/tests")) == mode


def test_search_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no tests, as in a home, the search ends before all folders that are below were looked into."""
    write(tmp_path, *(f"{number:02}/{number:02}/notes.txt" for number in range(40)), "zz/test_a.py")
    looked_at = []
    monkeypatch.setattr(suites, "_is_looked_into", lambda name: looked_at.append(name) or True)
    assert suites.are_there(tmp_path)
    monkeypatch.setattr(suites, "MOST_FILES", 10)
    looked_at.clear()
    assert not suites.are_there(tmp_path)
    # The names at the top, and one more for each folder that was looked into before.
    assert len(looked_at) < 41 + 10
