def test_a():
    total = order().total()
    assert total or True
