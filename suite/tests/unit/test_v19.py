import contextlib
def test_a():
    with contextlib.suppress(Exception):
        assert order().total() == 7
