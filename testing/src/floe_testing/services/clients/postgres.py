"""PostgreSQL, through psycopg 3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from floe_testing.services.models import PostgresConfig
from floe_testing.waiting.condition import Condition
from floe_testing.waiting.polling import PollingConfig, Unmet, wait_for_condition

EMPTY: Final = "template0"
"""The server's own template, which holds nothing."""


def connect(config: PostgresConfig, *, autocommit: bool = False) -> psycopg.Connection:
    """Open a connection. As a context manager it commits, or rolls back on an error, and closes.

    Raises:
        psycopg.OperationalError: The server can't be reached in 5 s, or refuses.
    """
    return psycopg.connect(
        host=config.host,
        port=config.port,
        user=config.user,
        password=config.password.get_secret_value(),
        dbname=config.database,
        autocommit=autocommit,
        connect_timeout=5,
    )


def answering(
    config: PostgresConfig, query: str = "SELECT true", *, probe: float | None = None
) -> Condition[tuple[Any, ...]]:
    """Return the condition that the server answers a query with a row; see `floe_testing.sql_answers`."""

    def look(seconds: float) -> tuple[Any, ...] | Unmet:
        with connect(config) as connection:
            # Of the query alone: connecting has a limit of its own.
            connection.execute(f"SET statement_timeout = {int(seconds * 1000)}")  # a number, so it needs no quoting
            return connection.execute(query.encode()).fetchone() or Unmet("the query found no row")

    not_yet = (psycopg.OperationalError, psycopg.errors.UndefinedTable)
    return Condition(f"PostgreSQL at {config.address} answers {query!r}", look, not_yet, probe)


def wait_until_answers(config: PostgresConfig, timeout: float = 60.0) -> None:
    """Wait until a query is answered.

    Raises:
        ConditionTimeoutError: None was, for `timeout` seconds.
    """
    description = f"PostgreSQL at {config.address} answers"
    wait_for_condition(answering(config), PollingConfig(timeout=timeout, interval=0.2, description=description))


@contextmanager
def temporary_database(config: PostgresConfig, name: str, template: str = EMPTY) -> Iterator[PostgresConfig]:
    """Make a database and yield how to reach it; drop it after, with whatever is still connected to it.

    Args:
        config: The server, and a database of it to connect to.
        name: The new database's name.
        template: The database that it is a copy of.
    """
    with connect(config, autocommit=True) as connection:
        create_database(connection, name, template)
    try:
        yield config.model_copy(update={"database": name})
    finally:
        # A connection of its own: the server may have been restarted since, and be on its way.
        wait_until_answers(config)
        with connect(config, autocommit=True) as connection:
            drop_database(connection, name)


def create_database(connection: psycopg.Connection, name: str, template: str = EMPTY) -> None:
    """Make a database as a copy of another one, to which nobody may be connected."""
    query = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    connection.execute(query)


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drop a database, with whatever is still connected to it. One that is gone already is no error.

    Args:
        connection: To another database of the server, in autocommit mode.
        name: The database's name.
    """
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def databases(connection: psycopg.Connection) -> list[str]:
    """Return the names of the server's databases."""
    return [name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()]
