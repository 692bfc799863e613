"""The record of a run's steps."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from floe_ci.errors import UserError
from floe_ci.listeners import Step
from floe_ci.steps import Measured, Timings


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        """Start somewhere, as a monotonic clock does."""
        self.time = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.time


def fail(timings: Timings, clock: Clock, raised: BaseException) -> None:
    """Fail after three seconds in the step "cluster"."""
    with timings.step("cluster"):
        clock.time += 3
        raise raised


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def timings(clock: Clock) -> Timings:
    """Return a record that has just been started."""
    return Timings(clock, lambda: datetime(2025, 3, 1, 12, 30, tzinfo=UTC))


def test_step_is_measured(timings: Timings, clock: Clock) -> None:
    """A step has its start, counted from the run's, and its duration."""
    clock.time += 2
    with timings.step("cluster"):
        clock.time += 5

    assert timings.steps == (Step("cluster", 2.0, 5.0),)


def test_overlapping_steps_stand_by_start(timings: Timings, clock: Clock) -> None:
    """Steps may overlap, and are listed by their start rather than their end."""
    with timings.step("cluster"):
        clock.time += 1
        with timings.step("images"):
            clock.time += 1

    assert timings.steps == (Step("cluster", 0.0, 2.0), Step("images", 1.0, 1.0))


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (UserError("no lock file"), "no lock file"),
        (KeyError("x"), "KeyError: 'x'"),
        (TimeoutError(), "TimeoutError"),
        (asyncio.CancelledError(), "cancelled"),
        (asyncio.CancelledError("Cancelled via cancel scope 7f00"), "cancelled"),
    ],
)
def test_failed_step_is_recorded(timings: Timings, clock: Clock, raised: BaseException, told: str) -> None:
    """A step that fails or is cancelled is recorded with the reason, which goes on."""
    with pytest.raises(type(raised)):
        fail(timings, clock, raised)

    assert timings.steps == (Step("cluster", 0.0, 3.0, told),)


def test_steps_measured_elsewhere(timings: Timings, clock: Clock) -> None:
    """Steps of another clock are moved to this run's."""
    clock.time += 10
    with timings.step("collect"):
        clock.time += 1
    timings.extend([Step("apply", 0.5, 2.0), Step("wait", 2.5, 1.0, "late")], offset=4.0)
    timings.record(Step("source", 0.0, 0.1))

    assert timings.steps == (
        Step("source", 0.0, 0.1),
        Step("apply", 4.5, 2.0),
        Step("wait", 6.5, 1.0, "late"),
        Step("collect", 10.0, 1.0),
    )


def test_json(timings: Timings, clock: Clock) -> None:
    """The file holds the run, its start in UTC, the total and each step."""
    with timings.step("source"):
        clock.time += 1.23456
    with pytest.raises(UserError):
        fail(timings, clock, UserError("bad"))
    timings.first_test(42.0)
    timings.first_test(40.0)
    timings.first_test(41.0)

    assert json.loads(timings.measured("r1", "integration").to_json()) == {
        "run_id": "r1",
        "tier": "integration",
        "started_at": "2025-03-01T12:30:00+00:00",
        "total_seconds": 4.235,
        "time_to_first_test_seconds": 40.0,
        "steps": [
            {"name": "source", "started_seconds": 0.0, "seconds": 1.235},
            {"name": "cluster", "started_seconds": 1.235, "seconds": 3.0, "error": "bad"},
        ],
    }


def test_no_test_began(timings: Timings) -> None:
    """Without a first test its time is null."""
    assert json.loads(timings.measured("r1", "unit").to_json())["time_to_first_test_seconds"] is None


def test_first_test_is_now(timings: Timings, clock: Clock) -> None:
    """The first test's moment is the clock's, unless it is given."""
    clock.time += 7
    timings.first_test()

    assert timings.measured("r1", "unit").time_to_first_test_seconds == 7.0


def test_json_is_read_back(timings: Timings, clock: Clock) -> None:
    """What was written can be read."""
    with timings.step("cluster"):
        clock.time += 1

    assert Measured.from_json(timings.measured("r1", "e2e").to_json()) == timings.measured("r1", "e2e")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run_id": "x"}', "null"])
def test_unreadable_json(text: str) -> None:
    """What isn't a record is refused with the file's name."""
    with pytest.raises(UserError, match=r"^driver\.json: not a record of timings"):
        Measured.from_json(text, "driver.json")


def test_real_clock() -> None:
    """Without a given clock, time runs and the start is in UTC."""
    timings = Timings()
    with timings.step("a"):
        pass
    measured = timings.measured("r", "unit")

    assert measured.started_at.tzinfo is UTC
    assert 0 <= measured.steps[0].seconds <= measured.total_seconds < 60


def test_error_of_the_engine() -> None:
    """The mark by which the engine finds an error in its telemetry is no part of a step's error."""
    timings = Timings()
    with suppress(RuntimeError), timings.step("build"):
        msg = "exit code: 1 [traceparent:4bf9-00]"
        raise RuntimeError(msg)
    assert timings.steps[0].error == "RuntimeError: exit code: 1"
