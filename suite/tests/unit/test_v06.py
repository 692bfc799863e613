import unittest
class T(unittest.TestCase):
    def test_total(self):
        total = order().total()
        print(total)
