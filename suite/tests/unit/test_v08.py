import unittest
class T(unittest.TestCase):
    def test_found(self):
        order = find_order(7)
        self.assertIsNotNone(order)
