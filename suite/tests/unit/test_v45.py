import unittest
class T(unittest.TestCase):
    def test_a(self):
        self.skipTest("")
        self.assertEqual(total(1), 1)
