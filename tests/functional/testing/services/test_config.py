"""What is needed to reach a service is read from the environment, whole or with all that is wrong."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import SecretStr, ValidationError, model_validator

from floe_testing.contract import SERVICE_VARIABLES
from floe_testing.services import (
    DagsterConfig,
    DuckDBConfig,
    MinIOConfig,
    PolarisConfig,
    PostgresConfig,
    ServiceConfig,
    ServiceNotDescribedError,
)

POSTGRES = {
    "FLOE_POSTGRES_HOST": "db",
    "FLOE_POSTGRES_PORT": "6000",
    "FLOE_POSTGRES_USER": "ann",
    "FLOE_POSTGRES_PASSWORD": "secret",
    "FLOE_POSTGRES_DATABASE": "shop",
}
CONFIGS: list[type[ServiceConfig]] = [PostgresConfig, MinIOConfig, PolarisConfig, DagsterConfig]


def without(*variables: str, **others: str) -> dict[str, str]:
    """Return PostgreSQL's variables, but for some, and others in addition."""
    return {key: value for key, value in POSTGRES.items() if key not in variables} | others


def test_environment_is_read() -> None:
    """Every variable of PostgreSQL finds its field."""
    config = PostgresConfig.from_environment(POSTGRES)
    assert config == PostgresConfig(host="db", port=6000, user="ann", password=SecretStr("secret"), database="shop")
    assert config.address == "db:6000"


def test_own_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless variables are given, those of this process are read."""
    for name, value in POSTGRES.items():
        monkeypatch.setenv(name, value)
    assert PostgresConfig.from_environment().database == "shop"


def test_usual_port() -> None:
    """A host without a port means the port that PostgreSQL usually has."""
    assert PostgresConfig.from_environment(without("FLOE_POSTGRES_PORT")).port == 5432


@pytest.mark.parametrize("variable", ["FLOE_POSTGRES_USER", "FLOE_POSTGRES_PASSWORD", "FLOE_POSTGRES_DATABASE"])
@pytest.mark.parametrize("value", [None, ""])
def test_lacking_variable(variable: str, value: str | None) -> None:
    """A variable that the contract promises has to be there, though its field has a default; empty is not there."""
    environ = without(variable) if value is None else without(variable, **{variable: value})
    with pytest.raises(ServiceNotDescribedError) as raised:
        PostgresConfig.from_environment(environ)
    assert raised.value.problems == (f"{variable} is not set",)


def test_all_problems_at_once() -> None:
    """Variables that are lacking, one that is wrong, and a host that is nowhere stand in one message, with advice."""
    environ = {"FLOE_POSTGRES_PORT": "many", "FLOE_POSTGRES_USER": "ann"}
    with pytest.raises(ServiceNotDescribedError) as raised:
        PostgresConfig.from_environment(environ)
    lines = str(raised.value).splitlines()
    assert lines[0] == "postgres is needed, and can't be used:"
    assert sorted(lines[1:-1]) == [
        "- FLOE_POSTGRES_DATABASE is not set",
        "- FLOE_POSTGRES_HOST is not set",
        "- FLOE_POSTGRES_PASSWORD is not set",
        "- FLOE_POSTGRES_PORT: Input should be a valid integer, unable to parse string as an integer",
    ]
    assert "floe-ci up --on local" in lines[-1]
    assert "FLOE_NAMESPACE" in lines[-1]


def test_host_that_is_nowhere() -> None:
    """A host that the environment doesn't name is looked for, and each way that was tried is told."""
    with pytest.raises(ServiceNotDescribedError) as raised:
        PostgresConfig.from_environment(without("FLOE_POSTGRES_HOST"))
    (problem,) = raised.value.problems
    assert problem == (
        "no way leads to postgres: FLOE_POSTGRES_HOST is not set; Kubernetes DNS is for pods, and this is none; "
        "no port-forward: FLOE_NAMESPACE is not set, and no cluster is used that nobody named"
    )


def test_password_is_not_shown() -> None:
    """Neither the model nor an error shows a password."""
    assert "secret" not in repr(PostgresConfig.from_environment(POSTGRES))
    with pytest.raises(ServiceNotDescribedError) as raised:
        PostgresConfig.from_environment(POSTGRES | {"FLOE_POSTGRES_PORT": "0"})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("config", CONFIGS)
def test_contract_is_kept(config: type[ServiceConfig]) -> None:
    """Every variable that the contract promises for a service is a field of its configuration."""
    assert {end.lower() for end in SERVICE_VARIABLES.get(config.service, ())} <= set(config.model_fields)


@pytest.mark.requirement("T041", "T043", "T045", "T049")
@pytest.mark.parametrize(
    ("config", "host", "port"),
    [
        (PostgresConfig(password=SecretStr("x")), "postgres.floe-test.svc.cluster.local", 5432),
        (MinIOConfig(secret_key=SecretStr("x")), "minio.floe-test.svc.cluster.local", 9000),
        (PolarisConfig(), "polaris.floe-test.svc.cluster.local", 8181),
        (DagsterConfig(), "dagster-webserver.floe-test.svc.cluster.local", 3000),
    ],
)
def test_defaults_of_the_data_model(config: ServiceConfig, host: str, port: int) -> None:
    """A configuration made by hand has the defaults of the data model."""
    assert (config.host, config.port) == (host, port)


