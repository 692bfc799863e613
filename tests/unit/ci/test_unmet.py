"""What a table names and the repository does not have is told before anything is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci import unmet
from floe_ci.config import read_config, read_repository
from floe_ci.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

LONG = "x" * 300
"""More than the name of a file may have."""
PROJECT = "[project]\nname = 'a'\noptional-dependencies.My_Tests = []\n[dependency-groups]\ntest = []\n"


def write(folder: Path, runner: str, **files: str) -> Path:
    """Write a project with a table, and further files of requirements."""
    for name, text in {"pyproject.toml": f"{PROJECT}[tool.floe-ci.runner]\n{runner}\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("runner", "words"),
    [
        ("install = ['-r gone.txt']", "gone.txt: there is no such file"),
        ("install = ['--constraint=gone.txt', 'a']", "gone.txt: there is no such file"),
        ("install = ['-r more.txt']", "more.txt: nested.txt: there is no such file"),
        ("install = ['-r quoted.txt']", "quoted.txt: a b.txt: there is no such file"),
        ("install = ['-r long.txt']", f"long.txt: {LONG}: there is no such file"),
        (f"install = ['./{LONG}']", f"./{LONG}: there is no such file or folder"),
        ("install = ['--editable ./docs']", "./docs: there is no project in it"),
        ("install = ['./lib']", "./lib: there is no such file or folder"),
        ("install = ['./docs[x]']", "./docs[x]: there is no project in it: no pyproject.toml, setup.py"),
        ("install = ['.', '--group tests']", "--group tests: pyproject.toml has no such group; did you mean 'test'?"),
        ("groups = ['tests']", "groups: pyproject.toml has no 'tests'; did you mean 'test'?"),
        ("extras = ['x']", "extras: pyproject.toml has no 'x'; known: My_Tests"),
    ],
)
def test_packages_that_are_not_there(tmp_path: Path, runner: str, words: str) -> None:
    """Each file, project, group and extra that is not there is told, where it is named, with the nearest that is."""
    files = {"more.txt": "a\n-r nested.txt\n", "quoted.txt": "--requirement='a b.txt' # c", "long.txt": f"-r {LONG}"}
    write(tmp_path, runner, **files, **{"docs/index.md": ""})
    (problem,) = unmet.packages(tmp_path, read_repository(tmp_path)[0])
    assert problem.startswith("[tool.floe-ci.runner] ")
    assert words in problem


@pytest.mark.parametrize(
    "runner",
    [
        "install = ['.[x]', '-r more.txt', '-r https://example.com/a.txt', '--group test', 'a', 'git+https://x/y']",
        "groups = ['Test', 'dev']\nextras = ['my-tests']",
        "install = ['--group packages/b/pyproject.toml:test']",
        "install = ['--find-links ./packages', '-f ./packages', '--index=./gone', '--cache-dir ./gone', '.']",
        "install = ['-r others.txt']",
    ],
)
def test_packages_that_are_there(tmp_path: Path, runner: str) -> None:
    """What is there, is elsewhere, or is uv's to know is no problem, in a circle of files neither."""
    others = '-crazy\n--requirements foo\n-r "a b.txt"\n-r a b.txt # c\n-r\tmore.txt\n'
    files = {"more.txt": "-r more.txt\n", "others.txt": others, "a b.txt": ""}
    write(tmp_path, runner, **files, **{"packages/b/pyproject.toml": PROJECT})
    assert unmet.packages(tmp_path, read_repository(tmp_path)[0]) == []


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("more.txt", b"a\n\xff\n", "[tool.floe-ci.runner] install: more.txt: line 2: byte 0xff is not UTF-8: save the"),
        ("uv.toml", b"x=", "uv.toml: not valid TOML: line 1, column 3: Invalid value"),
        ("uv.toml", "x=1".encode("utf-16"), "uv.toml: is UTF-16: save it as plain UTF-8"),
        (".python-version", b"3.12\n\xe9", ".python-version: line 2: byte 0xe9 is not UTF-8: save the file as UTF-8"),
    ],
)
def test_files_that_can_not_be_read(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    """A file that uv would stop at is told with the place in it, and one that it reads in another encoding is not."""
    write(
        tmp_path, "install = ['-r more.txt', '-r marked.txt']", **{"more.txt": "", "uv.toml": "", ".python-version": ""}
    )
    (tmp_path / "marked.txt").write_bytes("pytest\n".encode("utf-16"))
    config, _ = read_repository(tmp_path)
    assert unmet.packages(tmp_path, config) == []
    (tmp_path / name).write_bytes(content)
    (told,) = unmet.packages(tmp_path, config)
    assert told.startswith(problem)
    assert "\n" not in told


def test_settings_of_a_workspace(tmp_path: Path) -> None:
    """The settings in a workspace's root are read for its members too, and told by where they are."""
    workspace = {"pyproject.toml": "[tool.uv.workspace]\nmembers = ['a']\n", "uv.toml": "x="}
    write(tmp_path, "", **{**workspace, "a/pyproject.toml": PROJECT})
    member = tmp_path / "a"
    (told,) = unmet.packages(member, read_repository(member)[0])
    assert told.startswith(f"{tmp_path / 'uv.toml'}: not valid TOML: ")


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (b"[project\n", "b/pyproject.toml: not valid TOML: line 1, column 9"),
        (PROJECT.encode("utf-16"), "b/pyproject.toml: is UTF-16: save it as plain UTF-8"),
        (PROJECT.encode(), 'b/pyproject.toml: the workspace has a project "a" already, in a/pyproject.toml: give'),
    ],
)
def test_member_that_can_not_be_installed(tmp_path: Path, member: bytes, problem: str) -> None:
    """A member of the workspace that uv would stop at is told, where a project of that is installed."""
    workspace = {"pyproject.toml": "[tool.uv.workspace]\nmembers = ['*']\n", "b/pyproject.toml": ""}
    write(tmp_path, "", **{**workspace, "a/pyproject.toml": PROJECT})
    assert unmet.packages(tmp_path, read_config("")) == []
    (tmp_path / "b" / "pyproject.toml").write_bytes(member)
    for table in ("", "[tool.floe-ci.runner]\ninstall = ['./a']"):
        (told,) = unmet.packages(tmp_path, read_config(table))
        assert told.startswith(problem)
    assert unmet.packages(tmp_path, read_config("[tool.floe-ci.runner]\ninstall = ['pytest']")) == []


