"""How the driver waits."""

from collections.abc import Callable

import pytest
from floe_ci.driver.poll import wait_until
from floe_ci.errors import RunError


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


@pytest.mark.usefixtures("clock")
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


def failing(times: int) -> Callable[[], str | None]:
    """Return a look that fails some times, and then is over."""
    left = iter(range(times))

    def observe() -> str | None:
        if next(left, None) is not None:
            msg = "no answer"
            raise ConnectionError(msg)
        return None

    return observe


def passes(error: Exception) -> bool:
    """Tell that a lost connection may be found again."""
    return isinstance(error, ConnectionError)


def test_failure_that_passes() -> None:
    """A look that fails with what may pass is taken again."""
    wait_until("it", failing(3), timeout=10, interval=0.001, is_passing=passes)


def test_failure_that_does_not_pass() -> None:
    """A look that fails with anything else ends the wait at once."""
    with pytest.raises(ConnectionError):
        wait_until("it", failing(1), timeout=10, interval=0.001)


@pytest.mark.usefixtures("clock")
def test_patience_ends() -> None:
    """Failures that go on end the wait before its time is over."""
    with pytest.raises(ConnectionError):
        wait_until("it", failing(10**6), timeout=60, interval=0.001, is_passing=passes, patience=0.05)


@pytest.mark.usefixtures("clock")
def test_failures_in_a_row_are_counted_anew() -> None:
    """Patience is for failures one after the other: an answer between them begins it again."""
    looks = iter(range(10**6))

    def observe() -> str | None:
        if next(looks) % 2:
            raise ConnectionError
        return "still waiting"

    with pytest.raises(RunError, match=r"it: not there after 0\.3 s"):
        wait_until("it", observe, timeout=0.3, interval=0.002, is_passing=passes, patience=0.15)


def test_timeout_while_it_fails() -> None:
    """A timeout while looks fail tells with what."""
    with pytest.raises(RunError, match=r"last seen: it could not be seen: no answer$"):
        wait_until("it", failing(10**6), timeout=0, interval=0.001, is_passing=passes)


def test_timeout_looks_closer() -> None:
    """What a closer look finds follows the state in the message, and is sought only then."""
    with pytest.raises(RunError, match=r"^it: not there after 0 s; last seen: empty\nits log ends here$"):
        wait_until("it", lambda: "empty", timeout=0, look=lambda: "its log ends here")
