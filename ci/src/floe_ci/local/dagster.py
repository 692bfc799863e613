"""Dagster on this machine: the processes that the manifests describe, with the packages of their image."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Final

from floe_ci import bundled
from floe_ci.images import Reference
from floe_ci.local import environments
from floe_ci.local.local_service import LocalService
from floe_ci.local.probes import HOST, answers, listens, succeeds
from floe_ci.local.processes import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from floe_ci.local.environments import Environment
    from floe_ci.local.site import Site

NAME: Final = "dagster"


def environment() -> Environment:
    """Return what makes the virtual environment: the lock file of the image."""
    return environments.of_service(_image())


def processes(site: Site, packages: Path) -> list[Process]:
    """Return the code location, the daemon and the webserver, as the manifests start them.

    Args:
        site: Where the services are.
        packages: The virtual environment.
    """
    home = site.folder / NAME
    shutil.copytree(_image(), home, ignore=shutil.ignore_patterns("uv.lock", "pyproject.toml", "__pycache__"))
    return [
        _process(site, container, home, packages)
        for document in site.manifests.documents
        if document["kind"] == "Deployment"
        for container in document["spec"]["template"]["spec"]["containers"]
        if Reference.parse(container["image"]).is_built
    ]


def _image() -> Path:
    return bundled.manifests() / "base" / NAME / "image"


def _process(site: Site, container: Mapping[str, Any], home: Path, packages: Path) -> Process:
    name = container["name"]
    own = home.with_name(name)
    own.mkdir()
    variables = site.environment(container) | {
        "PATH": f"{packages / 'bin'}:{os.defpath}",
        "HOME": str(own),
        "TMPDIR": str(own),
        "DAGSTER_HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
    }
    ports = {str(each["containerPort"]): str(site.ports[name]) for each in container.get("ports", ())}
    here = {"python": str(packages / "bin" / "python"), "0.0.0.0": HOST} | ports  # noqa: S104 - it is replaced

    def localized(command: Sequence[str]) -> tuple[str, ...]:
        return tuple(here.get(part, part) for part in command)

    probe = container["readinessProbe"]
    if "httpGet" in probe:
        ready = answers(site.ports[name], probe["httpGet"]["path"])
    elif "exec" in probe:
        ready = succeeds(localized(probe["exec"]["command"]), variables, home)
    else:
        ready = listens(site.ports[name])  # it speaks gRPC
    return Process(name, localized(container["args"]), variables, home, ready)


async def _installed(site: Site) -> list[Process]:
    return processes(site, await environments.ready(environment()))


SERVICE = LocalService(
    name=NAME,
    origin=lambda: "Dagster's webserver, daemon and code location, from the cluster's lock file",
    lacking=lambda: None,  # its packages come when it is needed
    processes=_installed,
)
