"""Dagster's processes are those of the manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci import bundled
from floe_ci.catalog import Catalog
from floe_ci.local import dagster
from floe_ci.local.probes import HOST
from floe_ci.local.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.local.processes import Process

SERVICES = ("postgres", "dagster")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return where the services are."""
    return Site.plan((Catalog.of_package().services[name] for name in SERVICES), tmp_path)


@pytest.fixture
def processes(site: Site, tmp_path: Path) -> dict[str, Process]:
    """Return the processes by name."""
    return {process.name: process for process in dagster.processes(site, tmp_path / "packages")}


def test_processes_are_the_deployments(processes: dict[str, Process]) -> None:
    """There is a process for each Deployment, under its name."""
    assert set(processes) == {"dagster-code", "dagster-daemon", "dagster-webserver"}


def test_commands_are_the_manifests(processes: dict[str, Process], site: Site, tmp_path: Path) -> None:
    """A process is started as its pod is, by the environment's Python and at an address of this machine."""
    python = str(tmp_path / "packages" / "bin" / "python")
    port = str(site.ports["dagster-webserver"])
    assert processes["dagster-webserver"].command == (
        *(python, "-m", "floe_dagster.start", "dagster-webserver", "-h", HOST, "-p", port),
        *("-w", "workspace.yaml", "--db-pool-recycle", "1"),
    )
    for process in processes.values():
        assert "0.0.0.0" not in process.command  # noqa: S104 - it must not be there


def test_processes_find_each_other(processes: dict[str, Process], site: Site) -> None:
    """Each process knows the database and the code location by an address of this machine."""
    for process in processes.values():
        assert process.environment["FLOE_POSTGRES_PORT"] == str(site.ports["postgres"])
        assert process.environment["DAGSTER_CODE_PORT"] == str(site.ports["dagster-code"])


def test_each_has_a_temporary_folder(processes: dict[str, Process]) -> None:
    """Each process has a temporary folder of its own, in which its start leaves a mark, and which the settings name."""
    folders = {process.environment["TMPDIR"] for process in processes.values()}
    assert len(folders) == 3
    settings = (next(iter(processes.values())).folder / "dagster.yaml").read_text()
    assert "env: TMPDIR" in settings


def test_settings_are_the_images(processes: dict[str, Process]) -> None:
    """The settings and the code are copies of the image's, so that Dagster writes nothing into the original."""
    home = processes["dagster-code"].folder
    image = bundled.manifests() / "base" / "dagster" / "image"
    assert home != image
    for name in ("dagster.yaml", "workspace.yaml", "floe_dagster/definitions.py"):
        assert (home / name).read_bytes() == (image / name).read_bytes()
