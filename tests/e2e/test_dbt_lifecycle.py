"""dbt's whole life, run by Dagster in the cluster, with DuckDB and with PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.isolation.naming import unique_name
from floe_testing.services.clients.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from floe_testing.services import PostgresConfig
    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = [pytest.mark.requirement("REQ-641"), pytest.mark.timeout(420)]

AMOUNT_MISSING = "id,day,status,amount\n1,2026-04-01,paid,80.00\n2,2026-04-01,paid,\n"
DAILY = [("2026-04-01", 2, "100.50"), ("2026-04-02", 1, "99.00")]
"""What the project's own seed comes to."""


@pytest.fixture
def schema(postgres_config: PostgresConfig, run_id: str) -> Iterator[str]:
    """Yield a schema of the test's own, which is dropped after."""
    name = unique_name("shop", run_id).replace("-", "_")
    yield name
    with connect(postgres_config) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())


@pytest.fixture
def run(shop: DagsterClient, schema: str) -> Callable[..., str]:
    """Return a function that has Dagster run the project, and returns the run's id when it has ended."""

    def wait(target: str, **how: object) -> str:
        config = {"target": target, "db_schema": schema, **how}
        launched = shop.launch("make_shop", {"ops": {"shop": {"config": config}}})
        shop.wait_for_run(launched)
        return launched

    return wait


@pytest.fixture
def daily(postgres_config: PostgresConfig, schema: str) -> Callable[[], list[tuple[str, int, str]]]:
    """Return a function that asks PostgreSQL itself for the totals that dbt has made there."""
    query = f"SELECT day::text, orders, revenue::text FROM {schema}.daily_orders ORDER BY day"  # noqa: S608 - ours

    def ask() -> list[tuple[str, int, str]]:
        with connect(postgres_config) as connection:
            return connection.execute(query.encode()).fetchall()

    return ask


def require_whole_life(shop: DagsterClient, run: str) -> None:
    """Require that every step went well for all of its nodes, and that the snapshot has seen each order once."""
    assert shop.status(run) == "SUCCESS", shop.failures(run)
    (made,) = shop.materializations("shop", run)
    assert made.metadata == {"seed": 1, "run": 2, "test": 6, "snapshot": 1, "docs": 4, "versions": 3}


def require_stopped(shop: DagsterClient, run: str) -> None:
    """Require that a failing test is told, and that all that is made of what failed was skipped."""
    assert shop.status(run) == "FAILURE"
    told = shop.failures(run)["shop"]
    assert "fail: not_null_orders_amount: Got 1 result" in told, told
    assert {"skipped: daily_orders", "skipped: orders_history"} <= set(told.splitlines())
    assert shop.materializations("shop", run) == []


@pytest.mark.requirement("T20")
@pytest.mark.journey("dbt")
@pytest.mark.long
def test_whole_life_with_postgresql(
    shop: DagsterClient, run: Callable[..., str], daily: Callable[[], list[tuple[str, int, str]]]
) -> None:
    """Seed, models, tests, snapshot and docs are made; a failing test stops what comes after, and tables stay."""
    require_whole_life(shop, run("postgres"))
    assert daily() == DAILY
    require_stopped(shop, run("postgres", orders=AMOUNT_MISSING, build=True))
    assert daily() == DAILY


@pytest.mark.requirement("REQ-641.3", "T20")
def test_whole_life_with_duckdb(shop: DagsterClient, run: Callable[..., str]) -> None:
    """The same project lives its life in DuckDB, and a failing test stops it there too."""
    require_whole_life(shop, run("duckdb"))
    require_stopped(shop, run("duckdb", orders=AMOUNT_MISSING, build=True))
