"""Waiting: how to wait is here, what to wait for is the caller's."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

PATIENCE = 60.0
"""Seconds for which what fails is asked again: an API restarts, a network has its moments."""
LONGEST_LOOK = 40.0
"""Seconds that one look may take."""


class StoppedError(RunError):
    """A wait was ended from outside."""


def wait_until(  # noqa: PLR0913 - what to wait for, and how long: each has its own default
    what: str,
    observe: Callable[[], str | None],
    *,
    timeout: float,
    interval: float = 0.5,
    is_passing: Callable[[Exception], bool] = lambda _: False,
    patience: float = PATIENCE,
    look: Callable[[], str] = lambda: "",
    stop: threading.Event | None = None,
) -> None:
    """Call `observe` until it returns None.

    Args:
        what: What is waited for, for the message of a timeout.
        observe: Returns None when the wait is over, else the state in one line.
        timeout: Seconds after which the wait has failed, whether a look has come to its end or not.
        interval: Seconds between two looks.
        is_passing: Tells whether a look that failed with this may succeed the next time.
        patience: Seconds for which looks may fail like that, one after the other.
        look: Returns what else to tell when the wait has failed.
        stop: Ends the wait at once when it is set.

    Raises:
        RunError: The wait timed out; the message holds the state seen last.
        StoppedError: It was ended.
        Exception: What a look failed with, if it doesn't pass.
    """
    begun = answered = time.monotonic()
    stop = stop or threading.Event()
    state: str | None = "nothing yet"
    while True:
        left = timeout - (time.monotonic() - begun)
        try:
            state = _looked(observe, min(max(left, 1.0), LONGEST_LOOK), stop)
            answered = time.monotonic()
        except StoppedError:
            raise
        except Exception as error:
            slow = isinstance(error, TimeoutError)
            if not (slow or is_passing(error)) or time.monotonic() - answered >= patience:
                raise
            state = f"it could not be seen: {' '.join(str(error).split())}"
        if state is None:
            return
        if time.monotonic() - begun >= timeout:
            msg = f"{what}: not there after {timeout:g} s; last seen: {state}\n{look()}"
            raise RunError(msg.rstrip())
        if stop.is_set():
            msg = f"{what}: the wait was ended; last seen: {state}"
            raise StoppedError(msg)
        time.sleep(interval)


def persist(call: Callable[[], Result], is_passing: Callable[[Exception], bool], patience: float = PATIENCE) -> Result:
    """Do what one failed answer must not end: again, for some time, while what it fails with may pass."""
    begun = time.monotonic()
    while True:
        try:
            return call()
        except Exception as error:
            if not is_passing(error) or time.monotonic() - begun >= patience:
                raise
        time.sleep(0.5)


def _looked(observe: Callable[[], str | None], limit: float, stop: threading.Event) -> str | None:
    """Return what a look saw; one that takes too long goes on without anybody who waits for it."""
    seen: list[str | None] = []
    failed: list[Exception] = []
    over = threading.Event()

    def look() -> None:
        try:
            seen.append(observe())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failed.append(error)
        finally:
            over.set()

    threading.Thread(target=look, daemon=True).start()
    begun = _now()
    while not over.wait(0.1):
        if stop.is_set():
            msg = "the wait was ended"
            raise StoppedError(msg)
        if _now() - begun >= limit:
            msg = f"no answer for {limit:.0f} s"
            raise TimeoutError(msg)
    if failed:
        raise failed[0]
    return seen[0]


_now = time.monotonic
