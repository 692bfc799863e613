"""Whether a run would be refused for what a repository says, told before there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci.config import read_repository
from floe_ci.declared import lines_to_add, requirements_files, workspace_root
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

SIGNS: Final = ("pyproject.toml", OWN_FILE, "setup.py", "setup.cfg", "uv.lock")
"""Files that a repository with tests has."""


def findings(source: Path) -> list[Finding]:
    """Return what there is of a repository in a folder: what is wrong with it is `broken`; nothing: it is none."""
    if not (any((source / name).is_file() for name in SIGNS) or requirements_files(source)):
        return []
    try:
        config, catalog = read_repository(source)
    except UserError as error:
        return [Finding("configuration", "broken", str(error))]
    file = configuration_file(source)
    told = str(file) if file.is_file() else "none: the defaults"
    return [Finding("configuration", "here", told), _packages(source, config), *_absent(config, catalog)]


def _packages(source: Path, config: Config) -> Finding:
    if config.runner.install:
        return Finding("packages of the tests", "here", f"uv pip install {' '.join(config.runner.install)}")
    lock = workspace_root(source.resolve()) / "uv.lock"
    if lock.is_file():
        return Finding("packages of the tests", "here", str(lock))
    return Finding("packages of the tests", "broken", no_lock_file(lines_to_add(source)))


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
