"""The fixtures of the catalog, on a server of the Iceberg REST protocol in the cluster: Apache Iceberg's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.types import LongType

from floe_testing.isolation.naming import Made, run_tag, unique_name
from floe_testing.services import check_service_health
from floe_testing.services.clients import polaris as client
from iceberg_orders import ORDERS, append, rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.table import Table
    from s3fs import S3FileSystem

    from floe_testing.services import PolarisConfig

pytestmark = pytest.mark.requirement("REQ-641", "T045", "T046")


@pytest.fixture
def lake(duckdb: DuckDBPyConnection, minio_files: S3FileSystem) -> DuckDBPyConnection:
    """Return DuckDB with the object store in its reach."""
    duckdb.register_filesystem(minio_files)
    return duckdb


@pytest.fixture
def orders(polaris: RestCatalog, polaris_namespace: str) -> Table:
    """Return a new table."""
    return polaris.create_table(f"{polaris_namespace}.orders", ORDERS)


def test_rows_are_read_back(
    polaris: RestCatalog, orders: Table, lake: DuckDBPyConnection, minio_files: S3FileSystem
) -> None:
    """Rows committed to a table are those that whoever loads it finds, and an earlier snapshot has the earlier ones."""
    append(orders, lake, minio_files, "first", (1, "ann"), (2, "bob"))
    append(orders, lake, minio_files, "second", (3, "cleo"))

    found = polaris.load_table(orders.name())
    assert rows(found, lake) == [(1, "ann"), (2, "bob"), (3, "cleo")]
    first, second = found.snapshots()
    assert second.parent_snapshot_id == first.snapshot_id
    assert rows(found, lake, snapshot_id=first.snapshot_id) == [(1, "ann"), (2, "bob")]


def test_files_are_where_a_test_says(
    polaris: RestCatalog, polaris_namespace: str, minio_bucket: str, lake: DuckDBPyConnection, minio_files: S3FileSystem
) -> None:
    """A table's files can be in the test's own bucket, metadata and rows."""
    table = polaris.create_table(f"{polaris_namespace}.orders", ORDERS, location=f"s3://{minio_bucket}/orders")
    append(table, lake, minio_files, "only", (1, "ann"))
    assert rows(table, lake) == [(1, "ann")]
    assert {path.split("/")[2] for path in minio_files.find(minio_bucket)} == {"data", "metadata"}


@pytest.mark.parametrize("turn", [1, 2])
def test_namespace_is_new(polaris: RestCatalog, polaris_namespace: str, run_id: str, turn: int) -> None:
    """Each test has an empty namespace of its own, whose name tells the run."""
    assert polaris.list_tables(polaris_namespace) == []
    made = Made.read(polaris_namespace)
    assert made is not None
    assert made.tag == run_tag(run_id)
    polaris.create_table(f"{polaris_namespace}.orders{turn}", ORDERS)


def test_table_is_kept_as_it_was_made(polaris_catalog: RestCatalog, polaris_namespace: str) -> None:
    """A table's schema and a later change of it are what the server gives back, until the table is dropped."""
    name = f"{polaris_namespace}.orders"
    table = polaris_catalog.create_table(name, ORDERS, properties={"owner": "ann"})
    with table.update_schema() as change:
        change.add_column("amount", LongType())
    found = polaris_catalog.load_table(name)
    assert [field.name for field in found.schema().fields] == ["id", "customer", "amount"]
    assert found.properties["owner"] == "ann"
    polaris_catalog.drop_table(name)
    with pytest.raises(NoSuchTableError):
        polaris_catalog.load_table(name)


@pytest.mark.requirement("REQ-645")
def test_namespace_is_gone_after(polaris: RestCatalog, run_id: str) -> None:
    """A namespace is dropped after the test, with its tables and with namespaces within it."""
    with client.temporary_namespace(polaris, unique_name("after", run_id)) as name:
        polaris.create_table(f"{name}.orders", ORDERS)
        polaris.create_namespace((name, "inner"))
        polaris.create_table((name, "inner", "orders"), ORDERS)
        assert name in client.namespaces(polaris)
    assert name not in client.namespaces(polaris)


def test_namespace_may_be_dropped_by_the_test(polaris: RestCatalog, run_id: str) -> None:
    """A test may drop its namespace itself."""
    with client.temporary_namespace(polaris, unique_name("own", run_id)) as name:
        polaris.drop_namespace(name)
        assert name not in client.namespaces(polaris)


def test_token_is_asked_for(polaris_config: PolarisConfig, run_id: str) -> None:
    """A client that has a secret gets a token for it, and works with that; this server takes any secret."""
    config = polaris_config.model_copy(update={"client_secret": SecretStr("any")})
    with client.connect(config) as catalog, client.temporary_namespace(catalog, unique_name("token", run_id)) as name:
        assert name in client.namespaces(catalog)


@pytest.mark.requirement("REQ-642")
def test_catalog_is_healthy() -> None:
    """The catalog is found, and answers in its own language, as any service of the tier."""
    health = check_service_health("polaris")
    assert health.healthy, health
