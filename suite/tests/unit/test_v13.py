import unittest
class T(unittest.TestCase):
    def test_orders(self):
        found = list_orders()
        self.assertEqual(3, found.__len__())
