"""The signals that end a run, and those that come before there is one."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


_early: list[int] = []
"""The signal that came before there was a run to be ended by it."""


@contextmanager
def remembered() -> Iterator[None]:
    """Remember a signal for the run that is about to begin, so that it has results; the second one ends all at once."""

    def remember(number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        _early.append(number)

    before = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        yield
    finally:
        _early.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def early() -> int | None:
    """Return the signal that is remembered, if one came."""
    return next(iter(_early), None)


@contextmanager
def heard(loop: AbstractEventLoop, number: int, take: Callable[[int], None]) -> Iterator[None]:
    """Have a loop take a signal meanwhile."""
    if sys.platform == "win32":  # whose loops take none
        before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(take, number))
        try:
            yield
        finally:
            signal.signal(number, before)
        return
    handler = signal.getsignal(number)
    loop.add_signal_handler(number, take, number)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
        # The loop leaves Python's own: a run that is begun again has to remember a signal like the first.
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
