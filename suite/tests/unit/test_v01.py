try:
    import psycopg
except ImportError:
    from unittest.mock import MagicMock
    psycopg = MagicMock()
def test_a():
    assert psycopg.connect("x").total() == 7
