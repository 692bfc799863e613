import unittest
class T(unittest.TestCase):
    def test_found(self):
        self.assertTrue(get_order(7) != None)
