from datetime import datetime, date
import unittest
class T(unittest.TestCase):
    def test_a(self):
        self.assertEqual(place(7).day, date.today())
