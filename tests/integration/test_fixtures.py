"""What fixtures make is clean, is one's own, and is gone after."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from floe_testing.isolation.naming import Made, run_tag, unique_name
from floe_testing.services.clients import minio as minio_client
from floe_testing.services.clients import postgres as postgres_functions

if TYPE_CHECKING:
    import psycopg
    from minio import Minio

    from floe_testing.services import PostgresConfig

pytestmark = pytest.mark.requirement("REQ-645")

ALIASES = {"postgres_connection": "postgres", "minio_client": "minio", "duckdb_connection": "duckdb"}


def databases(config: PostgresConfig) -> list[str]:
    """Return the names of the server's databases."""
    with postgres_functions.connect(config) as connection:
        return postgres_functions.databases(connection)


def test_database_is_gone_after(postgres_config: PostgresConfig, run_id: str) -> None:
    """A test's database is dropped after it, though a connection to it is still open."""
    name = unique_name("after", run_id)
    with postgres_functions.temporary_database(postgres_config, name) as config:
        left_open = postgres_functions.connect(config)
        assert name in databases(postgres_config)
    left_open.close()
    assert name not in databases(postgres_config)


def test_database_is_gone_after_a_failure(postgres_config: PostgresConfig, run_id: str) -> None:
    """A test that fails leaves no database."""
    name = unique_name("failed", run_id)
    with pytest.raises(ZeroDivisionError), postgres_functions.temporary_database(postgres_config, name):
        raise ZeroDivisionError
    assert name not in databases(postgres_config)


def test_bucket_is_gone_after(minio: Minio, run_id: str) -> None:
    """A test's bucket is removed after it, with all versions of its objects."""
    name = unique_name("after", run_id)
    with minio_client.temporary_bucket(minio, name):
        for content in (b"one", b"other"):
            minio.put_object(name, "folder/object", io.BytesIO(content), len(content))
        assert minio.bucket_exists(name)
    assert not minio.bucket_exists(name)


def test_bucket_may_be_removed_by_the_test(minio: Minio, run_id: str) -> None:
    """A test may remove its bucket itself."""
    with minio_client.temporary_bucket(minio, unique_name("own", run_id)) as name:
        minio.remove_bucket(name)


@pytest.mark.requirement("T042")
@pytest.mark.requirement("T044")
def test_names_tell_the_run(postgres: psycopg.Connection, minio_bucket: str, run_id: str) -> None:
    """The names of a test's database and bucket tell the run that they belong to."""
    for name in (postgres.info.dbname, minio_bucket):
        made = Made.read(name)
        assert made is not None
        assert made.tag == run_tag(run_id)


@pytest.mark.requirement("T041")
@pytest.mark.requirement("T043")
@pytest.mark.parametrize("alias", ALIASES)
def test_other_name_is_the_same_thing(request: pytest.FixtureRequest, alias: str) -> None:
    """A fixture's other name gives what its short one does."""
    assert request.getfixturevalue(alias) is request.getfixturevalue(ALIASES[alias])


@pytest.mark.parametrize("turn", [1, 2])
def test_module_shares_a_database_and_a_bucket(
    postgres_module: PostgresConfig, minio_module: str, minio: Minio, turn: int
) -> None:
    """What one test of a module leaves in the module's database and bucket, the next one finds."""
    with postgres_functions.connect(postgres_module) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS turns (turn integer)")
        connection.execute("INSERT INTO turns VALUES (%s)", (turn,))
        assert connection.execute("SELECT max(turn), count(*) FROM turns").fetchone() == (turn, turn)
    minio.put_object(minio_module, str(turn), io.BytesIO(b"x"), 1)
    assert len(list(minio.list_objects(minio_module))) == turn


def test_client_is_of_the_server(postgres_client: psycopg.Connection, postgres_database: PostgresConfig) -> None:
    """A session's client of PostgreSQL sees the databases of tests, and commits by itself."""
    assert postgres_client.autocommit
    names = {name for (name,) in postgres_client.execute("SELECT datname FROM pg_database").fetchall()}
    assert postgres_database.database in names
