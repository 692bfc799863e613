"""PostgreSQL keeps what is committed, nothing else, and loses no update."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from floe_testing.services import PostgresConfig
from floe_testing.services.clients.postgres import connect

pytestmark = pytest.mark.requirement("REQ-640")

WRITERS = 8
ROUNDS = 10


def test_committed_schema_is_seen_by_another_connection(
    postgres: psycopg.Connection, postgres_database: PostgresConfig
) -> None:
    """A schema with a table is there for other connections as soon as it is committed, and not before."""
    columns = (
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'sales' AND table_name = 'orders' ORDER BY ordinal_position"
    )
    postgres.execute("CREATE SCHEMA sales")
    postgres.execute("CREATE TABLE sales.orders (id bigint PRIMARY KEY, amount numeric NOT NULL)")
    with connect(postgres_database) as other:
        assert other.execute(columns).fetchall() == []
        other.rollback()
        postgres.commit()
        assert other.execute(columns).fetchall() == [("id", "bigint"), ("amount", "numeric")]


def test_constraint_is_enforced(postgres: psycopg.Connection) -> None:
    """A second row with the same key is refused."""
    postgres.execute("CREATE TABLE orders (id bigint PRIMARY KEY)")
    postgres.execute("INSERT INTO orders VALUES (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        postgres.execute("INSERT INTO orders VALUES (1)")


def test_rollback_leaves_nothing(postgres: psycopg.Connection, postgres_database: PostgresConfig) -> None:
    """A transaction that ends with an error leaves neither its rows nor its tables."""
    postgres.execute("CREATE TABLE orders (id bigint)")
    postgres.commit()
    with pytest.raises(ZeroDivisionError), postgres.transaction():  # noqa: PT012 - what is undone
        postgres.execute("INSERT INTO orders SELECT generate_series(1, 100)")
        postgres.execute("CREATE TABLE half_done ()")
        raise ZeroDivisionError
    with connect(postgres_database) as other:
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        assert other.execute("SELECT to_regclass('half_done')").fetchone() == (None,)


def test_concurrent_writers_lose_no_update(postgres: psycopg.Connection, postgres_database: PostgresConfig) -> None:
    """Writers that read a row, add to it and write it back, all at once, each find the others' work."""
    postgres.execute("CREATE TABLE counter (value integer NOT NULL)")
    postgres.execute("INSERT INTO counter VALUES (0)")
    postgres.commit()

    def write() -> None:
        with connect(postgres_database) as connection:
            for _ in range(ROUNDS):
                with connection.transaction():
                    row = connection.execute("SELECT value FROM counter FOR UPDATE").fetchone()
                    assert row is not None
                    connection.execute("UPDATE counter SET value = %s", (row[0] + 1,))

    with ThreadPoolExecutor(WRITERS) as pool:
        for writer in [pool.submit(write) for _ in range(WRITERS)]:
            writer.result()
    assert postgres.execute("SELECT value FROM counter").fetchone() == (WRITERS * ROUNDS,)


@pytest.mark.requirement("REQ-645", "REQ-645.4")
def test_each_test_has_an_empty_database(postgres: psycopg.Connection) -> None:
    """A test's database has no table of another test."""
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    assert postgres.execute(tables).fetchall() == []
