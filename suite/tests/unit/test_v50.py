ORDERS = []
def test_a():
    ORDERS.append(7)
    assert total(ORDERS) == 7
def test_b():
    assert total(ORDERS) == 7
