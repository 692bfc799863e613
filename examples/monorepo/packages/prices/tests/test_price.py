"""What things cost."""

import pytest

from prices import price


@pytest.mark.parametrize(("amount", "cents"), [(1, 3), (9, 27), (10, 27), (11, 30)])
def test_ten_are_cheaper_by_one(amount: int, cents: int) -> None:
    """Of ten, one is for nothing."""
    assert price("tea", amount) == cents


def test_item_without_a_price() -> None:
    """What has no price is an error."""
    with pytest.raises(KeyError, match="water"):
        price("water", 1)
