import os
def test_a():
    if not os.environ.get("DB"):
        return
    assert total(1) == 1
