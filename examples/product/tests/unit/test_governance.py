"""A product that breaks a policy is refused, with the rule's name, before anything is made of it."""

from pathlib import Path

import pytest

from product.__main__ import main

ORDERS = Path(__file__).parents[2] / "products" / "daily_orders.yml"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("name: daily_orders", "name: Daily-Orders", "name: naming: 'Daily-Orders' does not match [a-z][a-z0-9_-]*"),
        ("  orders: {", "  Orders: {", "columns.Orders: naming: 'Orders' does not match"),
        ("owner: shop@example.com\n", "", "owner: required-metadata: is missing"),
        (', description: "How many orders there were"', "", "columns.orders: required-metadata: has no description"),
        (
            "classification: internal",
            "classification: personal",
            "columns.revenue: forbidden-classification: 'personal' may be in no product",
        ),
    ],
)
def test_violation(tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, said: str) -> None:
    """The file, the place, the rule and the reason are in one line; nothing is compiled."""
    file = tmp_path / "orders.yml"
    file.write_text(ORDERS.read_text().replace(before, after))
    assert main(["compile", str(file)]) == 1
    told = capsys.readouterr()
    assert f"{file}: {said}" in told.err
    assert told.out == ""


def test_all_violations_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of every product are told at once, and one product that breaks a rule holds the others back."""
    file = tmp_path / "orders.yml"
    broken = ORDERS.read_text().replace("owner: shop@example.com", "").replace("namespace: shop", "namespace: Shop")
    file.write_text(broken.replace("classification: public", "classification: secret"))
    assert main(["compile", str(ORDERS), str(file)]) == 1
    told = capsys.readouterr()
    assert [line.split(": ")[2] for line in told.err.splitlines()] == [
        "naming",
        "required-metadata",
        "forbidden-classification",
    ]
    assert told.out == ""


def test_product_that_keeps_to_the_rules() -> None:
    """The shop's own product is taken."""
    assert main(["check", str(ORDERS)]) == 0
