"""Virtual environments that uv builds once, and that runs share: the tests' own, and those of services.

They are kept in the user's cache, under a name made of everything that decides what is in them. One that is there is
never changed: runs at the same time can't disturb each other, and what has changed is another environment. A run holds
a lock on the one that it uses, which the kernel frees; those that nobody has used for long are removed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import re
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from floe_ci.declared import conda_problem, lines_to_add, workspace_root
from floe_ci.errors import CommandError, RunError, UserError
from floe_ci.files import content_of, text_of
from floe_ci.local.files import cache
from floe_ci.local.inputs import Inputs, name_of
from floe_ci.local.processes import run
from floe_ci.requirements import (
    CHECK_LOCK,
    Tool,
    install_arguments,
    lock_refusal,
    locked_selection,
    no_lock_file,
    runner_tools,
    tools_refusal,
    uv_failure,
)
from floe_ci.toml_files import document_of, table_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floe_ci.config import Config

WHOLE: Final = ".floe-ci-whole"
"""The file that says that an environment was built to its end."""
TIMEOUT: Final = 900.0
"""Seconds that an environment may take, with downloads and another run's work on it."""
CHANGES: Final = 3
"""How often it is built where files change meanwhile; a build that writes into its own source comes to rest by then."""
MOST: Final = 20
"""How many environments are kept; the others are those that were not used for the longest time."""
LONGEST: Final = 30 * 86_400.0
"""Seconds that an environment is kept for without being used."""
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")

Command = tuple[str, ...]
_HELD: Final[dict[Path, int]] = {}
"""The locks of the environments that this process uses; the kernel frees them with it."""


@dataclass(frozen=True)
class Environment:
    """What makes an environment."""

    name: str
    """For the reader of the cache."""
    folder: Path
    """Where the project is."""
    commands: tuple[Command, ...]
    """uv's, in order."""
    tools: tuple[Tool, ...] = ()
    """Packages that are added where the commands have not brought them, without changing any that they have."""
    lock: Path | None = None
    """The lock file that the packages are from."""
    checked: bool = False
    """Whether the lock file is compared with the projects that it was made from."""
    requirements: tuple[str, ...] = ()
    """The arguments of `uv pip install` that the packages are from."""
    python: str = ""
    """The interpreter; empty: uv finds the one that the project asks for."""

    @property
    def is_of_tests(self) -> bool:
        """Whether it is a repository's own, whose folder may be part of something larger."""
        return self.checked or bool(self.requirements)

    def read(self) -> Inputs:
        """Look at everything that decides what is in it."""
        inputs = Inputs()
        inputs.add(str(self.folder), self.commands, self.tools, self.python, sys.version)
        inputs.settings((self.folder, *self.folder.parents) if self.is_of_tests else (self.folder,))
        if self.lock:
            inputs.lock(self.lock)
        inputs.arguments(list(self.requirements), self.folder)
        return inputs


def of_tests(source: Path, config: Config) -> Environment:
    """Return the environment of a repository's tests: the runner image's, with the source used in place.

    Raises:
        UserError: The repository has no lock file and says nothing of what else to install.
    """
    runner, tools = config.runner, runner_tools(config)
    if runner.install:
        requirements = tuple(_in_place(install_arguments(runner)))
        commands = (("venv", "--quiet", "--allow-existing"), ("pip", "install", "--quiet", *requirements))
        python = _interpreter(source, _wanted_python(source / "pyproject.toml"))
        return Environment(source.name, source, commands, tools, requirements=requirements, python=python)
    root = workspace_root(source)
    lock = root / "uv.lock"
    if not lock.is_file():
        told = no_lock_file(lines_to_add(source), conda_problem(source))
        raise UserError(told if root == source else f"{root}: this is the workspace's root. {told}")
    python = _interpreter(source, _locked_python(lock))
    sync = ("sync", "--quiet", "--frozen", *locked_selection(runner))
    return Environment(source.name, source, (sync,), tools, lock, checked=True, python=python)


def of_service(folder: Path) -> Environment:
    """Return the environment of a service that is a locked Python project, the one in `folder`."""
    sync = ("sync", "--quiet", "--frozen", "--no-default-groups", "--compile-bytecode")
    return Environment(folder.parent.name, folder, (sync,), lock=folder / "uv.lock")


