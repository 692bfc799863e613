"""dbt's whole life, with DuckDB and with PostgreSQL."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg2
import pytest

from runtime import lifecycle

Query = Callable[[str], list[tuple[object, ...]]]

PAID = "id,day,status,amount\n1,2026-04-01,paid,80.00\n2,2026-04-01,paid,20.50\n3,2026-04-02,paid,99.00\n"
UNKNOWN = "id,day,status,amount\n1,2026-04-01,paid,80.00\n2,2026-04-01,paid,\n"


@pytest.fixture
def schema() -> str:
    """Return a schema of the test's own."""
    return f"shop_{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["duckdb", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return each of the databases that the project is run with."""
    monkeypatch.setenv("SHOP_DUCKDB", str(tmp_path / "shop.duckdb"))
    return str(request.param)


@pytest.fixture
def query(target: str, schema: str) -> Query:
    """Return a function that asks the database itself, past dbt."""

    def ask(sql: str) -> list[tuple[object, ...]]:
        if target == "duckdb":
            with duckdb.connect(os.environ["SHOP_DUCKDB"]) as database:
                database.execute(f"SET schema = '{schema}'")
                return database.execute(sql).fetchall()
        names = {"dbname": "DATABASE", **{name.lower(): name for name in ("HOST", "PORT", "USER", "PASSWORD")}}
        where = {key: os.environ[f"FLOE_POSTGRES_{name}"] for key, name in names.items()}
        with psycopg2.connect(**where, options=f"-c search_path={schema}") as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    return ask


def test_whole_life(target: str, schema: str, query: Query) -> None:
    """Every step passes, a change is a version more, and nothing is made of orders that fail their test."""
    with lifecycle.Shop(target, schema) as shop:
        first = shop.live()
        assert first.passed == {"seed": 1, "run": 2, "test": 6, "snapshot": 1, "docs": 4}
        assert first.versions == 3

        shop.receive(PAID)
        assert shop.build() == 10
        history = "SELECT status, dbt_valid_to IS NULL FROM orders_history WHERE id = 2 ORDER BY 2"
        assert query(history) == [("placed", False), ("paid", True)]
        daily = "SELECT day::text, orders, revenue::text FROM daily_orders ORDER BY day"
        assert query(daily) == [("2026-04-01", 2, "100.50"), ("2026-04-02", 1, "99.00")]

        shop.receive(UNKNOWN)
        with pytest.raises(lifecycle.FailedError) as failed:
            shop.build()
        told = str(failed.value).splitlines()
        assert told[1].startswith("fail: not_null_orders_amount: Got 1 result")
        assert {"skipped: daily_orders", "skipped: orders_history"} <= set(told)
        assert query(daily) == [("2026-04-01", 2, "100.50"), ("2026-04-02", 1, "99.00")]
