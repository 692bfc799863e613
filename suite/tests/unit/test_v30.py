import unittest
class T(unittest.TestCase):
    def test_a(self):
        self.assertEqual(total(1), 1)
    def test_b(self):
        self.assertEqual(total(2), 2)
    async def test_a(self):
        self.assertEqual(total(3), 3)
