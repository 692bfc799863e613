"""Waiting: how to wait is here, what to wait for is the caller's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(what: str, observe: Callable[[], str | None], *, timeout: float, interval: float = 0.5) -> None:
    """Call `observe` until it returns None.

    Args:
        what: What is waited for, for the message of a timeout.
        observe: Returns None when the wait is over, else the state in one line.
        timeout: Seconds after which the wait has failed.
        interval: Seconds between two looks.

    Raises:
        RunError: The wait timed out; the message holds the state seen last.
    """
    deadline = time.monotonic() + timeout
    while (state := observe()) is not None:
        if time.monotonic() >= deadline:
            msg = f"{what}: not there after {timeout:g} s; last seen: {state}"
            raise RunError(msg)
        time.sleep(interval)
