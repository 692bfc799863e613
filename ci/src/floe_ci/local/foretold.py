"""What a run would be refused for when it installs the packages of the tests, told without installing any."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from floe_ci.local.environments import Environment, uv, variables_of_uv
from floe_ci.requirements import CHECK_LOCK, lock_refusal

if TYPE_CHECKING:
    from floe_ci.local.environments import Command

TIMEOUT: Final = 60
"""Seconds that uv gets for one look."""
_DOES_NOT_FIT: Final = "is incompatible with the project's Python requirement"
_NOT_KNOWN: Final = "No interpreter found for "


def python_problem(environment: Environment, wanted: str) -> str:
    """Return why no interpreter can be had that the repository takes; empty: there is one, or uv gets it.

    Args:
        environment: That of the tests.
        wanted: What the repository asks for, as uv takes it: a version or a range.
    """
    if environment.python:
        return ""
    found = _asked(("python", "find", "--system"), environment)
    if found.returncode == 0:
        lines = (line.removeprefix("warning: ") for line in found.stderr.splitlines())
        return next((line for line in lines if _DOES_NOT_FIT in line), "")
    if wanted and "download available" in _asked(("python", "list", "--only-downloads", wanted), environment).stdout:
        return ""
    said = next((line for line in found.stderr.splitlines() if _NOT_KNOWN in line), "")
    return said.removeprefix("error: ") or f"no Python {wanted} is found or can be had"


def lock_problem(environment: Environment) -> str:
    """Return why a lock file has to be made anew; empty: it is of the projects that are there, or there is none."""
    if not environment.checked:
        return ""
    checked = _asked(CHECK_LOCK, environment)
    return (lock_refusal(checked.stderr, str(environment.lock)) or "") if checked.returncode else ""


def _asked(command: Command, environment: Environment) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory() as folder:
        return subprocess.run(  # noqa: S603 - no shell
            (uv(), *command),
            cwd=environment.folder,
            env=variables_of_uv(command, environment, Path(folder, "none")),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
