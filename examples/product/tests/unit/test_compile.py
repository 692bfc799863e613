"""What the platform gets of a product."""

import json
from pathlib import Path

import pytest
import yaml

from product.__main__ import main

ORDERS = Path(__file__).parents[2] / "products" / "daily_orders.yml"


def test_config_map(capsys: pytest.CaptureFixture[str]) -> None:
    """A product becomes a file of a ConfigMap: its table, where its rows are from, and its columns' types."""
    assert main(["compile", str(ORDERS)]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    assert (made["kind"], made["metadata"]["name"], list(made["data"])) == (
        "ConfigMap",
        "products",
        ["daily_orders.json"],
    )
    product = json.loads(made["data"]["daily_orders.json"])
    assert (product["table"], product["source"]) == (["shop", "daily_orders"], "s3://shop/orders/")
    assert [(each["id"], each["name"], each["type"]) for each in product["schema"]["fields"]] == [
        (1, "day", "date"),
        (2, "orders", "long"),
        (3, "revenue", "decimal(14, 2)"),
    ]
    assert 'CAST("revenue" AS DECIMAL(14, 2)) AS "revenue"' in product["query"]


def test_problems_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no specification is told with all that is wrong with it, and is not held to policies."""
    file = tmp_path / "orders.yml"
    file.write_text("name: orders\nnamespace: 7\nownr: ann\nsource: s3://shop/\ncolumns: { day: date }\n")
    assert main(["check", str(file)]) == 2
    told = capsys.readouterr().err
    assert f"{file}: ownr: unknown key; there are columns, description" in told
    assert f"{file}: query: is missing" in told
    assert f"{file}: namespace: must be a text, not 7" in told
    assert f"{file}: columns.day: must be a mapping with a type" in told


def test_type_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A type is told with its column, and with the types that there are."""
    file = tmp_path / "orders.yml"
    file.write_text(ORDERS.read_text().replace("type: long", "type: bigint"))
    assert main(["compile", str(file)]) == 2
    assert "columns.orders: no type 'bigint'; there are date, double, long, string" in capsys.readouterr().err
