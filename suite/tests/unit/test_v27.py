import unittest
class T(unittest.TestCase):
    def test_a(self):
        m = unittest.mock.Mock()
        place(m)
        self.assertTrue(m.called_once_with(7))
