"""The base classes, each by a real test of its kind."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from floe_testing.base_classes import AdapterTestBase, IntegrationTestBase, PluginTestBase
from floe_testing.services import ServiceFixture, ServiceRequirement
from floe_testing.services.clients import postgres as postgres_client

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from s3fs import S3FileSystem

    from floe_testing.services import PostgresConfig


@pytest.mark.requirement("T026")
@pytest.mark.requirement("T033")
class TestOrders(IntegrationTestBase):
    """Orders are kept in a schema of the test's own, in the database that all share."""

    # floe: ignore[FT603] a requirement with a port of its own, as a user writes it
    required_services = ("postgres", ServiceRequirement(name="minio", port=9000))
    seen: ClassVar[list[str]] = []

    @pytest.mark.parametrize("amount", [1, 2])
    def test_order_is_kept(self, postgres_config: PostgresConfig, amount: int) -> None:
        """An order is found in the schema where it was put, and in no other test's."""
        connection = self.using(closing(postgres_client.connect(postgres_config)))
        connection.execute(f'CREATE SCHEMA "{self.namespace}"')
        connection.execute(f'CREATE TABLE "{self.namespace}".orders AS SELECT {amount} AS amount')
        assert connection.execute(f'SELECT amount FROM "{self.namespace}".orders').fetchall() == [(amount,)]  # noqa: S608 - the test's own
        self.seen.append(self.namespace)
        assert len(set(self.seen)) == amount

    @pytest.mark.requirement("T027")
    @pytest.mark.requirement("REQ-642")
    def test_infrastructure_is_there(self) -> None:
        """A service that answers passes the check."""
        self.check_infrastructure("postgres", 5432)


@pytest.mark.requirement("T030")
class TestPostgresPlugin(PluginTestBase):
    """PostgreSQL, as one of the services that packages register."""

    required_services = ("postgres",)
    plugin_type = "floe_testing.services"
    plugin_name = "postgres"
    plugin_interface = ServiceFixture

    def plugin_metadata(self, plugin: ServiceFixture) -> tuple[str, str]:
        """Return the service's name, and the version of the package that has it."""
        distribution = self.entry_point().dist
        assert distribution is not None
        return plugin.service_name, distribution.version

    def test_it_yields_a_client(self) -> None:
        """What the plugin yields answers."""
        yielding = self.using(closing(self.load_plugin()()))
        assert next(yielding).execute("SELECT 1").fetchone() == (1,)


@pytest.mark.requirement("T031")
class TestParquetAdapter(AdapterTestBase):
    """DuckDB's Parquet files in MinIO."""

    required_services = ("minio",)
    source_component = "duckdb"
    target_component = "minio"
    sample: ClassVar[Any] = [(1, "ann", 3.5), (2, "bob", None)]

    @pytest.fixture
    def adapter(self, duckdb: DuckDBPyConnection, minio_files: S3FileSystem, minio_bucket: str) -> Any:  # noqa: ANN401 - as in the base
        """Return DuckDB with MinIO as a file system, and a path there."""
        duckdb.register_filesystem(minio_files)
        return duckdb, f"s3://{minio_bucket}/orders.parquet"

    def send(self, adapter: Any, data: Any) -> None:  # noqa: ANN401 - as in the base
        """Write rows to a table, and the table to the path."""
        duckdb, path = adapter
        duckdb.execute("CREATE TABLE orders (id INTEGER, customer VARCHAR, amount DOUBLE)")
        duckdb.executemany("INSERT INTO orders VALUES (?, ?, ?)", data)
        duckdb.execute(f"COPY orders TO '{path}' (FORMAT parquet)")

    def receive(self, adapter: Any) -> Any:  # noqa: ANN401 - as in the base
        """Read the rows at the path."""
        duckdb, path = adapter
        return duckdb.sql(f"SELECT * FROM read_parquet('{path}') ORDER BY id").fetchall()  # noqa: S608 - the test's own
