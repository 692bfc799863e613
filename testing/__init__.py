"""Tests against real services: connections, clean data per test, and waits that say what they waited for."""

from testing.errors import FloeTestingError
from testing.polling import (
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
