"""Redis on this machine: a real server, which keeps what it was given, and only for those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Here

PYPROJECT = """
[tool.floe-ci.runner]
install = ["pytest", "redis"]

[tool.floe-ci.tiers.integration]
paths = ["tests"]
services = ["redis"]
"""
TESTS = """
import os
import signal
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis, RedisError
from redis.backoff import ConstantBackoff, NoBackoff
from redis.retry import Retry

ADDRESS = os.environ["FLOE_REDIS_HOST"], int(os.environ["FLOE_REDIS_PORT"])
PASSWORD = os.environ["FLOE_REDIS_PASSWORD"]


def test_data_outlives_the_server():
    patient = Retry(ConstantBackoff(0.1), 300)
    with Redis(*ADDRESS, password=PASSWORD, retry=patient, retry_on_error=[RedisError]) as redis:
        redis.rpush("orders", "shoes", "books")
        os.kill(int(Path(os.environ["FLOE_SERVICES_DIR"], "redis.pid").read_text()), signal.SIGKILL)
        assert redis.lrange("orders", 0, -1) == [b"shoes", b"books"]


@pytest.mark.parametrize("password", [None, "guessed"])
def test_others_are_refused(password):
    with Redis(*ADDRESS, password=password, retry=Retry(NoBackoff(), 0)) as stranger:
        with pytest.raises(AuthenticationError):
            stranger.ping()
"""


def test_redis_is_a_real_server(here: Here) -> None:
    """Data outlives a server that is killed, strangers are refused, and no process and no file is left."""
    (here.repository / "pyproject.toml").write_text(PYPROJECT)
    (here.repository / "tests" / "test_orders.py").write_text(TESTS)
    code, said = here.run("test", "--on", "local")
    assert (code, here.wait_until_clean()) == (0, ([], [])), said
    assert "3 passed" in said
    assert "redis: Valkey" in said.split("redis …")[0]
    log = (here.repository / "results" / "integration" / "logs" / "redis.log").read_text()
    assert log.count("Ready to accept connections") == 2
