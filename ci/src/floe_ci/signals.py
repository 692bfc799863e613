"""The signals that end a run, and those that come before there is one."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
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
