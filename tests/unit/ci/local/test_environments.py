"""An environment is what decides its contents: built once from that, shared, never changed, and removed when unused."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import Config, RunnerConfig
from floe_ci.errors import RunError, UserError
from floe_ci.local import environments
from floe_ci.local.environments import WHOLE, of_service, of_tests, ready, remove_unused
from floe_ci.requirements import RETRYING, RUNNER_TOOLS

if TYPE_CHECKING:
    from pathlib import Path

LOCK = 'version = 1\nrequires-python = ">=3.9"\n[[package]]\nname = "part"\nsource = { editable = "part" }\n'
UV = """#!/bin/sh
echo "$@" >> {calls}
test -n "{fails}" && echo "{fails}" && exit 2
mkdir -p "$UV_PROJECT_ENVIRONMENT/lib/python3/site-packages/pytest-7.4.4.dist-info" "$UV_PROJECT_ENVIRONMENT/bin"
touch "$UV_PROJECT_ENVIRONMENT/bin/python"
{also}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a repository with a lock file and a package of its own."""
    folder = tmp_path / "my orders"
    (folder / "part").mkdir(parents=True)
    (folder / "uv.lock").write_text(LOCK)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "part" / "pyproject.toml").write_text('[project]\nname = "part"\nreadme = "about.md"\n')
    return folder


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a uv in place that writes down how it is called, and return that file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    install_uv(tmp_path, monkeypatch)
    return tmp_path / "calls"


def install_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "", also: str = "") -> None:
    """Put a uv in place that succeeds, or fails with a text, or does something else besides."""
    uv = folder / "uv"
    uv.write_text(UV.format(calls=folder / "calls", fails=fails, also=also))
    uv.chmod(0o755)
    module = type(sys)("uv")
    module.find_uv_bin = lambda: str(uv)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uv", module)


def key(source: Path, *install: str) -> str:
    """Return the key of the environment of a repository's tests."""
    return of_tests(source, Config(runner=RunnerConfig(install=install))).read().digest


def test_locked_repository_is_synchronized(source: Path) -> None:
    """A repository with a lock file gets the groups and extras of the runner image, with the source in place."""
    made = of_tests(source, Config(runner=RunnerConfig(groups=("test",), extras=("s3",))))
    assert made.commands == (
        ("sync", "--quiet", "--frozen", "--no-default-groups", "--group", "test", "--extra", "s3"),
    )
    assert made.tools == RUNNER_TOOLS


def test_requirements_without_a_lock_file(source: Path) -> None:
    """Requirements are installed as they are, a folder of the repository in place, an option apart from its value."""
    made = of_tests(source, Config(runner=RunnerConfig(install=(".[test]", "httpx>=1", "-r requirements.txt"))))
    assert made.commands[1] == (
        *("pip", "install", "--quiet", "--editable", ".[test]", "httpx>=1", "-r", "requirements.txt"),
    )


def test_repository_that_says_nothing_is_refused(source: Path) -> None:
    """Without a lock file and without requirements nobody knows what to install."""
    (source / "uv.lock").unlink()
    with pytest.raises(UserError, match=r"^uv\.lock: there is no lock file"):
        of_tests(source, Config())


