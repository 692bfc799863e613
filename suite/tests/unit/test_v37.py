import time, unittest
class T(unittest.TestCase):
    def test_a(self):
        start = time.time()
        place(7)
        self.assertLess(time.time() - start, 0.5)
