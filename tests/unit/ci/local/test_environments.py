"""Environments are built once from what decides their contents, and shared."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import Config, RunnerConfig
from floe_ci.errors import RunError, UserError
from floe_ci.local import environments
from floe_ci.local.environments import WHOLE, of_service, of_tests, ready
from floe_ci.requirements import RETRYING, RUNNER_TOOLS

if TYPE_CHECKING:
    from pathlib import Path

LOCK = 'version = 1\n[[package]]\nname = "part"\nsource = { editable = "part" }\n'
UV = """#!/bin/sh
echo "$@" >> {calls}
test -n "{fails}" && echo "no such package" && exit 2
mkdir -p "$UV_PROJECT_ENVIRONMENT/lib/python3/site-packages/pytest-9.2.0.dist-info"
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a repository with a lock file and a package of its own."""
    folder = tmp_path / "my orders"
    (folder / "part").mkdir(parents=True)
    (folder / "uv.lock").write_text(LOCK)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "part" / "pyproject.toml").write_text("[project]\n")
    return folder


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a uv in place that writes down how it is called, and return that file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    install_uv(tmp_path, monkeypatch)
    return tmp_path / "calls"


def install_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> None:
    """Put a uv in place that succeeds, or fails."""
    uv = folder / "uv"
    uv.write_text(UV.format(calls=folder / "calls", fails=fails))
    uv.chmod(0o755)
    module = type(sys)("uv")
    module.find_uv_bin = lambda: str(uv)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uv", module)


def test_locked_repository_is_synchronized(source: Path) -> None:
    """A repository with a lock file gets the groups and extras of the runner image, with the source in place."""
    made = of_tests(source, Config(runner=RunnerConfig(groups=("test",), extras=("s3",))))
    assert made.commands == (
        ("sync", "--quiet", "--frozen", "--no-default-groups", "--group", "test", "--extra", "s3"),
    )
    assert made.tools == RUNNER_TOOLS


def test_requirements_without_a_lock_file(source: Path) -> None:
    """Requirements are installed as they are, and a folder of the repository in place."""
    made = of_tests(source, Config(runner=RunnerConfig(install=(".[test]", "httpx>=1"))))
    assert made.commands[1] == ("pip", "install", "--quiet", "--editable", ".[test]", "httpx>=1")


def test_repository_that_says_nothing_is_refused(source: Path) -> None:
    """Without a lock file and without requirements nobody knows what to install."""
    (source / "uv.lock").unlink()
    with pytest.raises(UserError, match=r"uv\.lock: there is no lock file"):
        of_tests(source, Config())


@pytest.mark.parametrize("file", ["uv.lock", "pyproject.toml", "part/pyproject.toml", "part/setup.py"])
def test_changed_input_is_another_environment(source: Path, file: str) -> None:
    """Each file that decides what is installed is part of the key, and so are those of the repository's packages."""
    before = of_tests(source, Config()).key
    assert of_tests(source, Config()).key == before
    (source / file).write_text(f"{LOCK}\n# changed")
    assert of_tests(source, Config()).key != before


def test_other_groups_are_another_environment(source: Path) -> None:
    """What is selected is part of the key."""
    one, another = (Config(runner=RunnerConfig(groups=(group,))) for group in "ab")
    assert of_tests(source, one).key != of_tests(source, another).key


def test_retries_bring_what_tries_again(source: Path) -> None:
    """What tries tests again is installed only where a tier wants that."""
    wanted = Config.model_validate({"tiers": {"e2e": {"retries": 2}}})
    assert of_tests(source, wanted).tools == (*RUNNER_TOOLS, RETRYING)


def test_built_once(source: Path, calls: Path) -> None:
    """Runs that ask at the same time, and later, get one environment, with the tools that were missing."""
    environment = of_tests(source, Config())

    async def twice() -> list[Path]:
        return await asyncio.gather(ready(environment), ready(environment))

    first, second = asyncio.run(twice())
    assert first == second == asyncio.run(ready(environment))
    assert (first / WHOLE).exists()
    assert calls.read_text().splitlines() == [
        "sync --quiet --frozen",
        *(f"pip install --quiet {tool}" for tool in RUNNER_TOOLS if not tool.startswith("pytest==")),
    ]
    assert first.name.startswith("my-orders-")


def test_failure_leaves_nothing(source: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that can't be built is removed, and uv's words are in the error."""
    install_uv(tmp_path, monkeypatch, fails="yes")
    with pytest.raises(RunError, match=r"`uv sync --quiet --frozen` failed with exit code 2:\nno such package"):
        asyncio.run(ready(of_tests(source, Config())))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_dir() and path.name.startswith("my")] == []
    assert calls.exists()


def test_half_an_environment_is_built_again(source: Path, calls: Path, tmp_path: Path) -> None:
    """What a killed run has left is removed before it is built."""
    environment = of_tests(source, Config())
    half = tmp_path / "cache" / "floe-ci" / "environments" / f"my-orders-{environment.key}"
    (half / "bin").mkdir(parents=True)
    folder = asyncio.run(ready(environment))
    assert folder == half
    assert not (half / "bin").exists()
    assert calls.exists()


def test_wait_for_another_run_ends(source: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits for an environment that another one never finishes gives up, and says so."""
    monkeypatch.setattr(environments, "TIMEOUT", 0.05)
    environment = of_tests(source, Config())

    async def blocked() -> None:
        await ready(environment)

    monkeypatch.setattr(environments, "_locked", lambda _: asyncio.Event().wait())
    with pytest.raises(RunError, match=r"was not ready after 0\.05 s"):
        asyncio.run(blocked())
    assert not calls.exists()


def test_service_has_its_lock_file_only(tmp_path: Path) -> None:
    """A service's environment holds what its lock file says, compiled, since several processes import it at once."""
    made = of_service(tmp_path / "dagster" / "image")
    assert made.name == "dagster"
    assert made.commands == (("sync", "--quiet", "--frozen", "--no-default-groups", "--compile-bytecode"),)
