"""Is a Dagger engine here, or a container runtime that one could be started on? Nothing is started to find out."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

ENGINE_VARIABLE: Final = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
"""Dagger's own variable for an engine that runs already."""
REMEDY: Final = f"start that engine, or unset {ENGINE_VARIABLE} to have one started here"
"""What to do about one that does not answer."""
RUNTIMES: Final = ("docker", "podman", "nerdctl", "finch")
"""The container runtimes that Dagger starts its engine on, in its order."""
TIMEOUT: Final = 5.0
"""Seconds that a probe waits for an answer."""


@dataclass(frozen=True)
class Probe:
    """What was found."""

    usable: bool
    what: str
    """What was looked at: the engine's address, or the runtimes."""
    detail: str
    """What it answered, in a few words."""


def engine(environ: Mapping[str, str] | None = None) -> Probe | None:
    """Probe the engine that the environment names; None where it names none."""
    address = (os.environ if environ is None else environ).get(ENGINE_VARIABLE)
    if not address:
        return None
    return Probe(*_connect(address)) if urlsplit(address).scheme in {"unix", "tcp"} else _by_runtime(address)


def runtime(environ: Mapping[str, str] | None = None) -> Probe:
    """Probe the container runtimes, up to the first that answers."""
    path = (os.environ if environ is None else environ).get("PATH")
    silent = []
    for name in RUNTIMES:
        if command := shutil.which(name, path=path):
            answered, said = _answers(command)
            if answered:
                return Probe(usable=True, what=name, detail="answers")
            silent.append(f"{name}: {said}")
    what = "container runtime"
    return Probe(usable=False, what=what, detail="; ".join(silent) or f"none of {', '.join(RUNTIMES)} is on PATH")


def _connect(address: str) -> tuple[bool, str, str]:
    url = urlsplit(address)
    try:
        if url.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT)
                connection.connect(url.path)
        else:
            socket.create_connection((url.hostname or "", url.port or 0), timeout=TIMEOUT).close()
    except (OSError, ValueError) as error:
        return False, address, str(error)
    return True, address, "answers"


def _by_runtime(address: str) -> Probe:
    """Probe an engine that is reached by a runtime, such as `docker-container://name`."""
    found = runtime()
    return Probe(found.usable, address, f"through {found.what}, which {found.detail}" if found.usable else found.detail)


def _answers(command: str) -> tuple[bool, str]:
    try:
        done = subprocess.run(  # noqa: S603 - one of the names above
            [command, "info"], capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    said = (done.stderr or done.stdout).strip().splitlines()
    return done.returncode == 0, said[-1] if said else f"exit code {done.returncode}"