def test_urls() -> None:
    """What is reached over HTTP has a URL, over TLS where that is asked for."""
    assert MinIOConfig(host="s3", secret_key=SecretStr("x")).endpoint == "http://s3:9000"
    assert MinIOConfig(host="s3", secret_key=SecretStr("x"), secure=True).url == "https://s3:9000"
    assert PolarisConfig(host="catalog").uri == "http://catalog:8181/api/catalog"
    assert DagsterConfig(host="dag").url == "http://dag:3000"


def test_minio_over_tls_by_environment() -> None:
    """A variable that need not be there is read where it is."""
    environ = {
        "FLOE_MINIO_HOST": "s3",
        "FLOE_MINIO_ACCESS_KEY": "k",
        "FLOE_MINIO_SECRET_KEY": "s",
        "FLOE_MINIO_SECURE": "true",
    }
    assert MinIOConfig.from_environment(environ).endpoint == "https://s3:9000"


@pytest.mark.parametrize(
    ("url", "host", "port", "secure"),
    [
        ("http://s3.example.com:9001", "s3.example.com", 9001, False),
        ("https://s3.example.com", "s3.example.com", 443, True),
        ("http://s3.example.com/", "s3.example.com", 80, False),
    ],
)
def test_given_by_url(url: str, host: str, port: int, *, secure: bool) -> None:
    """A server that has a URL can be given by it."""
    config = MinIOConfig.model_validate({"endpoint": url, "secret_key": "x"})
    assert (config.host, config.port, config.secure) == (host, port, secure)
    assert PolarisConfig.model_validate({"uri": url}).port == port


@pytest.mark.parametrize(
    "uri", ["http://catalog:8181/api/catalog", "https://catalog.example.com:443/iceberg", "http://catalog:80"]
)
def test_catalog_is_where_its_uri_says(uri: str) -> None:
    """A catalog that was given by its URL is asked at that URL, whatever its path."""
    assert PolarisConfig.model_validate({"uri": uri}).uri == uri


@pytest.mark.parametrize("path", ["/", "", "iceberg/", "/iceberg"])
def test_path_of_a_catalog(path: str) -> None:
    """A catalog's path may have slashes at its ends or not, and may be the root."""
    expected = "http://catalog:8181/iceberg" if "iceberg" in path else "http://catalog:8181"
    assert PolarisConfig(host="catalog", path=path).uri == expected


@pytest.mark.parametrize("url", ["s3.example.com:9000", "ftp://s3.example.com", "http://", "http://s3:many", ""])
def test_wrong_url(url: str) -> None:
    """What is no URL of HTTP is refused, by the name of its field."""
    with pytest.raises(ValidationError, match="endpoint is no URL"):
        MinIOConfig.model_validate({"endpoint": url, "secret_key": "x"})


def test_polaris_credential() -> None:
    """Polaris' credential is what PyIceberg wants, and none where the server asks for none."""
    with_secret = PolarisConfig(client_id="root", client_secret=SecretStr("s3cret"))
    assert with_secret.credential is not None
    assert with_secret.credential.get_secret_value() == "root:s3cret"
    assert PolarisConfig().credential is None


@pytest.mark.requirement("T047")
def test_duckdb_needs_nothing() -> None:
    """DuckDB is in memory and can be written to, unless the environment says otherwise."""
    assert DuckDBConfig.from_environment({}) == DuckDBConfig(database=":memory:", read_only=False)
    environ = {"FLOE_DUCKDB_DATABASE": "a.db", "FLOE_DUCKDB_READ_ONLY": "1"}
    assert DuckDBConfig.from_environment(environ) == DuckDBConfig(database="a.db", read_only=True)


def test_error_of_the_model_as_a_whole() -> None:
    """What a configuration of another package says of its fields together is told like any problem."""

    class PickyConfig(ServiceConfig):
        service: ClassVar[str] = "picky"

        @model_validator(mode="after")
        def _refuse(self) -> PickyConfig:
            message = "host and port don't go together"
            raise ValueError(message)

    with pytest.raises(ServiceNotDescribedError) as raised:
        PickyConfig.from_environment({"FLOE_PICKY_HOST": "a", "FLOE_PICKY_PORT": "1"})
    assert raised.value.problems == ("Value error, host and port don't go together",)


@pytest.mark.parametrize("environ", [{}, {"FLOE_ODD_HOST": "a"}])
def test_service_without_a_usual_port(environ: dict[str, str]) -> None:
    """A service that has no usual port needs one in the environment."""

    class OddConfig(ServiceConfig):
        service: ClassVar[str] = "odd"

    with pytest.raises(ServiceNotDescribedError) as raised:
        OddConfig.from_environment(environ)
    assert "FLOE_ODD_PORT is not set" in raised.value.problems
