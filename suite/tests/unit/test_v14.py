import unittest
class T(unittest.TestCase):
    def test_a(self):
        total = order().total()
        self.assertEqual(total, total)