async def ready(environment: Environment) -> Path:
    """Return the folder of an environment, built first if need be; it stays until this process ends.

    Raises:
        UserError: The repository asks for what can't be: uv's own words are in the message.
        RunError: A download failed, or it took too long.
    """
    root, folder = cache("environments"), Path()
    try:
        async with asyncio.timeout(TIMEOUT):
            for left in reversed(range(CHANGES)):
                inputs = await asyncio.to_thread(environment.read)
                folder = root / f"{_NOT_IN_NAMES.sub('-', environment.name)}-{inputs.digest}"
                if not await _hold(environment, inputs, folder):
                    break
                # A file that changed while uv worked may be in it or not: only what stayed is what its name says.
                if (await asyncio.to_thread(environment.read)).digest == inputs.digest:
                    break
                (folder / WHOLE).unlink()
                if left:  # else this run has it as it is, and no other
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(_HELD.pop(folder))
    except TimeoutError:
        msg = f"the environment {folder} was not ready after {TIMEOUT:g} s: a download or another run is slow"
        raise RunError(msg) from None
    # Also where nothing was built: a run that was killed may have left one half removed.
    await asyncio.to_thread(remove_unused, root)
    return folder


def remove_unused(root: Path, *, most: int = MOST, longest: float = LONGEST) -> None:
    """Remove the environments in `root` that nobody uses, and that are too many or were not used for too long."""
    locks = sorted(root.glob("*.lock"), key=_last_use, reverse=True)
    for place, path in enumerate(locks):
        if place >= most or time.time() - _last_use(path) > longest:
            with suppress(OSError), path.open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(lock.fileno(), path):
                    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                    path.unlink()


async def _hold(environment: Environment, inputs: Inputs, folder: Path) -> bool:
    """Lock an environment for as long as this process lives, and build it first if need be; tell whether it was."""
    path, built = folder.with_name(f"{folder.name}.lock"), False
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _locked(lock, fcntl.LOCK_SH)
            if _is_at(lock, path) and _is_whole(folder):
                os.utime(lock)
                _HELD.setdefault(folder, lock)
                return built
            if folder in _HELD:  # it was whole when this process took it
                os.close(_HELD.pop(folder))
            await _locked(lock, fcntl.LOCK_EX)
            if _is_at(lock, path) and not _is_whole(folder):
                await _build(environment, inputs, folder)
                built = True
        finally:
            if _HELD.get(folder) != lock:
                os.close(lock)


async def _build(environment: Environment, inputs: Inputs, folder: Path) -> None:
    # What a run that died has left can't be trusted.
    shutil.rmtree(folder, ignore_errors=True)
    try:
        if environment.checked:
            await _refuse_lock(environment, folder)
        for command in environment.commands:
            try:
                await _uv((*command, *(() if command[0] == "venv" else _rebuilt(inputs))), environment, folder)
            except CommandError as error:
                raise uv_failure(error) from None
        if environment.tools:
            await _add_tools(environment, folder)
        _require_interpreter(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / WHOLE).touch()


def _require_interpreter(folder: Path) -> None:
    if not (folder / "bin" / "python").exists():
        msg = f"uv made the environment {folder} without an interpreter"
        raise RunError(msg)


def _rebuilt(inputs: Inputs) -> Command:
    """Return uv's options to build each project of this machine anew, whatever it built before; also offline."""
    names = {name_of(project) for project in inputs.projects}
    if None in names:
        return ("--reinstall",)
    return tuple(f"--reinstall-package={name}" for name in sorted(filter(None, names)))


async def _refuse_lock(environment: Environment, folder: Path) -> None:
    """Refuse a lock file that can't be read, or is not of the projects that are there, which uv would install from."""
    try:
        await _uv(CHECK_LOCK, environment, folder)
    except CommandError as error:
        if reason := lock_refusal(error.said, str(environment.lock)):
            raise UserError(reason) from None


