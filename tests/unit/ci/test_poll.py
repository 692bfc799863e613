"""How the driver waits."""

import pytest
from floe_ci.driver.poll import wait_until
from floe_ci.errors import RunError

pytestmark = pytest.mark.unit


def test_over_at_once() -> None:
    """A wait for what is there already is over after one look, whatever the timeout."""
    looks: list[int] = []
    wait_until("it", lambda: looks.append(1), timeout=0)
    assert looks == [1]


def test_looks_until_there_is_no_state() -> None:
    """A wait goes on for as long as there is a state to tell."""
    states = iter(["first", "second", None, "never seen"])
    wait_until("it", lambda: next(states), timeout=10, interval=0.001)
    assert next(states) == "never seen"


def test_timeout_tells_the_state_seen_last() -> None:
    """A wait that fails says what for, for how long, and what was seen last."""
    states = iter(range(10**6))
    with pytest.raises(RunError, match=r"^it: not there after 0\.05 s; last seen: state [1-9]\d*$"):
        wait_until("it", lambda: f"state {next(states)}", timeout=0.05, interval=0.001)


def test_empty_state_is_no_success() -> None:
    """Only None ends a wait: an empty state is a state."""
    with pytest.raises(RunError, match="not there"):
        wait_until("it", lambda: "", timeout=0, interval=0.001)


def test_error_ends_the_wait() -> None:
    """An error of the look is not waited out."""
    with pytest.raises(ZeroDivisionError):
        wait_until("it", lambda: str(1 / 0), timeout=60)
