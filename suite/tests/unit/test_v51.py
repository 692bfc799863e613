import logging
def test_a():
    logging.getLogger().setLevel(logging.DEBUG)
    assert total(1) == 1
