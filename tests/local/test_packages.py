"""What is tested is what is there: packages of the lock file, and sources as they are now, with the real uv."""

from __future__ import annotations

import asyncio
import os
import subprocess
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import read_repository
from floe_ci.errors import UserError
from floe_ci.local.environments import of_tests, ready
from floe_ci.requirements import RETRYING, RUNNER_TOOLS
from floe_ci.runner import INSTALL_MISSING
from uv import find_uv_bin

if TYPE_CHECKING:
    from pathlib import Path

BUILT = '\n[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PINNED = """
[project]
name = "pinned"
version = "0"
requires-python = ">=3.11"

[dependency-groups]
dev = ["pytest==7.4.4"]

[tool.floe-ci.tiers.unit]
retries = 1
"""


@pytest.fixture(autouse=True)
def _cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))


def project(folder: Path, name: str, more: str = "", code: str = "") -> Path:
    """Write a project, with one module where it has code, and return its folder."""
    folder.mkdir(parents=True)
    head = f'[project]\nname = "{name}"\nversion = "0"\nrequires-python = ">=3.11"\n'
    (folder / "pyproject.toml").write_text(f"{head}{more}{BUILT if code else ''}")
    if code:
        (folder / f"{name}.py").write_text(code)
    return folder


def uv(folder: Path, *arguments: str, **environment: str) -> None:
    """Run uv in a folder."""
    subprocess.run([find_uv_bin(), *arguments], cwd=folder, env={**os.environ, **environment}, check=True, timeout=120)


def packages(source: Path) -> Path:
    """Return the site-packages of the environment of a repository's tests."""
    environment = of_tests(source, read_repository(source)[0])
    (found,) = asyncio.run(ready(environment)).glob("lib/python*/site-packages")
    return found


def versions(site: Path) -> dict[str, str]:
    """Return what is installed."""
    return {each.name: each.version for each in distributions(path=[str(site)])}


def test_changed_copy_is_what_is_tested(tmp_path: Path) -> None:
    """A path dependency that is installed as a copy is the one that is there now, and again what it was before."""
    lib = project(tmp_path / "lib", "shared", code="VALUE = 1\n")
    sources = '[tool.uv.sources]\nshared = { path = "../lib" }\n'
    app = project(tmp_path / "app", "app", f'dependencies = ["shared"]\n{sources}')
    uv(app, "lock", "--quiet")
    for value in (1, 2, 1):
        (lib / "shared.py").write_text(f"VALUE = {value}\n")
        assert (packages(app) / "shared.py").read_text() == f"VALUE = {value}\n"


def test_changed_requirements_are_installed(tmp_path: Path) -> None:
    """A file of requirements that a project's dependencies come from is read again when it has changed."""
    app = project(tmp_path / "app", "app", 'dynamic = ["dependencies"]\n')
    dynamic = '[tool.setuptools]\npy-modules = []\n[tool.setuptools.dynamic]\ndependencies = { file = ["needs.txt"] }\n'
    build = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    table = '[tool.floe-ci.runner]\ninstall = ["."]\n'
    (app / "pyproject.toml").write_text((app / "pyproject.toml").read_text() + dynamic + build + table)
    (app / "needs.txt").write_text("iniconfig\n")
    assert "toolz" not in versions(packages(app))
    (app / "needs.txt").write_text("iniconfig\ntoolz\n")
    assert "toolz" in versions(packages(app))


def test_member_of_a_workspace_has_its_lock_file(tmp_path: Path) -> None:
    """A member is installed from the lock file in the workspace's root; one that is out of date is refused."""
    root = project(tmp_path / "mono", "mono", '[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    project(root / "packages" / "lib", "lib", code="X = 1\n")
    sources = "[tool.uv.sources]\nlib = { workspace = true }\n"
    api = project(root / "packages" / "api", "api", f'dependencies = ["lib"]\n{sources}', code="from lib import X\n")
    uv(root, "lock", "--quiet")
    assert {"api", "lib", "pytest"} <= set(versions(packages(api)))
    pyproject = api / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('["lib"]', '["lib", "toolz"]'))
    with pytest.raises(UserError, match=r"mono/uv\.lock is older than pyproject\.toml .*; run `uv lock`"):
        packages(api)


def test_locked_pytest_stays(tmp_path: Path) -> None:
    """What the runner adds, here and in its image, comes in versions that fit the locked pytest, which stays.

    In the image, where nothing can be written later, the plugins are compiled as pytest does it.
    """
    source = tmp_path / "pinned"
    source.mkdir()
    (source / "pyproject.toml").write_text(PINNED)
    uv(source, "lock", "--quiet")
    found = versions(packages(source))
    assert found["pytest"] == "7.4.4"
    assert found["pytest-rerunfailures"] != RETRYING.version
    image = str(tmp_path / "image")
    uv(source, "sync", "--quiet", "--frozen", UV_PROJECT_ENVIRONMENT=image)
    arguments = [part for tool in (*RUNNER_TOOLS, RETRYING) for part in (tool.pinned, tool.fitting)]
    path = f"{os.path.dirname(find_uv_bin())}:{os.environ['PATH']}"  # noqa: PTH120 - a path as a variable has it
    subprocess.run(
        ["sh", "-c", INSTALL_MISSING, "sh", *arguments],
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": image},
        check=True,
        timeout=120,
    )
    (site,) = (tmp_path / "image").glob("lib/python*/site-packages")
    there = versions(site)
    assert {name: there[name] for name in found if name != "pinned"} == {
        name: version for name, version in found.items() if name != "pinned"
    }
    rewritten = {each.name.partition(".")[0] for each in site.rglob("*-pytest-7.4.4.pyc")}
    assert {"pytest_timeout", "engine"} <= rewritten, "what would be compiled anew in each of the tests' processes"


def test_tool_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    """Where no version of a tool fits, the run is refused with both versions, and nothing is changed."""
    source = tmp_path / "old"
    source.mkdir()
    (source / "pyproject.toml").write_text(PINNED.replace("pytest==7.4.4", "pytest==4.6.11"))
    uv(source, "lock", "--quiet")
    with pytest.raises(UserError, match=r"no version fits the packages that the repository installs") as caught:
        packages(source)
    assert "pytest==4.6.11" in str(caught.value)


def test_lock_file_that_is_none_is_told(tmp_path: Path) -> None:
    """A lock file that uv can't read is the repository's fault, in one line."""
    source = project(tmp_path / "bad", "bad")
    for content in (b"this is = not [a lock", b"\xff\xfe\x00", b""):
        (source / "uv.lock").write_bytes(content)
        with pytest.raises(UserError, match=r"uv\.lock is damaged"):
            packages(source)


def test_python_that_nobody_has_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no interpreter fits and none can be had, one sentence says what to install."""
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    source = project(tmp_path / "newer", "newer", '[tool.floe-ci.runner]\ninstall = ["pytest"]\n')
    (source / ".python-version").write_text("3.99\n")
    with pytest.raises(UserError, match=r"^no Python fits this repository's requires-python or \.python-version: "):
        packages(source)
