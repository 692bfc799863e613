import threading
def test_a(worker):
    worker.start()
    threading.Event().wait(2)
    assert worker.done == 1