def test_lock_file_of_a_workspace_is_in_its_root(source: Path) -> None:
    """A member has its workspace's lock file; a message says where it should be; a folder that is none has its own."""
    (source / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["part*"]\nexclude = ["part-not"]\n')
    (source / "part-not").mkdir()
    assert of_tests(source / "part", Config()).lock == source / "uv.lock"
    with pytest.raises(UserError, match=r"^uv\.lock: there is no lock file"):
        of_tests(source / "part-not", Config())
    (source / "uv.lock").unlink()
    with pytest.raises(UserError, match="my orders: this is the workspace's root"):
        of_tests(source / "part", Config())


@pytest.mark.parametrize(
    "file",
    [
        "uv.lock", "pyproject.toml", "uv.toml", ".python-version", "part/pyproject.toml", "part/setup.py",
        "part/setup.cfg", "part/about.md", "part/requirements/base.txt", "part/src/fast.pyx", "../uv.toml",
    ],
)  # fmt: skip
def test_changed_input_is_another_environment(source: Path, file: str) -> None:
    """Each file that decides what is installed is part of the key, and so are those of the repository's packages."""
    before = key(source)
    assert key(source) == before
    (source / file).parent.mkdir(parents=True, exist_ok=True)
    (source / file).write_text(f"{LOCK}\n# changed")
    assert key(source) != before


@pytest.mark.parametrize(
    "file", ["part/src/part/code.py", "part/tests/data.json", "results/unit/junit.xml", "notes.md"]
)
def test_source_that_is_used_in_place_is_not_an_input(source: Path, file: str) -> None:
    """What the tests read where it is makes no other environment: the inner loop stays quick."""
    before = key(source)
    (source / file).parent.mkdir(parents=True, exist_ok=True)
    (source / file).write_text("changed")
    assert key(source) == before


def test_every_file_of_a_copy_is_an_input(source: Path) -> None:
    """A package that is installed as a copy counts with all its files, but for what a build or a run leaves there."""
    (source / "uv.lock").write_text(LOCK.replace("editable", "directory"))
    (source / "part" / "src").mkdir()
    code = source / "part" / "src" / "code.py"
    code.write_text("VALUE = 1")
    before = key(source)
    (source / "part" / "environment" / "lib").mkdir(parents=True)
    (source / "part" / "environment" / "pyvenv.cfg").write_text("")
    for left in (
        "__pycache__/code.pyc", "build/lib/code.py", "part.egg-info/PKG-INFO", ".venv/x.py", "results/unit/junit.xml",
        "environment/lib/x.py",
    ):  # fmt: skip
        (source / "part" / left).parent.mkdir(parents=True, exist_ok=True)
        (source / "part" / left).write_text("left")
    assert key(source) == before
    code.write_text("VALUE = 2")
    assert key(source) != before


@pytest.mark.parametrize("package", ["src/part/results", "src/part/venv", "src/part/build", "results", "build"])
def test_package_of_any_name_is_an_input(source: Path, package: str) -> None:
    """A package that is called like what a build or a run leaves counts as any other."""
    (source / "uv.lock").write_text(LOCK.replace("editable", "directory"))
    folder = source / "part" / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "code.py").write_text("VALUE = 1")
    before = key(source)
    (folder / "code.py").write_text("VALUE = 2")
    assert key(source) != before


def test_files_of_requirements_are_followed(source: Path) -> None:
    """Files of requirements and constraints count, with those that they name, and projects and archives in them."""
    (source / "deep").mkdir()
    (source / "a.txt").write_text("-r deep/b.txt\n")
    (source / "deep" / "b.txt").write_text("-c c.txt\n../lib\n./x-1-py3-none-any.whl  # a comment\n")
    (source / "lib").mkdir()
    files = ("a.txt", "deep/b.txt", "deep/c.txt", "lib/code.py", "deep/x-1-py3-none-any.whl")
    for name in files[2:]:
        (source / name).write_text("")
    for name in files:
        before = key(source, "-r", "a.txt", "pytest")
        assert key(source, "-r", "a.txt", "pytest") == before
        (source / name).write_text((source / name).read_text() + "\n# changed")
        assert key(source, "-r", "a.txt", "pytest") != before, name


def test_sources_that_a_project_names_are_followed(source: Path) -> None:
    """Path dependencies count, whichever tool's table names them, and those that they have in turn."""
    (source / "pyproject.toml").write_text('[tool.uv.sources]\none = { path = "../one" }\n')
    for name, table in (("one", '[tool.poetry.dependencies]\ntwo = { path = "../two" }\n'), ("two", "")):
        (source.parent / name).mkdir()
        (source.parent / name / "pyproject.toml").write_text(table)
    before = key(source, ".")
    (source.parent / "two" / "code.py").write_text("x = 1")
    assert key(source, ".") != before


