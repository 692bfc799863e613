"""The services of this package, as another package would add its own. Each client needs the extra of its name."""

from __future__ import annotations

from contextlib import closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from floe_testing.extras import extra
from floe_testing.services.models import DagsterConfig, MinIOConfig, PolarisConfig, PostgresConfig
from floe_testing.services.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
def _minio(config: MinIOConfig) -> Iterator[Minio]:
    with extra("minio"):
        from floe_testing.services.clients import minio as client  # noqa: PLC0415 - an extra
    with client.connect(config) as connection:
        yield connection


@contextmanager
def _polaris(config: PolarisConfig) -> Iterator[RestCatalog]:
    with extra("polaris"):
        from floe_testing.services.clients import polaris as client  # noqa: PLC0415 - an extra
    with client.connect(config, timeout=1.0) as catalog:
        yield catalog


@contextmanager
def _dagster(config: DagsterConfig) -> Iterator[DagsterClient]:
    with extra("dagster"):
        from floe_testing.services.clients import dagster as client  # noqa: PLC0415 - an extra
    with client.connect(config) as connection:
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
    names=_lazily("postgres", "databases"),
    remove=_lazily("postgres", "drop_database"),
)
minio = Service(
    config=MinIOConfig,
    connect=_minio,
    answers=lambda client: [client.list_buckets()],
    names=_lazily("minio", "buckets"),
    remove=_lazily("minio", "remove_bucket"),
)
polaris = Service(
    config=PolarisConfig,
    connect=_polaris,
    answers=lambda catalog: [catalog.list_namespaces()],
    names=_lazily("polaris", "namespaces"),
    remove=_lazily("polaris", "drop_namespace"),
)
dagster = Service(config=DagsterConfig, connect=_dagster, answers=lambda client: client.repositories())
