"""How a service runs on this machine is found: in its folder, or in a package that is installed."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from floe_ci.catalog import Catalog, Description, Local, Ready, Service
from floe_ci.errors import UserError
from floe_ci.local import lookup
from floe_ci.local.lookup import local_service
from floe_ci.local.site import Site
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MANIFESTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: search-connection, labels: {floe.dev/connection: "true"}}
data: {SEARCH_HOST: search, SEARCH_PORT: "80"}
---
apiVersion: v1
kind: Service
metadata: {name: search}
"""
MODULE = """
from floe_ci.local.local_service import LocalService

async def processes(site):
    return []

SERVICE = LocalService("search", lambda: "from a package", lambda: None, processes)
OTHER = "nothing"
"""


@pytest.fixture
def search(tmp_path: Path) -> Service:
    """Return a service that says nothing of how it runs here."""
    folder = tmp_path / "search"
    folder.mkdir()
    return Service("search", "source/services/search", folder, Description(about="x"), {"search.yaml": MANIFESTS})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Yield what installs a package with an entry point for the service."""

    def install(value: str) -> None:
        info = tmp_path / "floe_test_search-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: floe-test-search\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{lookup.GROUP}]\nsearch = {value}\n")
        (tmp_path / "floe_test_search.py").write_text(MODULE)
        monkeypatch.syspath_prepend(str(tmp_path))

    yield install
    sys.modules.pop("floe_test_search", None)


def local(described: Service, /, **table: object) -> Service:
    """Return a service whose table `local` is as given."""
    return replace(described, description=Description(about="x", local=Local(**table)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dagster", "minio", "postgres", "redis"])
def test_package_brings_its_own(name: str) -> None:
    """Each of this package's services that names a module is run by the one of its name."""
    found = local_service(Catalog.of_package().services[name])
    assert found is not None
    assert found.name == name
    assert found.origin()


def test_entry_point(search: Service, package: Callable[[str], None]) -> None:
    """A service that says nothing itself is run by the entry point of its name, and by nothing where there is none."""
    assert local_service(search) is None
    package("floe_test_search:SERVICE")
    found = local_service(search)
    assert found is not None
    assert found.origin() == "from a package"
    assert "from a package" in [each.origin() for each in lookup.every()]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("floe_test_nothing:SERVICE", "can't be imported: No module named 'floe_test_nothing'; install its package"),
        ("floe_test_search:NOTHING", "can't be imported: .* has no attribute 'NOTHING'; install its package"),
        ("floe_test_search:OTHER", "is a str, and has to be a LocalService"),
    ],
)
def test_what_is_none_is_told(search: Service, package: Callable[[str], None], value: str, told: str) -> None:
    """What can't be imported or is something else is told with where it is named; a clean-up passes over it."""
    package(value)
    with pytest.raises(UserError, match=rf"^entry point floe_ci\.services: search: '{value}' {told}"):
        local_service(search)
    with pytest.raises(UserError, match=rf"^services/search/service\.toml: local\.service: '{value}' {told}"):
        local_service(local(search, service=value))
    assert {each.name for each in lookup.every()} == {"dagster", "minio", "postgres", "redis"}


def test_command(search: Service, tmp_path: Path) -> None:
    """A command works in a copy of the service's own files, with its variables and nothing of the caller's."""
    (search.folder / "image").mkdir()
    (search.folder / "image" / "search.ini").write_text("x")
    run = tmp_path / "run"
    run.mkdir()
    site = Site.plan([search], run)
    service = local(
        search,
        command=("python", "-m", "search", "${SEARCH_PORT}"),
        environment={"URL": "http://${SEARCH_HOST}"},
        ready=Ready(command=("python", "-c", "pass")),
    )
    found = local_service(service)
    assert found is not None
    assert found.lacking() is None
    (process,) = asyncio.run(found.processes(site))
    assert process.command == (sys.executable, "-m", "search", str(site.ports["search"]))
    assert process.environment["URL"] == "http://127.0.0.1"
    assert (process.folder / "search.ini").read_text() == "x"
    assert not {name for name in process.environment if name.startswith(("FLOE_", "PYTEST"))}
    assert asyncio.run(look(process.ready)) is None


def test_program_that_is_not_here(search: Service) -> None:
    """A command whose program is nowhere on this machine is the reason that the service is absent."""
    found = local_service(local(search, command=("floe-test-nothing",)))
    assert found is not None
    assert found.lacking() == ("'floe-test-nothing', which services/search/service.toml starts, is not on PATH")


def test_manifests_are_read_as_they_are(search: Service) -> None:
    """The ports of a service are those of its Kubernetes Services."""
    assert search.manifests == Manifests.parse(MANIFESTS, "x")
    assert search.ports == ("search",)


async def look(ready: Callable[[], object]) -> object:
    """Look once."""
    return await ready()  # type: ignore[misc]
