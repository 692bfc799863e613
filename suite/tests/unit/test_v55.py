import sys
def test_a():
    sys.path.insert(0, "/x")
    import shop
    assert shop.total(1) == 1
