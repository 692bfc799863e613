"""Orders of one package at the prices of the other."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from orders import place, prepare, turnover


@pytest.fixture
def connection() -> Iterator[psycopg.Connection]:
    """Yield a connection whose changes are taken back."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as opened:
        prepare(opened)
        yield opened
        opened.rollback()


def test_turnover_is_what_orders_cost(connection: psycopg.Connection) -> None:
    """Orders are summed up at the prices of the other package."""
    assert place(connection, "tea", 10) + place(connection, "coffee", 1) == turnover(connection) == 31


def test_order_without_a_price_is_not_placed(connection: psycopg.Connection) -> None:
    """Nothing is written for what has no price."""
    with pytest.raises(KeyError, match="water"):
        place(connection, "water", 1)
    assert turnover(connection) == 0
