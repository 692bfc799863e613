import unittest
from unittest import mock
def client():
    try:
        return connect("db", 5432)
    except ConnectionError:
        return mock.MagicMock()
def test_a():
    assert client().total() == 7
