"""How the driver waits."""

import threading
import time
from collections.abc import Callable

import pytest
from floe_ci.driver.poll import Stopped, TookTooLong, in_time, wait_until
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


def test_slow_look_is_followed_by_a_long_rest() -> None:
    """Where a look takes long, the next one is as far off, however often there would be one."""
    ended: list[float] = []
    rests: list[float] = []

    def observe() -> str | None:
        if ended:
            rests.append(time.monotonic() - ended[-1])
        threading.Event().wait(0.2)
        ended.append(time.monotonic())
        return "pulling" if len(ended) < 3 else None

    wait_until("web", observe, timeout=10, interval=0.001)
    assert len(rests) == 2
    assert min(rests) >= 0.2


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


def hanging(stop: threading.Event) -> Callable[[], str | None]:
    """Return a look that doesn't return until `stop` is set."""

    def observe() -> str | None:
        stop.wait(60)
        return "too late"

    return observe


@pytest.mark.timeout(30)
def test_look_that_hangs() -> None:
    """A look that does not return ends with the wait, not the other way round."""
    over = threading.Event()
    with pytest.raises(TookTooLong, match=r"^it: not there after 0\.1 s; last seen: nothing yet, and then no answer$"):
        wait_until("it", hanging(over), timeout=0.1)
    over.set()


def test_stop_before_the_wait() -> None:
    """A run that was told to stop looks for nothing any more."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        wait_until("it", lambda: pytest.fail("it looked"), timeout=60, stop=stop)


@pytest.mark.timeout(30)
def test_stop_during_a_look() -> None:
    """A wait that is told to stop ends at once, also while a look hangs."""
    stop, over = threading.Event(), threading.Event()

    def observe() -> str | None:
        stop.set()
        over.wait(60)
        return None

    with pytest.raises(Stopped):
        wait_until("it", observe, timeout=60, stop=stop)
    over.set()


@pytest.mark.timeout(30)
def test_stop_between_two_looks() -> None:
    """A wait that is told to stop does not wait for its next look."""
    stop = threading.Event()

    def observe() -> str | None:
        threading.Timer(0.1, stop.set).start()
        return "not yet"

    with pytest.raises(Stopped):
        wait_until("it", observe, timeout=60, interval=50, stop=stop)


def test_call_in_time() -> None:
    """A call that ends in time gives what it returns, or raises what it raises."""
    assert in_time(lambda: 7, timeout=60) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 / 0, timeout=60)
