"""Tests against real services: connections, clean data per test, and waits that say what they waited for."""

from testing.errors import FloeTestingError
from testing.polling import ConditionTimeoutError, PollingConfig, Unmet, wait_for_condition

__all__ = ["ConditionTimeoutError", "FloeTestingError", "PollingConfig", "Unmet", "wait_for_condition"]
