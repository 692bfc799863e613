import pytest
_order = None
def test_place():
    global _order
    _order = place(7)
    assert _order.id == 7
def test_total():
    assert _order.total() == 7
