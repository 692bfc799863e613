"""Signals while a run lasts: the first ends it in order, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import anyio

from floe_ci.signals import SIGNALS, early, heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Interrupts:
    """What a run is told by signals, or by whoever has them."""

    def __init__(self, tell: Callable[[str], None], *, ours: bool = True) -> None:
        """Prepare.

        Args:
            tell: Takes a line for whoever sent the signal.
            ours: Whether `listening` takes this process's signals over: not where its main program has them.
        """
        self._ours = ours
        self.signal: int | None = None
        """The one that came."""
        self.stop = threading.Event()
        """Set with it, for work in other threads."""
        self._tell = tell
        self._scope: anyio.CancelScope | None = None
        self._hurried: tuple[anyio.CancelScope, float] | None = None
        self._clock: Callable[[], float] = time.monotonic
        """The event loop's: a signal comes outside of all tasks, where nobody else knows it."""

    def interrupt(self, number: int) -> None:
        """End the run in order."""
        if self.signal is None:
            self.signal = number
            self._tell(f"{signal.Signals(number).name}: writing down what there is; once more to stop at once")
            self.stop.set()
            if self._scope:
                self._scope.cancel()
            if self._hurried:
                scope, seconds = self._hurried
                scope.deadline = min(scope.deadline, self._clock() + seconds)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Do something that an interruption ends; it ends before it begins where that came already."""
        with anyio.CancelScope() as self._scope:
            if self.signal is not None:
                self._scope.cancel()
            yield

    @contextmanager
    def hurried(self, limit: float, hurry: float) -> Iterator[anyio.CancelScope]:
        """Do something that may take `limit` seconds, and only `hurry` from when an interruption comes."""
        with anyio.move_on_after(limit if self.signal is None else hurry) as scope:
            self._hurried, self._clock = (scope, hurry), asyncio.get_running_loop().time
            try:
                yield scope
            finally:
                self._hurried = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take this process's signals over; in another thread than its main one, which alone may, change nothing."""
        if not self._ours or threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        with ExitStack() as hearing:
            for number in SIGNALS:
                hearing.enter_context(heard(loop, number, self._take))
            if number := early():
                self.interrupt(number)
            yield

    def _take(self, number: int) -> None:
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.interrupt(number)