def test_cache_keys_are_heeded(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and variables that a package names in uv's `cache-keys` count."""
    (source / "part" / "pyproject.toml").write_text(
        '[tool.uv]\ncache-keys = [{ file = "src/**/*.py" }, { env = "FLAVOUR" }]\n'
    )
    (source / "part" / "src" / "part").mkdir(parents=True)
    before = key(source)
    (source / "part" / "src" / "part" / "code.py").write_text("x = 1")
    changed = key(source)
    monkeypatch.setenv("FLAVOUR", "sweet")
    assert len({before, changed, key(source)}) == 3


def test_settings_of_uv_are_part_of_the_key(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that changes what uv installs makes another environment; one that says how it works does not."""
    before = key(source)
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert key(source) == before
    monkeypatch.setenv("UV_CONSTRAINT", "pins.txt")
    assert key(source) != before


def test_other_groups_are_another_environment(source: Path) -> None:
    """What is selected is part of the key."""
    one, another = (Config(runner=RunnerConfig(groups=(group,))) for group in "ab")
    assert of_tests(source, one).read().digest != of_tests(source, another).read().digest


def test_interpreter_is_this_one_where_it_fits(source: Path) -> None:
    """The tests run with the interpreter that runs this, unless the project takes another or names one."""
    assert of_tests(source, Config()).python == sys.executable
    (source / ".python-version").write_text("3.11")
    assert of_tests(source, Config()).python == ""
    (source / ".python-version").unlink()
    (source / "uv.lock").write_text(LOCK.replace(">=3.9", ">=3.99"))
    assert of_tests(source, Config()).python == ""


def test_retries_bring_what_tries_again(source: Path) -> None:
    """What tries tests again is installed only where a tier wants that."""
    wanted = Config.model_validate({"tiers": {"e2e": {"retries": 2}}})
    assert of_tests(source, wanted).tools == (*RUNNER_TOOLS, RETRYING)


def test_built_once(source: Path, calls: Path) -> None:
    """Runs that ask at the same time, and later, get one environment; missing tools leave the rest as it is."""
    environment = of_tests(source, Config())

    async def twice() -> list[Path]:
        return await asyncio.gather(ready(environment), ready(environment))

    first, second = asyncio.run(twice())
    assert first == second == asyncio.run(ready(environment))
    assert (first / WHOLE).exists()
    assert calls.read_text().splitlines() == [
        "lock --check --offline --verbose",
        "sync --quiet --frozen --reinstall-package=part",
        f"pip install --quiet --constraint {first}/constraints.txt pytest-cov==7.1.0 pytest-timeout==2.4.0",
    ]
    assert (first / "constraints.txt").read_text() == "pytest==7.4.4\n"
    assert first.name.startswith("my-orders-")


def test_file_that_changes_meanwhile_is_built_again(
    source: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was built while a file changed is not taken for either state of it."""
    install_uv(
        tmp_path, monkeypatch, also=f"test -e {tmp_path}/once || echo '#' >> '{source}/uv.lock'; touch {tmp_path}/once"
    )
    environment = of_tests(source, Config())
    before = environment.read().digest
    folder = asyncio.run(ready(environment))
    assert folder.name.endswith(environment.read().digest) and environment.read().digest != before  # noqa: PT018
    whole = [path.parent for path in (tmp_path / "cache").rglob(WHOLE)]
    assert whole == [folder]
    assert calls.read_text().count("sync") == 2


def test_file_that_never_rests(source: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each build changes what it is made of, a run has the last one to itself, and the next run builds anew."""
    install_uv(tmp_path, monkeypatch, also=f"case $1 in sync) echo '#' >> '{source}/uv.lock';; esac")
    environment = of_tests(source, Config())
    folder = asyncio.run(ready(environment))
    assert (folder / "bin" / "python").exists()
    assert not list((tmp_path / "cache").rglob(WHOLE))
    assert calls.read_text().count("sync") == environments.CHANGES
    asyncio.run(ready(environment))
    assert calls.read_text().count("sync") == 2 * environments.CHANGES


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("no such package", UserError),
        ("No solution found: pytest-timeout was not found", UserError),
        ("HTTP status client error (403 Forbidden)", UserError),
        ("error sending request for url (https://pypi.org/simple/x/)", RunError),
        ("HTTP status server error (503 Service Unavailable)", RunError),
        ("fatal: unable to access: Failed to connect to 127.0.0.1", RunError),
        ("No interpreter found for Python 3.99", UserError),
        ("No space left on device (os error 28)", UserError),
    ],
)
def test_failure_leaves_nothing(  # noqa: PLR0913, PLR0917 - fixtures and two parameters
    source: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[Exception]
) -> None:
    """An environment that can't be built is removed; uv's words say whose affair it was, and are in the error."""
    install_uv(tmp_path, monkeypatch, fails=said)
    with pytest.raises(kind, match=r"`uv sync [^`]*` failed with exit code 2:\n") as caught:
        asyncio.run(ready(of_tests(source, Config())))
    assert said in str(caught.value)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_dir() and path.name.startswith("my")] == []
    assert calls.exists()


def test_half_an_environment_is_built_again(source: Path, calls: Path, tmp_path: Path) -> None:
    """What a killed run has left, and what has lost its interpreter, is removed before it is built."""
    environment = of_tests(source, Config())
    half = tmp_path / "cache" / "floe-ci" / "environments" / f"my-orders-{environment.read().digest}"
    (half / "share").mkdir(parents=True)
    assert asyncio.run(ready(environment)) == half
    assert not (half / "share").exists()
    (half / "bin" / "python").unlink()
    (half / "bin" / "python").symlink_to("gone")
    asyncio.run(ready(environment))
    assert calls.read_text().count("sync") == 2


def test_environment_without_an_interpreter_is_an_error(
    source: Path, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A uv that makes nothing is told, and not asked for ever."""
    install_uv(tmp_path, monkeypatch, also='rm -f "$UV_PROJECT_ENVIRONMENT/bin/python"')
    with pytest.raises(RunError, match="without an interpreter"):
        asyncio.run(ready(of_tests(source, Config())))
    assert calls.read_text().count("sync") == 1


def test_wait_for_another_run_ends(source: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that waits for an environment that another one never finishes gives up, and says so."""
    monkeypatch.setattr(environments, "TIMEOUT", 0.2)
    environment = of_tests(source, Config())
    root = environments.cache("environments")
    with (root / f"my-orders-{environment.read().digest}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RunError, match=r"was not ready after 0\.2 s"):
            asyncio.run(ready(environment))
    assert not calls.exists()


def test_environments_that_nobody_uses_are_removed(tmp_path: Path) -> None:
    """The oldest beyond the number, and those beyond the age, are removed; one that a run uses stays."""
    for age, name in enumerate(("new", "used", "old", "older")):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / f"{name}.lock").touch()
        os.utime(tmp_path / f"{name}.lock", (time.time() - 100 * age, time.time() - 100 * age))
    with (tmp_path / "used.lock").open() as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        remove_unused(tmp_path, most=3)
        assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"new", "used", "old"}
        remove_unused(tmp_path, longest=50)
        assert {path.name for path in tmp_path.iterdir()} == {"new", "new.lock", "used", "used.lock"}


def test_half_removed_environment_goes_with_the_next_run(source: Path, calls: Path) -> None:
    """What a run that was killed has left half removed goes away with the next one, also where that builds nothing."""
    environment = of_tests(source, Config())
    folder = asyncio.run(ready(environment))
    (folder.parent / "half" / "lib").mkdir(parents=True)
    half = folder.parent / "half.lock"
    half.touch()
    os.utime(half, (0, 0))
    asyncio.run(ready(environment))
    assert calls.read_text().count("sync") == 1
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f"{folder.name}.lock"}


def test_service_has_its_lock_file_only(tmp_path: Path) -> None:
    """A service's environment holds what its lock file says, compiled, since several processes import it at once."""
    made = of_service(tmp_path / "dagster" / "image")
    assert made.name == "dagster"
    assert made.commands == (("sync", "--quiet", "--frozen", "--no-default-groups", "--compile-bytecode"),)
