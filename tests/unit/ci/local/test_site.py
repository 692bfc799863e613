"""Services on this machine are told what the manifests say, with addresses of this machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from floe_ci.catalog import Catalog
from floe_ci.errors import RunError, UserError
from floe_ci.local import site as sites
from floe_ci.local.probes import HOST
from floe_ci.local.site import Site, free_ports

CATALOG = Catalog.of_package()
SERVICES = tuple(CATALOG.services)


def plan(*names: str) -> Site:
    """Return the site of some of this package's services."""
    return Site.plan((CATALOG.services[name] for name in names), Path())


@pytest.mark.parametrize("service", SERVICES)
def test_variables_are_the_folders(service: str) -> None:
    """Tests find in their environment what a service's folder says of it and of those that it needs, and no more."""
    needed = (service, *CATALOG.needs(service))
    assert set(plan(*needed).variables) == {each for name in needed for each in CATALOG.variables(name)}


def test_variables_of_one_service() -> None:
    """A service is told of itself and of what it needs, and of no other's address or password."""
    site = plan(*SERVICES)
    assert set(site.variables_of(CATALOG.services["dagster"])) == {
        *CATALOG.variables("dagster"),
        *CATALOG.variables("postgres"),
    }
    assert set(site.variables_of(CATALOG.services["minio"])) == set(CATALOG.variables("minio"))


def test_addresses_are_of_this_machine() -> None:
    """Every host is this machine, and every port one that the service was given."""
    site = plan(*SERVICES)
    assert {value for key, value in site.variables.items() if key.endswith("_HOST")} == {HOST}
    ports = {int(value) for key, value in site.variables.items() if key.endswith("_PORT")}
    assert ports <= set(site.ports.values())
    processes = site.settings("dagster-processes")
    assert processes["DAGSTER_CODE_HOST"] == HOST
    assert processes["DAGSTER_CODE_PORT"] == str(site.ports["dagster-code"])


def test_each_run_has_its_own_passwords() -> None:
    """No two runs have a password in common."""
    first, second = (plan(*SERVICES).passwords for _ in range(2))
    assert set(first) == set(second) >= {"FLOE_POSTGRES_PASSWORD", "FLOE_MINIO_SECRET_KEY", "FLOE_REDIS_PASSWORD"}
    assert not set(first.values()) & set(second.values())
    assert all(len(value) >= 24 for value in first.values())


def test_service_that_needs_another() -> None:
    """A service without the one that it keeps its data in is refused, and the message names what to add."""
    site = plan("dagster")
    with pytest.raises(UserError, match="needs 'postgres' too"):
        site.settings("postgres-connection")


def test_container_variables() -> None:
    """A container's variables are its ConfigMaps' entries and, for a password, the run's."""
    site = plan(*SERVICES)
    (webserver,) = [
        container
        for document in site.manifests.documents
        if document["kind"] == "Deployment" and document["metadata"]["name"] == "dagster-webserver"
        for container in document["spec"]["template"]["spec"]["containers"]
    ]
    variables = site.environment(webserver)
    assert variables["FLOE_POSTGRES_PASSWORD"] == site.passwords["FLOE_POSTGRES_PASSWORD"]
    assert variables["FLOE_POSTGRES_PORT"] == str(site.ports["postgres"])
    assert variables["DAGSTER_CODE_HOST"] == HOST


def test_ports_are_free_and_different() -> None:
    """As many ports come as were asked for, each once, below those for outgoing connections."""
    ports = free_ports(30)
    assert len(set(ports)) == 30
    assert all(port in sites.PORTS for port in ports)
    for port in ports:
        with socket.socket() as probe:
            probe.bind((HOST, port))


def test_taken_port_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that someone listens at is not given, and too few are an error."""
    with socket.create_server((HOST, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(sites, "PORTS", range(taken, taken + 1))
        with pytest.raises(RunError, match="no 1 free ports"):
            free_ports(1)


def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was given is not given again, though nobody listens there yet."""
    monkeypatch.setattr(sites, "PORTS", range(30_100, 30_140))
    monkeypatch.setattr(sites, "_GIVEN", set())
    given = [port for _ in range(10) for port in free_ports(2)]
    assert len(set(given)) == 20
