import time
def settle():
    time.sleep(2)
def test_a(worker):
    worker.submit(7)
    settle()
    assert worker.done == 1
