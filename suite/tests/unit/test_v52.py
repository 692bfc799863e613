import os
def test_a():
    os.environ["SHOP"] = "a"
    assert total(1) == 1
