"""Waiting: how to wait is here, what to wait for is the caller's."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 60.0
"""Seconds for which what fails is asked again: an API restarts, a network has its moments."""
GLANCE: Final = 0.05
"""Seconds between two glances at whether a wait was told to stop."""
LEAST: Final = 2.0
"""Seconds that one look may take, however little time is left."""
REST: Final = 5.0
"""Seconds after which is looked again, however long the last look took."""

T = TypeVar("T")


class TookTooLong(RunError):  # noqa: N818 - what took too long is its text
    """What was waited for is not there when the time is over."""


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The wait was told to stop."""


def wait_until(  # noqa: PLR0913 - what to wait for, and how long: each has its own default
    what: str,
    observe: Callable[[], str | None],
    *,
    timeout: float,
    interval: float = 0.5,
    is_passing: Callable[[Exception], bool] = lambda _: False,
    patience: float = PATIENCE,
    look: Callable[[], str] = lambda: "",
    is_due: Callable[[], bool] = lambda: True,
    stop: threading.Event | None = None,
) -> None:
    """Call `observe`, in a thread of its own, until it returns None; one call that hangs delays no end.

    Args:
        what: What is waited for, for the message of a timeout.
        observe: Returns None when the wait is over, else the state in one line.
        timeout: Seconds after which the wait has failed.
        interval: Seconds between two looks; as long as a look took where that is longer, for then there is no room.
        is_passing: Tells whether a look that failed with this may succeed the next time.
        patience: Seconds for which looks may fail like that, one after the other.
        look: Returns what else to tell when the wait has failed.
        is_due: Tells, each `interval`, whether to look again; it has to in the end.
        stop: Ends the wait at once when it is set.

    Raises:
        TookTooLong: The wait timed out; the message holds the state seen last.
        Stopped: The wait was told to stop.
        Exception: What a look failed with, if it doesn't pass.
    """
    begun = answered = time.monotonic()
    state: str | None = "nothing yet"
    while True:
        asked = time.monotonic()
        left = timeout - (asked - begun)
        try:
            state = in_time(observe, timeout=max(left, LEAST), stop=stop)
            answered = time.monotonic()
        except Stopped:
            raise
        except NotInTime as error:
            msg = f"{what}: not there after {timeout:g} s; last seen: {state}, and then no answer"
            raise TookTooLong(msg) from error
        except Exception as error:
            if not is_passing(error) or time.monotonic() - answered >= patience:
                raise
            state = f"it could not be seen: {error}"
        if state is None:
            return
        if time.monotonic() - begun >= timeout:
            msg = f"{what}: not there after {timeout:g} s; last seen: {state}\n{look()}"
            raise TookTooLong(msg.rstrip())
        pause(max(interval, min(time.monotonic() - asked, REST)), stop)
        while not is_due():
            pause(interval, stop)


class NotInTime(Exception):  # noqa: N818 - the caller tells what went wrong
    """A call has not come to its end in time."""


def in_time(call: Callable[[], T], *, timeout: float, stop: threading.Event | None = None) -> T:
    """Return what `call` returns, or raise what it raises; it is left alone where it takes longer.

    Args:
        call: Runs in a thread of its own, and is bounded itself: whoever leaves it can't end it.
        timeout: Seconds that it may take.
        stop: Ends the wait for it at once when it is set.

    Raises:
        NotInTime: It took longer.
        Stopped: The wait was told to stop.
    """
    if stop and stop.is_set():
        raise Stopped
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            answers.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    left = timeout
    while True:
        slice_ = min(left, GLANCE) if stop else left
        try:
            answer, error = answers.get(timeout=max(slice_, 0))
        except queue.Empty:
            left -= slice_
            if stop and stop.is_set():
                raise Stopped from None
            if left <= 0:
                msg = f"no answer within {timeout:g} s"
                raise NotInTime(msg) from None
            continue
        if error:
            raise error
        return answer  # type: ignore[return-value]  # without an error it is what was returned


def pause(seconds: float, stop: threading.Event | None = None) -> None:
    """Let time pass.

    Raises:
        Stopped: The wait was told to stop.
    """
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise Stopped
