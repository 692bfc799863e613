def test_orders():
    found = list_orders()
    n = len(found)
    assert n == 3
