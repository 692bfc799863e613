"""The environment of tests on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from floe_ci.config import expand_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_ci.plan import Plan

NOT_INHERITED: Final = ("FLOE_", "PYTEST_", "COV_", "COVERAGE_", "PYTHON", "VIRTUAL_ENV", "UV_", "MAKE")


def environment(plan: Plan, packages: Path, folder: Path, results: Path, services: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the tests.

    Args:
        plan: What is to run.
        packages: The virtual environment.
        folder: Of this run alone, for temporary files.
        results: Where the tests may leave files.
        services: The variables of the services, and of those that are not there.
    """
    run_variables = {**services, **plan.variables(str(results))}
    temporary = folder / "tmp"
    temporary.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {
        **inherited,
        **expand_environment(plan.tier.environment, run_variables),
        **run_variables,
        "PATH": f"{packages / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(packages),
        "TMPDIR": str(temporary),
        "KUBECONFIG": os.devnull,
        "COVERAGE_FILE": str(temporary / ".coverage"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPYCACHEPREFIX": str(packages / "pycache"),
    }
