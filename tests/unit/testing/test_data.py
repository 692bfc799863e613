"""Generated data is the same for the same seed, and such as was asked for."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import pytest

from floe_testing.data import as_csv, as_object, choice, days, decimals, integers, rows, serial, texts

pytestmark = pytest.mark.requirement("T051")

COLUMNS = {
    "id": serial(),
    "customer": choice("ann", "bob"),
    "quantity": integers(1, 3),
    "price": decimals(5, 10),
    "day": days(date(2026, 2, 27), 3),
    "note": texts(5),
}
EXPECTED = [
    {
        "id": 1,
        "customer": "ann",
        "quantity": 1,
        "price": Decimal("6.27"),
        "day": date(2026, 2, 27),
        "note": "gxäwv",
    },
    {
        "id": 2,
        "customer": "bob",
        "quantity": 2,
        "price": Decimal("5.74"),
        "day": date(2026, 2, 28),
        "note": "m€vdc",
    },
]


def test_same_seed_gives_the_same() -> None:
    """Rows are the same each time, and others with another seed."""
    assert rows(50, COLUMNS, seed=1) == rows(50, COLUMNS, seed=1)
    assert rows(50, COLUMNS, seed=1) != rows(50, COLUMNS, seed=2)


def test_same_everywhere() -> None:
    """Rows are the same on every machine and in every version of Python."""
    assert rows(2, COLUMNS) == EXPECTED


def test_values_are_as_asked_for() -> None:
    """Each column has just the values that it may have, and among many rows all of them."""
    table = rows(500, COLUMNS)
    assert [row["id"] for row in table] == list(range(1, 501))
    assert {row["customer"] for row in table} == {"ann", "bob"}
    assert {row["quantity"] for row in table} == {1, 2, 3}
    assert {row["day"] for row in table} == {date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)}
    assert all(5 <= row["price"] <= 10 and row["price"].as_tuple().exponent == -2 for row in table)
    assert {len(row["note"]) for row in table} == {5}


def test_another_column_changes_no_value() -> None:
    """A column's values stay when another column comes before it."""
    alone = rows(20, {"quantity": integers(1, 1000)})
    with_another = rows(20, {"id": serial(), "quantity": integers(1, 1000)})
    assert [row["quantity"] for row in alone] == [row["quantity"] for row in with_another]


def test_csv_is_read_back() -> None:
    """What stands in the CSV is what stands in the rows, quotes and line ends included."""
    table = rows(100, COLUMNS)
    read = list(csv.DictReader(io.StringIO(as_csv(table).decode(), newline="")))
    assert read == [{name: str(value) for name, value in row.items()} for row in table]
    assert as_csv([]) == b""


def test_object_is_read_in_full() -> None:
    """Bytes become something to read and its length."""
    content, length = as_object(b"abc")
    assert (content.read(), length) == (b"abc", 3)
