"""From a file to a table that the platform's job has made."""

import io
from decimal import Decimal

import pytest
from duckdb import DuckDBPyConnection
from minio import Minio
from s3fs import S3FileSystem

from floe_testing.isolation.naming import unique_name
from floe_testing.services import PostgresConfig
from floe_testing.services.clients.dagster import DagsterClient
from floe_testing.services.clients.postgres import connect

pytestmark = pytest.mark.requirement("REQ-641")

FILE = b"""day,customer,quantity,price
2026-02-01,ann,2,3.50
2026-02-01,ann,1,0.25
2026-02-01,bob,1,10.00
2026-02-02,bob,4,1.25
"""


@pytest.mark.requirement("REQ-641.3")
def test_file_becomes_totals(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    minio: Minio,
    minio_bucket: str,
    minio_files: S3FileSystem,
    duckdb: DuckDBPyConnection,
    postgres_config: PostgresConfig,
    dagster: DagsterClient,
    run_id: str,
) -> None:
    """A file put in MinIO is aggregated by DuckDB, loaded into PostgreSQL and totalled by Dagster's job."""
    batch = unique_name("journey", run_id)
    minio.put_object(minio_bucket, "sales.csv", io.BytesIO(FILE), len(FILE))

    duckdb.register_filesystem(minio_files)
    source = f"read_csv('s3://{minio_bucket}/sales.csv', types={{'price': 'DECIMAL(10, 2)'}})"
    query = f"SELECT day, sum(quantity * price) FROM {source} GROUP BY day, customer ORDER BY ALL"  # noqa: S608 - the test's own bucket
    per_customer = duckdb.sql(query).fetchall()
    assert [amount for _, amount in per_customer] == [Decimal("7.25"), Decimal("10.00"), Decimal("5.00")]

    with connect(postgres_config) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO raw_orders VALUES (%s, %s, %s)", [(batch, *row) for row in per_customer])
    run = dagster.launch("refresh_orders", {"ops": {"daily_orders": {"config": {"batch": batch}}}})
    assert dagster.wait_for_run(run) == "SUCCESS"

    (materialization,) = dagster.materializations("daily_orders", run)
    assert materialization.metadata == {"batch": batch, "rows": 2, "orders": 3, "revenue": 22.25}
    with connect(postgres_config) as connection:
        rows = connection.execute(
            "SELECT day::text, orders, revenue FROM daily_orders WHERE batch = %s ORDER BY day", (batch,)
        ).fetchall()
    assert rows == [("2026-02-01", 2, Decimal("17.25")), ("2026-02-02", 1, Decimal("5.00"))]
