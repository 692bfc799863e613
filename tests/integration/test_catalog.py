"""Iceberg tables where no server has a catalog: it is in the test's memory, and their metadata is in MinIO."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pyiceberg.catalog.memory import InMemoryCatalog

from iceberg_orders import ORDERS, append, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection
    from s3fs import S3FileSystem

    from floe_testing.services import MinIOConfig

pytestmark = pytest.mark.requirement("REQ-640", "REQ-640.3")


@pytest.fixture
def new_catalog(minio_config: MinIOConfig, minio_bucket: str) -> Iterator[Callable[[], InMemoryCatalog]]:
    """Yield what makes a catalog that knows of no table, whose files are in a bucket of the test's own."""
    made = list[InMemoryCatalog]()
    storage = {
        "warehouse": f"s3://{minio_bucket}/lake",
        "s3.endpoint": minio_config.url,
        "s3.access-key-id": minio_config.access_key,
        "s3.secret-access-key": minio_config.secret_key.get_secret_value(),
        "s3.region": "us-east-1",
    }

    def make() -> InMemoryCatalog:
        made.append(InMemoryCatalog("test", **storage))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_rows_are_found_by_the_metadata_alone(
    new_catalog: Callable[[], InMemoryCatalog], duckdb: DuckDBPyConnection, minio_files: S3FileSystem
) -> None:
    """A table of a catalog in memory is read by whoever has its metadata: each snapshot has the rows that it had."""
    duckdb.register_filesystem(minio_files)
    catalog = new_catalog()
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.orders", ORDERS)
    append(table, duckdb, minio_files, "first", (1, "ann"), (2, "bob"))
    append(table, duckdb, minio_files, "second", (3, "cleo"))

    other = new_catalog()
    other.create_namespace("shop")
    found = other.register_table("shop.orders", table.metadata_location)
    assert rows(found, duckdb) == [(1, "ann"), (2, "bob"), (3, "cleo")]
    assert rows(found, duckdb, snapshot_id=found.snapshots()[0].snapshot_id) == [(1, "ann"), (2, "bob")]


def test_tier_has_no_server_of_a_catalog() -> None:
    """The tier's tests are given the address of no catalog."""
    assert not [name for name in os.environ if name.startswith(("FLOE_POLARIS_", "FLOE_ICEBERG_"))]
