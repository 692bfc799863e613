def test_found():
    if (order := find_order(7)) is not None:
        pass
    assert (found := find_order(7))
