"""What journeys through the platform have in common: its services, batches of orders, and a data product."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from data_product import SERVICE, SPECIFICATION, deploy, withdraw
from floe_testing import PollingConfig, Unmet, wait_for_condition
from floe_testing.isolation.naming import unique_name
from floe_testing.services import DagsterConfig, locate
from floe_testing.services.clients import dagster as dagster_client
from floe_testing.services.clients.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kubernetes.client import CoreV1Api
    from psycopg import Connection

    from floe_testing.services import PostgresConfig
    from floe_testing.services.clients.dagster import DagsterClient


@pytest.fixture(scope="session")
def platform() -> list[str]:
    """Return the services of the tier, as their pods are labelled."""
    return [
        "cube",
        "dagster-code",
        "dagster-daemon",
        "dagster-webserver",
        "iceberg-rest",
        "jaeger",
        "minio",
        "otel-collector",
        "postgres",
        "prometheus",
        "redis",
    ]


@pytest.fixture(scope="session")
def jaeger_url() -> str:
    """Return where traces are looked for."""
    address = locate("jaeger", 16686)
    return f"http://{address.host}:{address.port}"


@pytest.fixture
def redis() -> Iterator[Redis]:
    """Yield a client of Redis."""
    address = locate("redis", 6379)
    password = os.environ["FLOE_REDIS_PASSWORD"]
    with Redis(address.host, address.port, password=password, socket_timeout=10, decode_responses=True) as client:
        yield client


@pytest.fixture
def new_batch(postgres_config: PostgresConfig, run_id: str) -> Iterator[Callable[..., str]]:
    """Return a function that writes orders, days with amounts, where the job reads them, and returns their batch.

    The batches and their totals are removed after.
    """
    batches: list[str] = []

    def write(*orders: tuple[str, str]) -> str:
        batch = unique_name("batch", run_id)
        batches.append(batch)
        with connect(postgres_config) as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO raw_orders VALUES (%s, %s, %s)", [(batch, *order) for order in orders])
        return batch

    yield write
    with connect(postgres_config) as connection:
        for table in ("raw_orders", "daily_orders"):
            connection.execute(f"DELETE FROM {table} WHERE batch = ANY(%s)".encode(), (batches,))  # noqa: S608 - ours


@pytest.fixture
def refresh(dagster: DagsterClient) -> Iterator[Callable[[str], str]]:
    """Yield a function that launches the job for a batch, and returns the run's id; all its runs have ended after."""
    runs: list[str] = []

    def launch(batch: str) -> str:
        runs.append(dagster.launch("refresh_orders", {"ops": {"daily_orders": {"config": {"batch": batch}}}}))
        return runs[-1]

    yield launch
    for run in runs:
        dagster.wait_for_run(run)


@pytest.fixture
def totals(postgres_config: PostgresConfig) -> Callable[[str], list[tuple[str, int, str]]]:
    """Return a function that returns a batch's totals: day, orders and revenue."""
    query = "SELECT day::text, orders, revenue::text FROM daily_orders WHERE batch = %s ORDER BY day"

    def read(batch: str) -> list[tuple[str, int, str]]:
        with connect(postgres_config) as connection:
            return connection.execute(query, (batch,)).fetchall()

    return read


@pytest.fixture(scope="session")
def shop_config() -> DagsterConfig:
    """Return where the Dagster is that has the demo product's code location."""
    address = locate(SERVICE, 3000)
    return DagsterConfig(host=address.host, port=address.port)


@pytest.fixture
def shop(shop_config: DagsterConfig) -> Iterator[DagsterClient]:
    """Yield a client of the Dagster that has the demo product's code location."""
    with dagster_client.connect(shop_config) as client:
        dagster_client.wait_until_answers(client, shop_config)
        yield client


@pytest.fixture
def specification(tmp_path: Path, polaris_namespace: str, minio_bucket: str) -> Path:
    """Return the demo product's specification, with a namespace and a bucket of the test's own."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    mine = text.replace("s3://shop/", f"s3://{minio_bucket}/").replace(
        "namespace: shop", f"namespace: {polaris_namespace}"
    )
    path = tmp_path / SPECIFICATION.name
    path.write_text(mine, encoding="utf-8")
    return path


@pytest.fixture
def deployed(
    kube: CoreV1Api, kube_namespace: str, shop: DagsterClient, shop_config: DagsterConfig
) -> Iterator[Callable[[str], DagsterClient]]:
    """Yield a function that deploys a ConfigMap of products, and returns a client of the Dagster that has them."""

    def roll_out(config_map: str) -> DagsterClient:
        deploy(kube, kube_namespace, config_map)
        dagster_client.wait_until_answers(shop, shop_config)
        return shop

    withdraw(kube, kube_namespace)  # what a test that was killed has left
    yield roll_out
    withdraw(kube, kube_namespace)


class Barrier:
    """Holds back every run of the job before it writes its totals."""

    def __init__(self, connection: Connection) -> None:
        """Lock the table for as long as the connection's transaction lasts."""
        self._connection = connection
        connection.execute("LOCK TABLE daily_orders IN EXCLUSIVE MODE")

    def wait_for_runs(self, count: int) -> None:
        """Wait until that many runs are held back."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'daily_orders'::regclass"

        def held() -> bool | Unmet:
            row = self._connection.execute(waiting).fetchone()
            return row == (count,) or Unmet(f"runs that wait for the table: {row}")

        wait_for_condition(held, PollingConfig(timeout=180, interval=0.1, description=f"{count} runs are held back"))

    def lift(self) -> None:
        """Let them go on."""
        self._connection.commit()


@pytest.fixture
def barrier(postgres_config: PostgresConfig) -> Iterator[Barrier]:
    """Yield a barrier, which is down."""
    # Closed and nothing else: where a test took the server away, there is nothing to commit.
    with closing(connect(postgres_config)) as connection:
        yield Barrier(connection)