async def _add_tools(environment: Environment, folder: Path) -> None:
    """Add the tools that are missing, in versions that fit what is there; nothing that is there is changed."""
    installed = dict(_installed(folder))
    missing = tuple(tool for tool in environment.tools if tool.name not in installed)
    if not missing:
        return
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()), encoding="utf-8")
    install = ("pip", "install", "--quiet", "--constraint", str(constraints))
    try:
        await _uv((*install, *(tool.pinned for tool in missing)), environment, folder)
    except CommandError as error:
        if isinstance(uv_failure(error), RunError):
            raise
        try:
            await _uv((*install, *(tool.fitting for tool in missing)), environment, folder)
        except CommandError as second:
            raise tools_refusal(missing, second) from None


async def _uv(command: Command, environment: Environment, folder: Path) -> None:
    where = (str(folder),) if command[0] == "venv" else ()
    await run((uv(), *command, *where), variables_of_uv(command, environment, folder), environment.folder)


def uv() -> str:
    """Return where uv is."""
    from uv import find_uv_bin  # noqa: PLC0415 - an extra

    return find_uv_bin()


def variables_of_uv(command: Command, environment: Environment, folder: Path) -> dict[str, str]:
    """Return the variables that uv is called with, to work on an environment in a folder."""
    settings = {
        "UV_PROJECT_ENVIRONMENT": str(folder),
        "VIRTUAL_ENV": str(folder),
        "TMPDIR": str(cache("tmp")),  # uv leaves its locks there
        "UV_NO_WRAP": "1",  # what it says is read line by line
    }
    if command[0] == "pip":
        settings["UV_PYTHON"] = str(folder)
    elif environment.python:
        settings["UV_PYTHON"] = environment.python
    inherited = {
        name: value
        for name, value in os.environ.items()
        # Each of these would make uv do another thing than the command says.
        if not name.startswith("PYTHON") and name not in {"UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC", "UV_WORKING_DIR"}
    }
    if not environment.python:
        inherited["PATH"] = os.pathsep.join((*_pyenv(), inherited.get("PATH", os.defpath)))
    return inherited | settings


def _in_place(arguments: list[str]) -> Iterator[str]:
    """Return arguments with each folder of the repository used where it is."""
    previous = ""
    for argument in arguments:
        if argument.startswith(".") and not previous.startswith("-"):
            yield "--editable"
        yield argument
        previous = argument


def _interpreter(source: Path, requires: str | None) -> str:
    """Return this process's own interpreter if the project takes it and names no other; empty: uv finds one."""
    folders = (source, *source.parents)
    if "UV_PYTHON" in os.environ or any((each / ".python-version").is_file() for each in folders):
        return ""
    with suppress(InvalidSpecifier):
        if SpecifierSet(requires or "").contains(platform.python_version(), prereleases=True):
            return sys.executable
    return ""


def wanted_python(source: Path, environment: Environment) -> str:
    """Return the Python that a repository asks for: what `.python-version` names, or else its range; empty: any."""
    for folder in (source, *source.parents):
        if (file := folder / ".python-version").is_file():
            return next(iter(text_of(file).split()), "")
    locked = _locked_python(environment.lock) if environment.lock else _wanted_python(source / "pyproject.toml")
    return locked or ""


def _locked_python(lock: Path) -> str | None:
    """Return what a lock file says of Python: what all projects of its workspace take."""
    found = re.search(rb'^requires-python = "([^"]*)"', content_of(lock) or b"", re.MULTILINE)
    return found[1].decode(errors="replace") if found else None


def _wanted_python(pyproject: Path) -> str | None:
    found = table_in(document_of(pyproject), "project").get("requires-python")
    return found if isinstance(found, str) else None


def _pyenv() -> list[str]:
    """Return the folders of pyenv's interpreters: its own commands refuse each but the one that is switched on."""
    root = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")  # noqa: PTH111, PTH118 - without a home it stays as it is
    return [str(path) for path in sorted(Path(root).glob("versions/*/bin"), reverse=True)]


def _installed(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        yield re.sub(r"[-_.]+", "-", name).lower(), version


def _is_whole(folder: Path) -> bool:
    # The interpreter is another folder's, and may be gone.
    return (folder / WHOLE).exists() and (folder / "bin" / "python").exists()


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether a file that was opened is still the one at a path: another run may have removed it."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _last_use(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


async def _locked(descriptor: int, kind: int) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.1)
        else:
            return
