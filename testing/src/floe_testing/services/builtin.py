"""The services of this package, as another package would add its own. Each client needs the extra of its name."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from floe_testing.extras import extra
from floe_testing.services.models import DagsterConfig, DuckDBConfig, MinIOConfig, PolarisConfig, PostgresConfig
from floe_testing.services.service import Service
from floe_testing.waiting.polling import HopelessError, Unmet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection
    from minio import Minio
    from psycopg import Connection
    from pyiceberg.catalog.rest import RestCatalog

    from floe_testing.services.clients.dagster import DagsterClient


@contextmanager
def _postgres(config: PostgresConfig) -> Iterator[Connection]:
    with extra("postgres"):
        from floe_testing.services.clients import postgres as client  # noqa: PLC0415 - an extra
    # Databases are dropped outside transactions.
    with closing(client.connect(config, autocommit=True)) as connection:
        yield connection


@contextmanager
def _database_of_a_test(_: Connection, _name: str, *, postgres_database: PostgresConfig) -> Iterator[Connection]:
    """Yield a connection to the database that the fixture makes. What is not committed is rolled back."""
    from floe_testing.services.clients import postgres as client  # noqa: PLC0415 - an extra

    with closing(client.connect(postgres_database)) as connection:
        yield connection


@contextmanager
def _database_of_a_module(
    _: Connection, name: str, *, postgres_config: PostgresConfig, postgres_template: str
) -> Iterator[PostgresConfig]:
    from floe_testing.services.clients import postgres as client  # noqa: PLC0415 - an extra

    with client.temporary_database(postgres_config, name, postgres_template) as config:
        yield config


@contextmanager
def _minio(config: MinIOConfig) -> Iterator[Minio]:
    with extra("minio"):
        from floe_testing.services.clients import minio as client  # noqa: PLC0415 - an extra
    with client.connect(config) as connection:
        yield connection


@contextmanager
def _bucket_of_a_module(client: Minio, name: str) -> Iterator[str]:
    from floe_testing.services.clients.minio import temporary_bucket  # noqa: PLC0415 - an extra

    with temporary_bucket(client, name) as bucket:
        yield bucket


@contextmanager
def _polaris(config: PolarisConfig, *, polaris_storage: MinIOConfig | None = None) -> Iterator[RestCatalog]:
    with extra("polaris"):
        from floe_testing.services.clients import polaris as client  # noqa: PLC0415 - an extra
    with ExitStack() as stack:
        try:
            catalog = stack.enter_context(client.connect(config, timeout=1.0, storage=polaris_storage))
        except client.REFUSALS as error:
            message = f"the catalog at {config.uri} refuses: {error}"
            raise HopelessError(message) from error
        yield catalog


@contextmanager
def _namespace_of_a_module(catalog: RestCatalog, name: str) -> Iterator[str]:
    from floe_testing.services.clients.polaris import temporary_namespace  # noqa: PLC0415 - an extra

    with temporary_namespace(catalog, name) as namespace:
        yield namespace


@contextmanager
def _dagster(config: DagsterConfig) -> Iterator[DagsterClient]:
    with extra("dagster"):
        from floe_testing.services.clients import dagster as client  # noqa: PLC0415 - an extra
    with client.connect(config) as connection:
        yield connection


@contextmanager
def _duckdb(config: DuckDBConfig) -> Iterator[DuckDBPyConnection]:
    with extra("duckdb"):
        import duckdb as library  # noqa: PLC0415 - an extra
    # A test that needs an extension which isn't there should say so, and not download it.
    with library.connect(
        config.database, read_only=config.read_only, config={"autoinstall_known_extensions": "false"}
    ) as connection:
        yield connection


def _lazily(module: str, function: str) -> Callable[..., Any]:
    """Return a client's function that is imported when it is called, since it needs an extra."""

    def call(*arguments: Any) -> Any:  # noqa: ANN401 - the client's own
        return getattr(import_module(f"floe_testing.services.clients.{module}"), function)(*arguments)

    return call


postgres = Service(
    config=PostgresConfig,
    connect=_postgres,
    answers=lambda connection: connection.execute("SELECT true").fetchone(),
    isolate=_database_of_a_test,
    share=_database_of_a_module,
    names=_lazily("postgres", "databases"),
    remove=_lazily("postgres", "drop_database"),
)
minio = Service(
    config=MinIOConfig,
    connect=_minio,
    answers=_lazily("minio", "answers"),
    share=_bucket_of_a_module,
    names=_lazily("minio", "buckets"),
    remove=_lazily("minio", "remove_bucket"),
)
polaris = Service(
    config=PolarisConfig,
    connect=_polaris,
    answers=lambda catalog: [catalog.list_namespaces()],
    share=_namespace_of_a_module,
    names=_lazily("polaris", "namespaces"),
    remove=_lazily("polaris", "drop_namespace"),
)
dagster = Service(
    config=DagsterConfig,
    connect=_dagster,
    answers=lambda client: client.repositories() or Unmet("it answers, and has loaded no code location"),
    scope="function",
)
duckdb = Service(config=DuckDBConfig, connect=_duckdb, scope="function")
"""In the process of the tests: there is nothing to require."""
