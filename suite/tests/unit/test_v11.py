import unittest
class T(unittest.TestCase):
    def test_orders(self):
        self.assertEqual(len(list_orders()), 3)
