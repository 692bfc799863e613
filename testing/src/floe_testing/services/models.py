"""The services that are known here: what each is reached and used with."""

from typing import ClassVar
from urllib.parse import quote

from pydantic import SecretStr

from floe_testing.services.config import ServiceConfig, Settings
from floe_testing.services.requirement import Port


class PostgresConfig(ServiceConfig):
    """A PostgreSQL server, and a database of it."""

    service: ClassVar[str] = "postgres"

    host: str = "postgres.floe-test.svc.cluster.local"
    port: Port = 5432
    user: str = "test"
    password: SecretStr
    database: str = "test"

    @property
    def url(self) -> str:
        """The database's URL, password included, as libpq and most drivers take it."""
        user, password = (quote(part, safe="") for part in (self.user, self.password.get_secret_value()))
        return f"postgresql://{user}:{password}@{self.address}/{quote(self.database, safe='')}"

    def sqlalchemy_url(self, driver: str = "psycopg") -> str:
        """Return the URL with SQLAlchemy's name of a driver: `psycopg`, `asyncpg`, `pg8000`, `psycopg2`."""
        return self.url.replace("postgresql://", f"postgresql+{driver}://", 1)


class MinIOConfig(ServiceConfig):
    """A MinIO server. It can be given by its `endpoint`, a URL, in place of host, port and `secure`."""

    service: ClassVar[str] = "minio"
    given_by: ClassVar[str | None] = "endpoint"

    host: str = "minio.floe-test.svc.cluster.local"
    port: Port = 9000
    secure: bool = False
    """Whether it is spoken to over TLS."""
    access_key: str = "minioadmin"
    secret_key: SecretStr

    @property
    def endpoint(self) -> str:
        """The server's URL."""
        return f"{'https' if self.secure else 'http'}://{self.address}"

    @property
    def url(self) -> str:
        """The same as `endpoint`."""
        return self.endpoint


class PolarisConfig(ServiceConfig):
    """A Polaris server, and a catalog of it. It can be given by its `uri`, in place of host, port and `secure`."""

    service: ClassVar[str] = "polaris"
    given_by: ClassVar[str | None] = "uri"

    host: str = "polaris.floe-test.svc.cluster.local"
    port: Port = 8181
    secure: bool = False
    """Whether it is spoken to over TLS."""
    path: str = "/api/catalog"
    """Where it has its Iceberg REST catalog: another server of that protocol may have it elsewhere, as at `/`."""
    warehouse: str = "test_warehouse"
    """The catalog's name."""
    client_id: str = "root"
    client_secret: SecretStr | None = None
    """None where the server asks for no credential."""

    @classmethod
    def _needed(cls) -> set[str]:
        """Return no field: another server of the protocol has neither a catalog's name nor a credential to give."""
        return set()

    @property
    def uri(self) -> str:
        """The URL of its Iceberg REST catalog."""
        return f"{'https' if self.secure else 'http'}://{self.address}/{self.path.strip('/')}".rstrip("/")

    @property
    def credential(self) -> SecretStr | None:
        """What PyIceberg calls so: the client's id and secret, joined by a colon."""
        if self.client_secret is None:
            return None
        return SecretStr(f"{self.client_id}:{self.client_secret.get_secret_value()}")


class DagsterConfig(ServiceConfig):
    """A Dagster webserver. It can be given by its `url`, in place of host, port and `secure`."""

    service: ClassVar[str] = "dagster"
    given_by: ClassVar[str | None] = "url"

    host: str = "dagster-webserver.floe-test.svc.cluster.local"
    port: Port = 3000
    secure: bool = False
    """Whether it is spoken to over TLS."""

    @property
    def url(self) -> str:
        """The webserver's URL."""
        return f"{'https' if self.secure else 'http'}://{self.address}"


class DuckDBConfig(Settings):
    """A DuckDB database, in the test process."""

    service: ClassVar[str] = "duckdb"

    database: str = ":memory:"
    """A file, or in memory."""
    read_only: bool = False
