import unittest
class T(unittest.TestCase):
    def test_a(self):
        try:
            place(-1)
        except ValueError as e:
            self.assertIn("negative", str(e))
