"""A service that is a command: all that is known of how it runs is what its `service.toml` says."""

from __future__ import annotations

import os
import shutil
import sys
from string import Template
from typing import TYPE_CHECKING, Final

from floe_ci.local import environments
from floe_ci.local.local_service import LocalService
from floe_ci.local.probes import answers, listens, succeeds
from floe_ci.local.processes import Process

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.catalog import Local, Service
    from floe_ci.local.site import Site

IMAGE: Final = "image"
"""The folder of a service's own files: what its image is built from."""
LOCK: Final = "uv.lock"
PYTHON: Final = ("python", "python3")


def local_service(service: Service, table: Local) -> LocalService:
    """Return how a service runs whose table `local` has a command."""

    async def prepare(site: Site) -> list[Process]:
        return [await process(service, table, site)]

    return LocalService(service.name, lambda: table.origin, lambda: lacking(service, table), prepare)


def lacking(service: Service, table: Local) -> str | None:
    """Return that the program of a command is not here; None where it is, or comes with the service's packages."""
    program = table.command[0]
    if is_locked(service) or program in PYTHON or shutil.which(program, path=_path()):
        return None
    return f"'{program}', which {service.shown}/service.toml starts, is not on PATH"


async def process(service: Service, table: Local, site: Site) -> Process:
    """Return the process of a service, which works in a copy of its own files.

    Raises:
        UserError: Its packages can't be installed.
        RunError: They could not be downloaded.
    """
    home = site.folder / service.name
    image = service.folder / IMAGE
    if image.is_dir():
        shutil.copytree(image, home, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    else:
        home.mkdir()
    temporary = home.with_name(f"{service.name}-tmp")
    temporary.mkdir()
    packages = await environments.ready(environments.of_service(image)) if is_locked(service) else None
    known = site.variables_of(service)
    environment = {
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **known,
        **{name: Template(value).substitute(known) for name, value in table.environment.items()},
        "PATH": os.pathsep.join([*([str(packages / "bin")] if packages else []), _path()]),
    }

    def command(texts: tuple[str, ...]) -> tuple[str, ...]:
        program, *rest = (Template(text).substitute(known) for text in texts)
        return (_program(program, packages), *rest)

    port = site.ports[table.port or service.ports[0]]
    ready = listens(port)
    if table.ready and table.ready.http:
        ready = answers(port, table.ready.http)
    elif table.ready:
        ready = succeeds(command(table.ready.command), environment, home)
    return Process(service.name, command(table.command), environment, home, ready)


def is_locked(service: Service) -> bool:
    """Tell whether a service is a Python project with packages of its own."""
    return (service.folder / IMAGE / LOCK).is_file()


def _program(name: str, packages: Path | None) -> str:
    """Return where a program is: among the service's packages, or else on this machine."""
    if packages is None and name in PYTHON:
        return sys.executable
    places = [str(packages / "bin"), _path()] if packages else [_path()]
    return shutil.which(name, path=os.pathsep.join(places)) or name


def _path() -> str:
    return os.environ.get("PATH", os.defpath)
