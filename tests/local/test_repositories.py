"""Repositories as people have them, none prepared: `init` and one run, on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from conftest import Here

POETRY = """
[tool.poetry]
name = "app"
version = "0.1.0"
description = ""
authors = []
[tool.poetry.dependencies]
python = "^3.11"
iniconfig = "^2.0"
[tool.poetry.group.test.dependencies]
pytest = "^9.0"
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
PROJECT = """
[project]
name = "app"
version = "1"
dependencies = ["iniconfig"]
requires-python = ">=3.11"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
DYNAMIC = """
[project]
name = "app"
dynamic = ["version", "dependencies"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["app"]
[tool.setuptools.dynamic]
version = { attr = "app.__version__" }
dependencies = { file = ["requirements.txt"] }
"""
SCM = """
[project]
name = "app"
dynamic = ["version"]
dependencies = ["iniconfig"]
[build-system]
requires = ["setuptools", "setuptools-scm"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["app"]
[tool.setuptools_scm]
"""
SETUP = "[metadata]\nname = app\nversion = 1\n[options]\npackages = app\ninstall_requires = iniconfig\n"
SETUP_PY = """
from setuptools import setup
NEEDED = ["iniconfig"]
setup(name="app", packages=["app"], install_requires=NEEDED, extras_require={"tests": ["pytest"]})
"""
SHAPES: dict[str, dict[str, str | bytes]] = {
    "poetry": {"pyproject.toml": POETRY},
    "pdm": {"pyproject.toml": f"{PROJECT}\n[tool.pdm.dev-dependencies]\ntest = ['pytest>=9']\n"},
    "hatch": {"pyproject.toml": f"{PROJECT}\n[tool.hatch.envs.default]\ndependencies = ['pytest']\n"},
    "group": {"pyproject.toml": f"{PROJECT}\n[dependency-groups]\ntest = ['pytest']\n"},
    "requirements": {"requirements.txt": "iniconfig\n", "requirements-dev.txt": "-r requirements.txt\npytest\n"},
    "setup.cfg": {
        "setup.cfg": f"{SETUP}[options.extras_require]\ntest = pytest\n",
        "setup.py": "import setuptools\nsetuptools.setup()\n",
    },
    "setup.py": {"setup.py": SETUP_PY},
    "pipenv": {"Pipfile": "[packages]\niniconfig = '*'\n[dev-packages]\npytest = {version = '>=8'}\n"},
    "utf-16": {"requirements.txt": "iniconfig\r\n".encode("utf-16")},
    "dynamic": {"pyproject.toml": DYNAMIC, "requirements.txt": "iniconfig\n"},
    "setuptools-scm": {"pyproject.toml": SCM},
}  # fmt: skip
TEST = "import app\nimport iniconfig\n\n\ndef test_app():\n    assert app.__version__ == '1.2'\n"


def make(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write a package with one test, and the files that say what it needs."""
    for name, text in {**files, "app/__init__.py": "__version__ = '1.2'\n", "tests/unit/test_app.py": TEST}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def empty(here: Here) -> Here:
    """Return the repository without a file."""
    (here.repository / "pyproject.toml").unlink()
    (here.repository / "tests" / "test_orders.py").unlink()
    return here


SELDOM = frozenset({"utf-16", "setup.cfg", "dynamic", "pipenv"})
"""Further cases: each takes a worker of its own."""


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=pytest.mark.long if shape in SELDOM else ()) for shape in SHAPES]
)
def test_repository_runs_after_init(empty: Here, shape: str) -> None:
    """`init` writes what a repository of this shape needs, `doctor` calls it fine, and its test passes."""
    make(empty.repository, SHAPES[shape])
    if shape == "setuptools-scm":
        git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
        for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "x"), ("tag", "v1.2")):
            subprocess.run((*git, *arguments), cwd=empty.repository, check=True, timeout=60)
    refused, told = empty.run("test", "--on", "local", "--tier", "unit")
    assert (refused, "`floe-ci init` writes that, or add [tool.floe-ci.runner] install = [" in told) == (2, True), told
    assert empty.run("init")[0] == 0
    assert "the repository  can be tested" in empty.run("doctor")[1]
    code, said = empty.run("test", "--on", "local", "tests/unit/test_app.py::test_app")
    assert code == 0, said


def test_package_called_results(empty: Here) -> None:
    """A package of the name of the folder that runs leave theirs in is tested, and stays as it was."""
    table = PROJECT.replace('"app"', '"results"')
    test = "import results\n\n\ndef test_it():\n    assert results.HERE\n"
    make(
        empty.repository,
        {"pyproject.toml": table, "results/__init__.py": "HERE = True\n", "tests/unit/test_it.py": test},
    )
    (empty.repository / "tests" / "unit" / "test_app.py").unlink()
    shutil.rmtree(empty.repository / "app")
    assert empty.run("init")[0] == 0
    for _ in range(2):
        code, said = empty.run("test", "--on", "local", "--tier", "unit")
        assert (code, "1 passed" in said) == (0, True), said
    assert (empty.repository / "results" / "__init__.py").read_text() == "HERE = True\n"


