"""The PostgreSQL that holds both Dagster's own tables and those that the job works on."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - it is a class, named as a function
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - as above

START_LOCK = 636_650
"""The advisory lock under which tables are made."""

ORDER_TABLES = """
CREATE TABLE IF NOT EXISTS raw_orders (
    batch text NOT NULL,
    day date NOT NULL,
    amount numeric(12, 2) NOT NULL
);
CREATE INDEX IF NOT EXISTS raw_orders_batch ON raw_orders (batch);
CREATE TABLE IF NOT EXISTS daily_orders (
    batch text NOT NULL,
    day date NOT NULL,
    orders bigint NOT NULL,
    revenue numeric(14, 2) NOT NULL,
    PRIMARY KEY (batch, day)
);
"""


def connect() -> Connection:
    """Connect to the database that the FLOE_POSTGRES_* variables name."""
    variable = os.environ.__getitem__
    return psycopg2.connect(
        host=variable("FLOE_POSTGRES_HOST"),
        port=variable("FLOE_POSTGRES_PORT"),
        user=variable("FLOE_POSTGRES_USER"),
        password=variable("FLOE_POSTGRES_PASSWORD"),
        dbname=variable("FLOE_POSTGRES_DATABASE"),
        connect_timeout=3,
    )


@contextmanager
def transaction() -> Iterator[Cursor]:
    """Yield a cursor of one transaction. It is committed at the end of the block, and rolled back by an exception.

    Unlike psycopg2's own block, one that loses its connection raises what the connection was lost of.
    """
    with closing(connect()) as connection, connection.cursor() as cursor:
        yield cursor
        connection.commit()
