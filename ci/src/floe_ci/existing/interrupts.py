"""Signals while there is something to clean up: the first ends the run in order, the others are held back."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final, Self

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(RunError):  # noqa: N818 - nothing of the run is wrong
    """The run was told to stop."""


class Interrupts:
    """While open, the first SIGINT or SIGTERM raises `Interrupted` in the main thread; all later ones are only told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Prepare; `tell` takes a line for whoever sent a signal in vain."""
        self._tell = tell
        self._armed = True
        self.came = False
        """Whether the run was told to stop."""

    def __enter__(self) -> Self:
        """Take the signals over; where this is not the main thread, which alone may do so, change nothing."""
        main = threading.current_thread() is threading.main_thread()
        self._before = {number: signal.signal(number, self._take) for number in SIGNALS} if main else {}
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """Raise no more from here on: what follows has to come to its end."""
        self._armed = False

    def _take(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self._armed:
            self._armed, self.came = False, True
            msg = f"the run was interrupted by {name}"
            raise Interrupted(msg)
        self._tell(f"{name}: what the run made in the cluster is being deleted; this takes a moment")