def test_member_of_a_workspace_runs_from_its_folder(empty: Here) -> None:
    """A member is tested from its own folder, by the lock file in the workspace's root, with nothing configured."""
    root, api = empty.repository, empty.repository / "packages" / "api"
    make(api, {"pyproject.toml": PROJECT})
    (root / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['packages/*']\n")
    subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=root, check=True, timeout=120)
    for command in (("doctor", "--source", str(api)), ("test", "--on", "local", "--source", str(api), "tests/unit")):
        code, said = empty.run(*command)
        assert code == 0, said


def test_other_python_is_taken(empty: Here) -> None:
    """The interpreter is the one that `.python-version` names, where uv finds it."""
    found = subprocess.run(
        [find_uv_bin(), "python", "find", "--no-python-downloads", "3.12"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if found.returncode:
        pytest.skip("there is no other Python here")
    make(empty.repository, {"pyproject.toml": PROJECT, ".python-version": "3.12\n"})
    (empty.repository / "tests" / "unit" / "test_python.py").write_text(
        "import sys\n\ndef test_python():\n    assert sys.version_info[:2] == (3, 12)\n"
    )
    assert empty.run("init")[0] == 0
    code, said = empty.run("test", "--on", "local", "tests/unit")
    assert code == 0, said


def test_doctor_tells_of_a_stale_lock(empty: Here) -> None:
    """What `doctor` calls refused for a lock file that is older than its project, a run refuses for the same reason."""
    make(empty.repository, {"pyproject.toml": PROJECT})
    subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=empty.repository, check=True, timeout=120)
    assert empty.run("doctor")[0] == 0
    (empty.repository / "pyproject.toml").write_text(PROJECT.replace('["iniconfig"]', '["iniconfig", "toolz"]'))
    for command in (("doctor",), ("test", "--on", "local", "--tier", "unit")):
        code, said = empty.run(*command)
        assert (code, "uv.lock is older than pyproject.toml" in said) == (2, True), said


@pytest.mark.parametrize(
    ("content", "reason", "refusal"),
    [
        (b"{}}", "uv.lock is damaged (line 1, column 1: ", ""),
        (b"", "uv.lock is damaged (line 1, column 1: missing field `version`)", ""),
        (
            b"version = 1\n# \xe9\n",
            "uv.lock is damaged (stream did not contain valid UTF-8)",
            "uv.lock: line 2: byte 0xe9 is not UTF-8",
        ),
        (b"version = 99\n", "uv.lock is of another version of uv (v99, but only v1 is supported)", ""),
    ],
    ids=["no TOML", "empty", "no UTF-8", "another version"],
)
def test_doctor_tells_of_a_damaged_lock(
    empty: Here, monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str, refusal: str
) -> None:
    """A lock file that uv can't read is told in one line by `doctor`, and a run is refused for it too."""
    monkeypatch.setenv("COLUMNS", "20")  # uv would break its lines by it
    make(empty.repository, {"pyproject.toml": PROJECT, "uv.lock": content})
    code, said = empty.run("doctor")
    assert (code, reason in said) == (2, True), said
    code, said = empty.run("test", "--on", "local", "--tier", "unit")
    assert (code, (refusal or reason) in said) == (2, True), said


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": PROJECT.replace(">=3.11", ">=3.99")},
        {"pyproject.toml": PROJECT, ".python-version": "3.99\n"},
        {"pyproject.toml": PROJECT.replace(">=3.11", ">=3.99"), ".python-version": "3.11\n"},
    ],
    ids=["range", "version", "both"],
)
def test_doctor_tells_of_a_python_that_is_not_there(empty: Here, files: dict[str, str]) -> None:
    """What `doctor` calls refused for want of an interpreter, a run refuses too."""
    make(empty.repository, files)
    assert empty.run("init")[0] == 0
    code, said = empty.run("doctor")
    assert (code, "✗ Python: " in said, "the repository  would be refused" in said) == (2, True, True), said
    code, said = empty.run("test", "--on", "local", "--tier", "unit")
    assert code == 2, said


def test_package_beside_results(empty: Here) -> None:
    """Where setuptools takes the results for a package, a run is refused with the line that mends it, and then runs."""
    backend = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    table = '[project]\nname = "shop"\nversion = "1"\n\n[tool.floe-ci.runner]\ninstall = ["."]\n'
    make(
        empty.repository,
        {
            "pyproject.toml": f"{table}\n{backend}",
            "shop/__init__.py": "PRICE = 1\n",
            "tests/unit/test_shop.py": "import shop\n\n\ndef test_price():\n    assert shop.PRICE == 1\n",
            "results/unit/exit-code": "0\n",
        },
    )
    command = ("test", "--on", "local", "--tier", "unit", "--results", str(empty.repository.parent / "elsewhere"))
    code, said = empty.run(*command)
    assert code == 2, said
    advice = re.search(r"(\[tool\.setuptools\]) (packages = \[.*?\])", said)
    assert advice, said
    (empty.repository / "pyproject.toml").write_text("\n".join([table, backend, *advice.groups()]))
    code, said = empty.run(*command)
    assert code == 0, said
