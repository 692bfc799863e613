"""A service is found by the environment, else by Kubernetes DNS, else by a port-forward; a test never knows which."""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

import pytest
from kubernetes.config import kube_config

from floe_testing.services import (
    Address,
    PostgresConfig,
    ServiceConfig,
    ServiceNotDescribedError,
    ServiceNotFoundError,
    locate,
)
from floe_testing.services.reaching import wait_for_service
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functional.testing.forwarding import Cluster, TcpServer

OUTSIDE = {"FLOE_NAMESPACE": "shop"}
POD = {"FLOE_NAMESPACE": "shop", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
PASSWORD = "from the Secret"  # noqa: S105 - of no database # pragma: allowlist secret


class TwoPortsConfig(ServiceConfig):
    """A service that has two ports."""

    service: ClassVar[str] = "two-ports"

    port: int = 4318
    query_port: int = 16686


def greet(text: bytes) -> TcpServer:
    """Return a server's function that says a text."""
    return lambda connection: connection.sendall(text)


def read(host: str, port: int) -> bytes:
    """Return what a server says first."""
    with socket.create_connection((host, port), timeout=20) as connection:
        return connection.recv(100)


@pytest.fixture
def resolvable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names that resolve; a test adds to them."""
    names: set[str] = set()

    def getaddrinfo(host: str, *_: object, **__: object) -> list[str]:
        if host in names:
            return ["10.0.0.7"]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def test_environment_first(resolvable: set[str]) -> None:
    """What the environment says counts, though the name would resolve in the cluster."""
    resolvable.add("postgres.shop.svc")
    environ = POD | {"FLOE_POSTGRES_HOST": "db", "FLOE_POSTGRES_PORT": "6000"}
    assert locate("postgres", 5432, environ=environ) == Address("db", 6000, "environment")


def test_environment_without_a_port() -> None:
    """A host alone means the port that was asked for."""
    assert locate("postgres", 5432, environ={"FLOE_POSTGRES_HOST": "db"}).port == 5432


def test_service_of_two_words() -> None:
    """The variables of a service with a dash in its name have an underscore there."""
    assert locate("object-store", 9000, environ={"FLOE_OBJECT_STORE_HOST": "s3"}).host == "s3"


@pytest.mark.parametrize("port", ["0", "65536", "many", "-1", "٣"])
def test_environment_with_a_wrong_port(port: str) -> None:
    """A port that is none is told with the variable that has it."""
    environ = {"FLOE_POSTGRES_HOST": "db", "FLOE_POSTGRES_PORT": port}
    with pytest.raises(ServiceNotFoundError, match=f"FLOE_POSTGRES_PORT is no port: '{port}'"):
        locate("postgres", 5432, environ=environ)


def test_dns_second(resolvable: set[str]) -> None:
    """In a pod, a service that the environment doesn't name is found by its name in the namespace."""
    resolvable.add("orders.shop.svc")
    assert locate("orders", 8080, environ=POD) == Address("orders.shop.svc", 8080, "Kubernetes DNS")


def test_namespace_that_the_test_names(resolvable: set[str]) -> None:
    """A namespace that is asked for counts more than the environment's."""
    resolvable.add("orders.other.svc")
    assert locate("orders", 8080, namespace="other", environ=POD).host == "orders.other.svc"


def test_dns_is_for_pods_only(resolvable: set[str]) -> None:
    """Outside a cluster no name is asked for, since an answer would be another's."""
    resolvable.add("orders.shop.svc")
    with pytest.raises(ServiceNotFoundError, match="Kubernetes DNS is for pods"):
        locate("orders", 8080, environ={})


def test_port_forward_third(cluster: Cluster, tcp_server: TcpServer) -> None:
    """From outside, a service is found through a port-forward to its ready pod."""
    cluster.add_service("orders", 8080)
    cluster.add_pod("orders", "orders-0", {8080: tcp_server(greet(b"orders"))})
    address = locate("orders", 8080, environ=OUTSIDE)
    assert (address.host, address.how) == ("127.0.0.1", "port-forward")
    assert read(address.host, address.port) == b"orders"


def test_service_that_has_another_name(cluster: Cluster, tcp_server: TcpServer) -> None:
    """A connection ConfigMap tells which Kubernetes Service and port a name means, in whatever form it names them."""
    cluster.add_connection(FLOE_DAGSTER_HOST="dagster-webserver.shop.svc", FLOE_DAGSTER_PORT="3001")
    cluster.add_service("dagster-webserver", 3001)
    cluster.add_pod("dagster-webserver", "web-0", {3001: tcp_server(greet(b"web"))})
    address = locate("dagster", 3000, environ=OUTSIDE)
    assert read(address.host, address.port) == b"web"


@pytest.mark.usefixtures("cluster")
def test_kubeconfig_is_no_leave() -> None:
    """A cluster that the kubeconfig has, and nobody named, is not asked."""
    with pytest.raises(
        ServiceNotFoundError, match="FLOE_NAMESPACE is not set, and no cluster is used that nobody named"
    ):
        locate("orders", 8080, environ={})


@pytest.mark.usefixtures("cluster")
def test_everything_tried_is_told() -> None:
    """The error tells of each way what was tried, and why it failed."""
    with pytest.raises(ServiceNotFoundError) as raised:
        locate("orders", 8080, environ=OUTSIDE)
    assert str(raised.value) == (
        "no way leads to orders: FLOE_ORDERS_HOST is not set; Kubernetes DNS is for pods, and this is none; "
        "no port-forward: port 8080 of Service orders in namespace shop: Not Found, says the API"
    )


def test_pod_whose_dns_has_no_such_name(resolvable: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod the name that doesn't resolve is told."""
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    assert not resolvable
    with pytest.raises(ServiceNotFoundError, match=r"orders\.shop\.svc does not resolve"):
        locate("orders", 8080, environ=POD)


def test_config_from_outside(cluster: Cluster, tcp_server: TcpServer) -> None:
    """With nothing but a namespace and a kubeconfig, user and password come from the cluster, and so does the port."""
    cluster.add_connection(
        FLOE_POSTGRES_HOST="postgres",
        FLOE_POSTGRES_PORT="5432",
        FLOE_POSTGRES_USER="floe",
        FLOE_POSTGRES_DATABASE="shop",
    )
    cluster.add_passwords(FLOE_POSTGRES_PASSWORD=PASSWORD)
    cluster.add_service("postgres", 5432)
    cluster.add_pod("postgres", "postgres-0", {5432: tcp_server(greet(b"postgres"))})
    config = PostgresConfig.from_environment(OUTSIDE)
    assert (config.user, config.password.get_secret_value(), config.database) == ("floe", PASSWORD, "shop")
    assert read(config.host, config.port) == b"postgres"


def test_environment_counts_more_than_the_cluster(cluster: Cluster) -> None:
    """Where the environment has its own host and user, only what it lacks comes from the cluster."""
    cluster.add_connection(FLOE_POSTGRES_HOST="postgres", FLOE_POSTGRES_USER="floe", FLOE_POSTGRES_DATABASE="shop")
    cluster.add_passwords(FLOE_POSTGRES_PASSWORD=PASSWORD)
    environ = OUTSIDE | {"FLOE_POSTGRES_HOST": "localhost", "FLOE_POSTGRES_USER": "ann"}
    config = PostgresConfig.from_environment(environ)
    assert (config.address, config.user, config.database) == ("localhost:5432", "ann", "shop")


def test_cluster_is_asked_for_no_more_than_is_lacking(cluster: Cluster) -> None:
    """A service that the environment describes in full is used without asking the cluster that it names."""
    cluster.objects["configmaps"] = HTTPStatus.FORBIDDEN
    environ = {f"FLOE_POSTGRES_{end}": "x" for end in ("HOST", "USER", "PASSWORD", "DATABASE")}
    assert PostgresConfig.from_environment(OUTSIDE | environ).host == "x"


def test_cluster_that_refuses(cluster: Cluster) -> None:
    """What the API refuses stands in the error once, in its own words, beside what is lacking for it."""
    cluster.objects["configmaps"] = HTTPStatus.FORBIDDEN
    with pytest.raises(ServiceNotDescribedError) as raised:
        PostgresConfig.from_environment(OUTSIDE)
    text = str(raised.value)
    assert text.count("namespace shop can't be read: Forbidden, says the API") == 1
    assert "FLOE_POSTGRES_PASSWORD is not set" in text


def test_further_port(cluster: Cluster, tcp_server: TcpServer) -> None:
    """A further port of a service is forwarded as well, to the port that the ConfigMap gives."""
    cluster.add_connection(FLOE_TWO_PORTS_HOST="two", FLOE_TWO_PORTS_QUERY_PORT="80")
    cluster.add_service("two", 4318)
    cluster.objects["services/two"]["spec"]["ports"].append({"port": 80, "targetPort": 16686})
    ports = {4318: tcp_server(greet(b"traces")), 16686: tcp_server(greet(b"queries"))}
    cluster.add_pod("two", "two-0", ports)
    config = TwoPortsConfig.from_environment(OUTSIDE)
    assert read(config.host, config.port) == b"traces"
    assert read(config.host, config.query_port) == b"queries"


def test_further_port_of_the_environment() -> None:
    """Where the environment names the host, its further ports are those that it names, or the usual ones."""
    assert TwoPortsConfig.from_environment({"FLOE_TWO_PORTS_HOST": "two"}).query_port == 16686


def test_further_port_by_dns(resolvable: set[str]) -> None:
    """In a pod no further port is forwarded: it is the one that the environment names, or the usual one."""
    resolvable.add("two-ports.shop.svc")
    config = TwoPortsConfig.from_environment(POD | {"FLOE_TWO_PORTS_QUERY_PORT": "80"})
    assert (config.host, config.port, config.query_port) == ("two-ports.shop.svc", 4318, 80)


def test_host_that_is_nowhere_is_told_once() -> None:
    """A host that is nowhere is one problem: all that was tried to find it."""
    with pytest.raises(ServiceNotDescribedError) as raised:
        TwoPortsConfig.from_environment({})
    (problem,) = raised.value.problems
    assert problem.startswith("no way leads to two-ports: ")


def test_only_connections_are_read(cluster: Cluster) -> None:
    """A ConfigMap without the label of connections is none of the tests' business."""
    cluster.add_connection(FLOE_POSTGRES_USER="floe", FLOE_POSTGRES_DATABASE="shop")
    cluster.add_passwords(FLOE_POSTGRES_PASSWORD=PASSWORD)
    cluster.objects["configmaps"]["items"].append(
        {"metadata": {"name": "other", "labels": {}}, "data": {"FLOE_POSTGRES_USER": "other"}}
    )
    assert PostgresConfig.from_environment(OUTSIDE | {"FLOE_POSTGRES_HOST": "db"}).user == "floe"


def test_pod_reads_no_connections(cluster: Cluster) -> None:
    """A pod has its connections in its environment: it doesn't ask the cluster, where it may not read secrets."""
    cluster.add_connection(FLOE_POSTGRES_USER="floe", FLOE_POSTGRES_DATABASE="shop")
    cluster.add_passwords(FLOE_POSTGRES_PASSWORD=PASSWORD)
    with pytest.raises(ServiceNotDescribedError, match="FLOE_POSTGRES_USER is not set"):
        PostgresConfig.from_environment(POD | {"FLOE_POSTGRES_HOST": "db"})


def test_wait_looks_where_the_environment_says(
    cluster: Cluster, tcp_server: TcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wait_for_service` looks in the namespace of the environment, unless it is told another."""
    monkeypatch.setenv("FLOE_NAMESPACE", "shop")
    cluster.add_service("orders", 8080)
    cluster.add_pod("orders", "orders-0", {8080: tcp_server(greet(b"orders"))})
    wait_for_service("orders", 8080, config=PollingConfig(timeout=10))
    with pytest.raises(ConditionTimeoutError, match="namespace elsewhere"):
        wait_for_service("orders", 8080, "elsewhere", PollingConfig(timeout=1))
