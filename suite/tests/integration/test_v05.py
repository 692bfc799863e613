import redis
from unittest.mock import MagicMock
def test_a(monkeypatch):
    monkeypatch.setattr(redis, "Redis", MagicMock())
    assert cached(7) == 7
