import unittest
class T(unittest.TestCase):
    def test_a(self):
        with self.assertRaises(ValueError) as caught:
            place(-1)
            self.assertEqual("negative", str(caught.exception))
