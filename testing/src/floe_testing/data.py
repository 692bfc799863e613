"""Data for tests: the same for the same seed, on every machine.

orders = rows(1000, {"id": serial(), "customer": choice("ann", "bob"), "amount": decimals(0, 100)})
minio.put_object(bucket, "orders.csv", *as_object(as_csv(orders)))
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

Column = Callable[[Random, int], Any]
"""Makes a value from a source of chance and the row's number, which starts at 0."""
Row = dict[str, Any]


def rows(count: int, columns: Mapping[str, Column], seed: int = 0) -> list[Row]:
    """Return rows with a value for each column. A column's values don't change when another one is added.

    Args:
        count: How many rows.
        columns: What makes the values of each.
        seed: Other seeds give other values.
    """
    chance = {name: Random(f"{seed}/{name}") for name in columns}  # noqa: S311 - to be repeated, not to be secret
    return [{name: column(chance[name], number) for name, column in columns.items()} for number in range(count)]


def serial(start: int = 1) -> Column:
    """Return a column of whole numbers, each one more than the one before."""
    return lambda _, number: start + number


def integers(low: int, high: int) -> Column:
    """Return a column of whole numbers between two, both of them included."""
    return lambda chance, _: chance.randint(low, high)


def decimals(low: int, high: int, places: int = 2) -> Column:
    """Return a column of decimals between two whole numbers, with that many places."""
    return lambda chance, _: Decimal(chance.randint(low * 10**places, high * 10**places)).scaleb(-places)


def choice(*values: Any) -> Column:  # noqa: ANN401 - whatever a table has
    """Return a column of some of these values."""
    return lambda chance, _: chance.choice(values)


def texts(length: int = 12, alphabet: str = "abcdefghijklmnopqrstuvwxyzäøß €'\"\n") -> Column:
    """Return a column of texts; the characters are such as programs stumble over."""
    return lambda chance, _: "".join(chance.choices(alphabet, k=length))


def days(start: date, count: int) -> Column:
    """Return a column of dates within so many days from the first on."""
    return lambda chance, _: start + timedelta(days=chance.randrange(count))


def as_csv(table: Sequence[Row]) -> bytes:
    """Return rows as CSV in UTF-8 with a header line; no rows are no bytes."""
    if not table:
        return b""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def as_object(content: bytes) -> tuple[io.BytesIO, int]:
    """Return bytes as MinIO's `put_object` takes them: to read, and how many."""
    return io.BytesIO(content), len(content)
