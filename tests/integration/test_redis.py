"""Redis keeps what it was given, and only for those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import AuthenticationError, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.isolation.naming import unique_name
from floe_testing.services import locate

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.services("redis"), pytest.mark.requirement("REQ-637")]


@pytest.mark.requirement("REQ-641.2")
def test_data_outlives_the_server(redis: Redis, restart_service: Callable[[str], None], run_id: str) -> None:
    """What was written is there when another server has taken over, in the order that it was written."""
    key = unique_name("orders", run_id)
    redis.rpush(key, "shoes", "books", "pens")
    restart_service("redis")
    wait_for_condition(redis.ping, PollingConfig(timeout=30, interval=0.2), retry_on=(RedisError,))
    assert redis.lrange(key, 0, -1) == ["shoes", "books", "pens"]
    assert redis.delete(key) == 1


@pytest.mark.parametrize("password", [None, "guessed"])
def test_others_are_refused(password: str | None) -> None:
    """Whoever has another password, or none, gets no answer."""
    address = locate("redis", 6379)
    stranger = Redis(address.host, address.port, password=password, retry=Retry(NoBackoff(), 0), socket_timeout=10)
    with stranger, pytest.raises(AuthenticationError):
        stranger.ping()
