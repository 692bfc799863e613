"""Whether a run would be refused for what a repository says, told before there is one."""

from __future__ import annotations

import os
from shutil import which
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Final

from floe_ci import conda, helm, unmet
from floe_ci.config import read_repository
from floe_ci.declared import conda_problem, lines_to_add, requirements_files, workspace_root
from floe_ci.errors import UserError
from floe_ci.places import Finding
from floe_ci.requirements import no_lock_file
from floe_ci.standing import can_be_kept
from floe_ci.toml_files import OWN_FILE, configuration_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from floe_ci.catalog import Catalog
    from floe_ci.config import Config

PACKAGES: Final = "packages of the tests"
TESTS: Final = "tests"
NO_PYTHON: Final = "change requires-python or .python-version, or install one that fits: uv python install VERSION"
SIGNS: Final = ("pyproject.toml", OWN_FILE, "setup.py", "setup.cfg", "uv.lock", "Pipfile", *conda.FILES)
"""Files that a repository with tests has."""


def findings(source: Path) -> list[Finding]:
    """Return what there is of a repository in a folder: what is wrong with it is `broken`; nothing: it is none."""
    if not (any(os.path.lexists(source / name) for name in SIGNS) or requirements_files(source)):
        return []
    try:
        config, catalog = read_repository(source)
    except UserError as error:
        return [Finding("configuration", "broken", str(error))]
    file = configuration_file(source)
    told = str(file) if file.is_file() else "none: the defaults"
    return [
        Finding("configuration", "here", told),
        *_packages(source, config),
        *_unmet(unmet.tests(source, config), TESTS),
        *_helm(config),
        *_absent(config, catalog),
    ]


def _packages(source: Path, config: Config) -> Iterator[Finding]:
    """Yield what the packages of the tests are from, and what a run would be refused for when it installs them."""
    lock = workspace_root(source.resolve()) / "uv.lock"
    if not (config.runner.install or lock.is_file()):
        yield Finding(PACKAGES, "broken", no_lock_file(lines_to_add(source), conda_problem(source)))
        return
    if lacking := unmet.packages(source.resolve(), config):
        yield from _unmet(lacking, PACKAGES)
        return
    problems = _problems(source.resolve(), config) if can_be_kept() else {}
    if problem := problems.pop(PACKAGES, ""):
        yield Finding(PACKAGES, "broken", problem)
    else:
        told = f"uv pip install {' '.join(config.runner.install)}" if config.runner.install else str(lock)
        yield Finding(PACKAGES, "here", told)
    for what, problem in problems.items():
        yield Finding(what, "broken", problem, NO_PYTHON)


def _unmet(problems: list[str], what: str) -> Iterator[Finding]:
    return (Finding(what, "broken", problem) for problem in problems)


def _problems(source: Path, config: Config) -> dict[str, str]:
    """Return what uv would say of the packages and of the interpreter, where it would refuse them."""
    from floe_ci.local import environments, foretold  # noqa: PLC0415 - an extra, and not for Windows

    environment = environments.of_tests(source, config)
    try:
        told = {
            PACKAGES: foretold.lock_problem(environment),
            "Python": foretold.python_problem(environment, environments.wanted_python(source, environment)),
        }
    except (OSError, TimeoutExpired):  # uv isn't there or has no time: a run will tell
        return {}
    return {what: problem for what, problem in told.items() if problem}


def _helm(config: Config) -> Iterator[Finding]:
    """Yield what renders the charts of tiers in a cluster that is there; in Dagger it is part of the toolbox."""
    tiers = [name for name, tier in config.tiers.items() if tier.charts]
    if tiers:
        told = f"--on cluster renders the charts of {', '.join(tiers)} with it"
        if path := which("helm"):
            yield Finding("helm", "here", f"{path}: {told}")
        else:
            yield Finding("helm", "missing", told, helm.INSTALL, needed=False)


def _absent(config: Config, catalog: Catalog) -> Iterator[Finding]:
    """Yield the services of each tier that this machine can't run: the tests that need them are skipped here."""
    if not can_be_kept():
        return
    from floe_ci.local.offer import why_absent  # noqa: PLC0415 - an extra, and not for Windows

    for name, tier in config.tiers.items():
        for service in tier.services:
            try:
                reason = why_absent(catalog, service)
            except UserError as error:
                reason = str(error)
            if reason:
                told = f"{reason}; on this machine the tests that need it are skipped"
                yield Finding(f"{service} of the tier {name}", "missing", told, needed=False)
