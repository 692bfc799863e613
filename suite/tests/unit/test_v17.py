import unittest
class T(unittest.TestCase):
    def test_a(self):
        self.assertRaises(Exception, place, -1)
