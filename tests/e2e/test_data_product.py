"""A data product from its specification to the rows that whoever asks the catalog gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_product import compiled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog.rest import RestCatalog
    from s3fs import S3FileSystem

    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = [pytest.mark.requirement("REQ-641"), pytest.mark.timeout(540)]

QUERY = "SELECT day::text, orders, revenue::text FROM read_parquet(?) ORDER BY day"


@pytest.mark.requirement("T12")
@pytest.mark.journey("compile-deploy-materialise")
def test_specification_becomes_a_table(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    specification: Path,
    deployed: Callable[[str], DagsterClient],
    polaris: RestCatalog,
    polaris_namespace: str,
    minio_bucket: str,
    minio_files: S3FileSystem,
    duckdb: DuckDBPyConnection,
) -> None:
    """A specification is compiled and deployed, Dagster loads it and makes it, and the catalog has its rows."""
    minio_files.pipe_file(f"{minio_bucket}/orders/1.csv", b"day,amount\n2026-04-01,80.00\n2026-04-02,99.00\n")
    minio_files.pipe_file(f"{minio_bucket}/orders/2.csv", b"day,amount\n2026-04-01,20.50\n")

    made = compiled(specification)
    assert made.returncode == 0, made.stderr
    dagster = deployed(made.stdout)
    run = dagster.launch("make_daily_orders")
    assert dagster.wait_for_run(run) == "SUCCESS", dagster.failures(run)
    (materialization,) = dagster.materializations("daily_orders", run)
    assert materialization.metadata == {"rows": 2, "table": f"{polaris_namespace}.daily_orders"}

    table = polaris.load_table((polaris_namespace, "daily_orders"))
    assert table.properties["owner"] == "shop@example.com"
    duckdb.register_filesystem(minio_files)
    files = [task.file.file_path for task in table.scan().plan_files()]
    assert duckdb.execute(QUERY, [files]).fetchall() == [("2026-04-01", 2, "100.50"), ("2026-04-02", 1, "99.00")]