def test_lock_file_without_a_project(tmp_path: Path) -> None:
    """A lock file is of no use without the project beside it; where something else says what to install, it is none."""
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (told,) = unmet.packages(tmp_path, read_repository(tmp_path)[0])
    assert told.startswith("uv.lock: there is no pyproject.toml beside it, whose packages it would be: name what to")
    (tmp_path / "floe-ci.toml").write_text("[tool.floe-ci.runner]\ninstall = ['pytest']\n")
    assert unmet.packages(tmp_path, read_repository(tmp_path)[0]) == []


def test_paths(tmp_path: Path) -> None:
    """A path of the table that is not there is told; the usual folder of a tier only where no tier has tests."""
    write(tmp_path, "", **{"tests/unit/test_a.py": ""})
    assert unmet.tests(tmp_path, read_repository(tmp_path)[0]) == []
    write(tmp_path, "[tool.floe-ci.tiers.e2e]\npaths = ['gone', 'tests/unit/test_a.py::test_a']")
    config, _ = read_repository(tmp_path)
    problem = "[tool.floe-ci.tiers.e2e] paths: gone: there is no such file or folder"
    assert unmet.tests(tmp_path, config) == [problem]
    unmet.refuse(tmp_path, config, "unit", by_paths=True)
    unmet.refuse(tmp_path, config, "e2e", by_paths=False)
    with pytest.raises(UserError, match=r"pyproject\.toml: \[tool\.floe-ci\.tiers\.e2e\] paths: gone"):
        unmet.refuse(tmp_path, config, "e2e", by_paths=True)


@pytest.mark.parametrize("option", ["pytest-args = ['--pyargs']", "[tool.pytest.ini_options]\naddopts = '-q --pyargs'"])
def test_packages_of_tests(tmp_path: Path, option: str) -> None:
    """Where pytest is given names of packages no path is missed; otherwise even one is that no file can have."""
    write(tmp_path, f"[tool.floe-ci.tiers.e2e]\npaths = ['a.tests']\n{option}")
    unmet.refuse(tmp_path, read_repository(tmp_path)[0], "e2e", by_paths=True)
    write(tmp_path, f"[tool.floe-ci.tiers.e2e]\npaths = ['{LONG}']")
    with pytest.raises(UserError, match=f"{LONG}: there is no such file or folder"):
        unmet.refuse(tmp_path, read_repository(tmp_path)[0], "e2e", by_paths=True)


def test_dynamic_that_is_no_list(tmp_path: Path) -> None:
    """A project's `dynamic` of another shape says nothing: who it is for will tell."""
    write(tmp_path, "extras = ['my-tests']")
    file = tmp_path / "pyproject.toml"
    file.write_text(file.read_text().replace("name = 'a'", "name = 'a'\ndynamic = true"))
    assert unmet.packages(tmp_path, read_repository(tmp_path)[0]) == []
