"""Dagster runs a job that is launched over GraphQL, and records what it made."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from floe_testing.isolation.naming import unique_name
from floe_testing.services import PostgresConfig
from floe_testing.services.clients.dagster import DagsterClient, DagsterRefusedError
from floe_testing.services.clients.postgres import connect

pytestmark = pytest.mark.requirement("REQ-640", "T050")

ORDERS = [("2026-01-01", "10.00"), ("2026-01-01", "2.50"), ("2026-01-02", "4.25")]


@pytest.fixture
def batch(postgres_config: PostgresConfig, run_id: str) -> Iterator[str]:
    """Write orders where the job reads them, and yield their batch; remove it and its totals after."""
    name = unique_name("batch", run_id)
    with connect(postgres_config) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO raw_orders VALUES (%s, %s, %s)", [(name, *order) for order in ORDERS])
    yield name
    with connect(postgres_config) as connection:
        connection.execute("DELETE FROM raw_orders WHERE batch = %s", (name,))
        connection.execute("DELETE FROM daily_orders WHERE batch = %s", (name,))


def run_config(batch: str) -> dict[str, object]:
    """Return the job's configuration for a batch."""
    return {"ops": {"daily_orders": {"config": {"batch": batch}}}}


def test_job_writes_its_rows_and_records_them(
    dagster: DagsterClient, postgres_config: PostgresConfig, batch: str
) -> None:
    """A launched job succeeds, its rows are in PostgreSQL, and its materialization tells their sums."""
    run = dagster.launch("refresh_orders", run_config(batch))
    assert dagster.wait_for_run(run) == "SUCCESS"
    assert dagster.failures(run) == {}

    with connect(postgres_config) as connection:
        rows = connection.execute(
            "SELECT day::text, orders, revenue FROM daily_orders WHERE batch = %s ORDER BY day", (batch,)
        ).fetchall()
    assert rows == [("2026-01-01", 2, Decimal("12.50")), ("2026-01-02", 1, Decimal("4.25"))]
    (materialization,) = dagster.materializations("daily_orders", run)
    assert materialization.metadata == {"batch": batch, "rows": 2, "orders": 3, "revenue": 16.75}


def test_failed_job_is_a_failed_run(dagster: DagsterClient, run_id: str) -> None:
    """A job without any of the orders it was asked for ends as a failed run that says why, and makes nothing."""
    batch = unique_name("empty", run_id)
    run = dagster.launch("refresh_orders", run_config(batch))
    assert dagster.wait_for_run(run) == "FAILURE"
    assert f"raw_orders has no order of batch '{batch}'" in dagster.failures(run)["daily_orders"]
    assert dagster.materializations("daily_orders", run) == []


def test_unknown_job_is_refused(dagster: DagsterClient) -> None:
    """A job that no code location has can't be launched."""
    with pytest.raises(DagsterRefusedError, match="refresh_nothing") as refused:
        dagster.launch("refresh_nothing")
    assert refused.value.kind == "PipelineNotFoundError"


def test_wrong_configuration_is_refused(dagster: DagsterClient) -> None:
    """A job isn't launched with a wrong configuration, and the answer names the missing field."""
    with pytest.raises(DagsterRefusedError, match="batch") as refused:
        dagster.launch("refresh_orders", {"ops": {"daily_orders": {"config": {}}}})
    assert refused.value.kind == "RunConfigValidationInvalid"
