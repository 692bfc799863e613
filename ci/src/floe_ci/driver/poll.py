"""Waiting: how to wait is here, what to wait for is the caller's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds for which what fails is asked again: an API restarts, a network has its moments."""


def wait_until(  # noqa: PLR0913 - what to wait for, and how long: each has its own default
    what: str,
    observe: Callable[[], str | None],
    *,
    timeout: float,
    interval: float = 0.5,
    is_passing: Callable[[Exception], bool] = lambda _: False,
    patience: float = PATIENCE,
    look: Callable[[], str] = lambda: "",
) -> None:
    """Call `observe` until it returns None.

    Args:
        what: What is waited for, for the message of a timeout.
        observe: Returns None when the wait is over, else the state in one line.
        timeout: Seconds after which the wait has failed.
        interval: Seconds between two looks.
        is_passing: Tells whether a look that failed with this may succeed the next time.
        patience: Seconds for which looks may fail like that, one after the other.
        look: Returns what else to tell when the wait has failed.

    Raises:
        RunError: The wait timed out; the message holds the state seen last.
        Exception: What a look failed with, if it doesn't pass.
    """
    begun = answered = time.monotonic()
    while True:
        try:
            state = observe()
            answered = time.monotonic()
        except Exception as error:
            if not is_passing(error) or time.monotonic() - answered >= patience:
                raise
            state = f"it could not be seen: {error}"
        if state is None:
            return
        if time.monotonic() - begun >= timeout:
            msg = f"{what}: not there after {timeout:g} s; last seen: {state}\n{look()}"
            raise RunError(msg.rstrip())
        time.sleep(interval)
