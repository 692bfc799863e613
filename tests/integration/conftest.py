"""Redis, which the framework has no client of: registered here, as a suite registers a service of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr  # noqa: TC002 - pydantic reads the annotation
from redis import Redis

import floe_testing
from floe_testing import Service, ServiceConfig

if TYPE_CHECKING:
    from collections.abc import Callable


class RedisConfig(ServiceConfig):
    """A Redis server."""

    service: ClassVar[str] = "redis"

    port: int = 6379
    password: SecretStr


def connect(config: RedisConfig) -> Redis:
    """Return a client, which is closed as a context; it connects when it is used."""
    return Redis(
        config.host,
        config.port,
        password=config.password.get_secret_value(),
        socket_timeout=10,
        decode_responses=True,
    )


answers: Callable[[Redis], object] = Redis.ping

floe_testing.register(Service(config=RedisConfig, connect=connect, answers=answers))
