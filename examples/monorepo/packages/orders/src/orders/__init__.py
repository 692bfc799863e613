"""Orders, in PostgreSQL."""

import psycopg

from prices import price


def prepare(connection: psycopg.Connection) -> None:
    """Make the table."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS orders (item text NOT NULL, amount int NOT NULL, cents int NOT NULL)"
    )


def place(connection: psycopg.Connection, item: str, amount: int) -> int:
    """Place an order, and return what it costs, in cents."""
    cents = price(item, amount)
    connection.execute("INSERT INTO orders VALUES (%s, %s, %s)", (item, amount, cents))
    return cents


def turnover(connection: psycopg.Connection) -> int:
    """Return what all orders cost, in cents."""
    (cents,) = connection.execute("SELECT coalesce(sum(cents), 0) FROM orders").fetchone()
    return cents
