import shutil
def test_a():
    shutil.rmtree("/var/orders")
    assert orders() == []
