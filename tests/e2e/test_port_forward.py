"""A port-forward through the Kubernetes API leads to the services as their own addresses do."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from floe_testing.services import ServiceNotFoundError, ServiceRequirement, check_service_health
from floe_testing.services.clients import minio as minio_client
from floe_testing.services.clients.postgres import connect, wait_until_answers
from floe_testing.services.discovery import forward
from floe_testing.services.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_testing.services import Address, MinIOConfig, PostgresConfig

    PortForward = Callable[[str, int], Address]

pytestmark = pytest.mark.requirement("REQ-643")

MEGABYTE = 1024 * 1024


@pytest.fixture
def through_api(postgres_database: PostgresConfig, port_forward: PortForward) -> PostgresConfig:
    """Return how to reach the test's database through the API."""
    address = port_forward("postgres", 5432)
    return postgres_database.model_copy(update={"host": address.host, "port": address.port})


@pytest.mark.journey("port-forward")
@pytest.mark.requirement("REQ-637.4")
def test_same_server(postgres_database: PostgresConfig, through_api: PostgresConfig) -> None:
    """What is written through the port-forward, which ends within the pod, is read at the service's own address."""
    with connect(through_api) as connection:
        connection.execute("CREATE TABLE written AS SELECT host(inet_client_addr()) AS client")
    with connect(postgres_database) as connection:
        ((client,),) = connection.execute("SELECT client FROM written").fetchall()
    assert client in {"127.0.0.1", "::1"}


def test_many_at_once(through_api: PostgresConfig) -> None:
    """Twenty connections at once each get their own answer, of a megabyte."""

    def ask(number: int) -> bool:
        with connect(through_api) as connection:
            answer = connection.execute("SELECT repeat(%s, %s)", (f"{number:04}", MEGABYTE // 4)).fetchone()
        return answer == (f"{number:04}" * (MEGABYTE // 4),)

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(ask, range(20)))


def test_large_object(minio_config: MinIOConfig, minio_bucket: str, port_forward: PortForward) -> None:
    """An object of 64 MB goes up and comes down unchanged."""
    address = port_forward("minio", 9000)
    data = hashlib.shake_256(b"large").digest(64 * MEGABYTE)
    with minio_client.connect(minio_config.model_copy(update={"host": address.host, "port": address.port})) as minio:
        minio.put_object(minio_bucket, "large", io.BytesIO(data), len(data))
        response = minio.get_object(minio_bucket, "large")
        try:
            assert hashlib.sha256(response.read()).digest() == hashlib.sha256(data).digest()
        finally:
            response.close()
            response.release_conn()


def test_pod_is_replaced(through_api: PostgresConfig, restart_service: Callable[[str], None]) -> None:
    """The port-forward that led to a pod leads to its successor."""
    with connect(through_api) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'before' AS written")
    restart_service("postgres")
    wait_until_answers(through_api)
    with connect(through_api) as connection:
        assert connection.execute("SELECT written FROM kept").fetchall() == [("before",)]


def test_service_that_is_not_there() -> None:
    """A Service that is not there is told in the API's words, before anything listens."""
    with pytest.raises(ServiceNotFoundError, match='services "nowhere" not found'):
        forward(Place.here(), "nowhere", 80)


@pytest.mark.requirement("REQ-642")
def test_services_are_found_by_name_alone(kube_namespace: str) -> None:
    """In a pod, a Kubernetes Service that no variable describes is found by DNS, and takes connections."""
    # floe: ignore[FT603] no variable tells the port: that is the case
    health = check_service_health(ServiceRequirement(name="dagster-webserver", port=3000, namespace=kube_namespace))
    assert health.healthy, health
    assert str(health.address) == f"dagster-webserver.{kube_namespace}.svc:3000 (Kubernetes DNS)"


@pytest.mark.requirement("REQ-642", "T22")
@pytest.mark.services("postgres", "minio", "dagster")
def test_services_answer() -> None:
    """Every service of the tier answers in its own language, as the mark made sure."""
    for name in ("postgres", "minio", "dagster"):
        assert check_service_health(name).healthy
