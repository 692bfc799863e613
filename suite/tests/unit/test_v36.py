from time import sleep
import unittest
class T(unittest.TestCase):
    def test_a(self):
        worker.submit(7)
        sleep(3)
        self.assertEqual(worker.done, 1)
