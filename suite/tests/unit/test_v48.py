import sys, unittest
class T(unittest.TestCase):
    def test_a(self):
        if sys.platform == "linux":
            self.assertEqual(total(1), 1)
