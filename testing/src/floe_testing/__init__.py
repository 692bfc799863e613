"""Tests against real services: connections, clean data per test, and waits that say what they waited for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from floe_testing.errors import FloeTestingError

if TYPE_CHECKING:
    from floe_testing.polling import (
        ConditionTimeoutError,
        HopelessError,
        PollingConfig,
        Unmet,
        wait_for_condition,
        wait_for_condition_async,
        wait_for_service,
        wait_for_service_async,
    )

__all__ = [
    "ConditionTimeoutError",
    "FloeTestingError",
    "HopelessError",
    "PollingConfig",
    "Unmet",
    "wait_for_condition",
    "wait_for_condition_async",
    "wait_for_service",
    "wait_for_service_async",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is called
    # Whoever imports a module of this package imports this one: pytest's plugins would wait for what only waits need.
    if name in __all__:
        return getattr(import_module("floe_testing.polling"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
