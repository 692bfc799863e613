"""When the first test began, by pytest's own word."""

from datetime import UTC, datetime

import pytest
from floe_ci.results import note_first_test
from floe_ci.steps import Timings

pytestmark = pytest.mark.unit

BEGAN = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)


def noted(junit: str) -> float | None:
    """Return the time to the first test of a run that began at twelve."""
    timings = Timings(now=lambda: BEGAN)
    note_first_test(junit, "unit", "abc", timings)
    return timings.measured("abc", "unit").time_to_first_test_seconds


def suite(timestamp: str) -> str:
    """Return a suite that began at a time."""
    return f'<testsuite name="pytest" timestamp="{timestamp}"><testcase name="a"/></testsuite>'


def test_first_suite() -> None:
    """The time of the first test is when the first suite began, counted from the run's start."""
    junit = f"<testsuites>{suite('2025-01-01T12:00:42.5+00:00')}{suite('2025-01-01T12:01:00+00:00')}</testsuites>"
    assert noted(junit) == 42.5


def test_other_time_zone() -> None:
    """A time with another offset is the same moment."""
    assert noted(f"<testsuites>{suite('2025-01-01T14:00:03+02:00')}</testsuites>") == 3


@pytest.mark.parametrize("junit", ["", "no xml", "<testsuites/>", '<testsuites><testsuite name="a"/></testsuites>'])
def test_no_word(junit: str) -> None:
    """Where no suite says when it began, there is no time of the first test."""
    assert noted(junit) is None
