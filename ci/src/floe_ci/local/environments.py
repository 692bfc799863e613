"""Virtual environments that uv builds once, and that runs share: the tests' own, and those of services.

They are kept in the user's cache, under a name made of everything that decides what is in them.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError, UserError
from floe_ci.local.files import cache
from floe_ci.local.processes import run
from floe_ci.requirements import NO_LOCK_FILE, locked_selection, runner_tools

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.config import Config

WHOLE: Final = ".floe-ci-whole"
"""The file that says that an environment was built to its end."""
TIMEOUT: Final = 900.0
"""Seconds that an environment may take, with downloads and another run's work on it."""
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LOCAL_PACKAGE: Final = re.compile(r'^source = \{ (?:editable|virtual|directory) = "([^"]+)"', re.MULTILINE)

Command = tuple[str, ...]


@dataclass(frozen=True)
class Environment:
    """What makes an environment."""

    name: str
    """For the reader of the cache."""
    folder: Path
    """Where the project is."""
    commands: tuple[Command, ...]
    """uv's, in order."""
    tools: tuple[str, ...] = ()
    """Pinned packages, each of which is installed where the commands have not brought it."""
    inputs: tuple[Path, ...] = ()
    """The files that decide what is installed; that one is missing counts too."""
    python: str = ""
    """The interpreter; empty: uv finds the one that the project asks for."""

    @property
    def key(self) -> str:
        """A digest of all of that."""
        contents = [path.read_bytes() if path.is_file() else None for path in self.inputs]
        parts = [str(self.folder), self.commands, self.tools, self.python, sys.version, contents]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def of_tests(source: Path, config: Config) -> Environment:
    """Return the environment of a repository's tests: the runner image's, with the source used in place.

    Raises:
        UserError: The repository has no lock file and says nothing of what else to install.
    """
    runner, lock = config.runner, source / "uv.lock"
    commands: tuple[Command, ...]
    if runner.install:
        install = ("pip", "install", "--quiet", *(part for each in runner.install for part in _in_place(each)))
        projects, commands = [source], (("venv", "--quiet", "--allow-existing"), install)
    elif lock.is_file():
        projects = sorted(
            {source, *(source / path for path in _LOCAL_PACKAGE.findall(lock.read_text(encoding="utf-8")))}
        )
        commands = (("sync", "--quiet", "--frozen", *locked_selection(runner)),)
    else:
        raise UserError(NO_LOCK_FILE)
    files = (lock, *(project / name for project in projects for name in ("pyproject.toml", "setup.py", "setup.cfg")))
    return Environment(source.name, source, commands, runner_tools(config), files, sys.executable)


def of_service(folder: Path) -> Environment:
    """Return the environment of a service that is a locked Python project, the one in `folder`."""
    sync = ("sync", "--quiet", "--frozen", "--no-default-groups", "--compile-bytecode")
    return Environment(folder.parent.name, folder, (sync,), inputs=(folder / "uv.lock", folder / "pyproject.toml"))


async def ready(environment: Environment) -> Path:
    """Return the folder of an environment, built first if need be.

    Raises:
        RunError: uv failed, or it took too long; the message has what uv said.
    """
    root = cache() / "environments"
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{_NOT_IN_NAMES.sub('-', environment.name)}-{environment.key}"
    if not (folder / WHOLE).exists():
        with (root / f"{folder.name}.lock").open("a") as lock:
            try:
                async with asyncio.timeout(TIMEOUT):
                    await _locked(lock.fileno())
                    await _build(environment, folder)
            except TimeoutError:
                msg = f"the environment {folder} was not ready after {TIMEOUT:g} s: a download or another run is slow"
                raise RunError(msg) from None
    return folder


async def _build(environment: Environment, folder: Path) -> None:
    if (folder / WHOLE).exists():
        return  # another run has built it meanwhile
    # What a run that died has left can't be trusted.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for command in environment.commands:
            await _uv(command, environment, folder)
        for tool in environment.tools:
            if not _installed(tool.partition("==")[0], folder):
                await _uv(("pip", "install", "--quiet", tool), environment, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / WHOLE).touch()


async def _uv(command: Command, environment: Environment, folder: Path) -> None:
    from uv import find_uv_bin  # noqa: PLC0415 - an extra

    temporary = cache() / "tmp"  # uv leaves its locks there
    temporary.mkdir(exist_ok=True)
    settings = {"UV_PROJECT_ENVIRONMENT": str(folder), "VIRTUAL_ENV": str(folder), "TMPDIR": str(temporary)}
    if environment.python:
        settings["UV_PYTHON"] = str(folder) if command[0] == "pip" else environment.python
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    where = (str(folder),) if command[0] == "venv" else ()
    await run((find_uv_bin(), *command, *where), inherited | settings, environment.folder)


def _in_place(requirement: str) -> Command:
    """Return the arguments for a requirement; a folder of the repository is used where it is."""
    return ("--editable", requirement) if requirement.startswith(".") else (requirement,)


def _installed(package: str, folder: Path) -> bool:
    return any(folder.glob(f"lib/python*/site-packages/{package.replace('-', '_')}-*.dist-info"))


async def _locked(descriptor: int) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.1)
        else:
            return
