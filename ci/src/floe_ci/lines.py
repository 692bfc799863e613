"""Tells what a run does in plain lines, for a log: each thing as it happens, and never silent for long."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.listeners import Step
    from floe_ci.verdict import Outcome

QUIET: Final = 10.0
"""Seconds after which what goes on is told again."""
OFTEN: Final = 3.0
"""Seconds between two lines that tell how far the tests are."""


class Tests:
    """How far the tests are."""

    def __init__(self) -> None:
        """Know of none yet."""
        self.total: int | None = None
        self.done = self.failed = 0
        self.running: dict[str, float] = {}
        """Those that run, and when each began."""

    def begin(self, test: str) -> None:
        """Take a test that begins."""
        self.running[test] = time.monotonic()

    def end(self, test: str, outcome: str, done: int, total: int | None) -> bool:
        """Take a test that has ended; return whether it has failed."""
        self.running.pop(test, None)
        self.done, self.total = done, total or self.total
        failed = outcome in {"failed", "errored"}
        self.failed += failed
        return failed

    def __str__(self) -> str:
        """Return how many of how many have ended, and which one runs."""
        of = f" of {self.total}" if self.total else ""
        failed = f", {self.failed} failed" if self.failed else ""
        test, began = next(iter(self.running.items()), ("", 0.0))
        running = f"; {test} runs" if test else ""
        seconds = time.monotonic() - began
        since = f" since {seconds:.0f} s" if test and seconds > OFTEN else ""
        return f"{self.done}{of}{failed}{running}{since}"


class Lines:
    """A line for each thing, on standard error."""

    def __init__(self, judged: Callable[[Outcome], None] | None = None) -> None:
        """Start the clock; `judged` is called with the verdict, which is a line too where there is none."""
        self._zero = self._last = time.monotonic()
        self._judged = judged
        self._tests: Tests | None = None
        self._told_tests = 0.0
        self._steps: dict[str, float] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        threading.Thread(target=self._break_silence, daemon=True).start()

    def close(self) -> None:
        """Say no more."""
        self._over.set()

    def note(self, line: str) -> None:
        """Print a line for the reader."""
        self._write(line)

    def begin(self, step: str) -> None:
        """Print that a step begins."""
        with self._lock:
            self._steps[step] = time.monotonic()
        self._print(f"{step} …")

    def end(self, step: Step) -> None:
        """Print that a step has ended, and how long it took."""
        with self._lock:
            self._steps.pop(step.name, None)
        self._print(describe(step))

    def collected(self, count: int) -> None:
        """Print how many tests there are."""
        with self._lock:
            self._tests = self._tests or Tests()
            self._tests.total = count
        self._print(f"{count} test{'s' * (count != 1)} collected")

    def started(self, test: str) -> None:
        """Take a test that begins."""
        with self._lock:
            self._tests = self._tests or Tests()
            self._tests.begin(test)

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Print a failure with its reason at once, and now and then how far the tests are."""
        with self._lock:
            self._tests = self._tests or Tests()
            failed = self._tests.end(test, outcome, done, total)
            if failed:
                self._print(f"{outcome.upper()} {test} after {seconds:.1f} s{indented(message)}")
            if time.monotonic() - self._told_tests > OFTEN:
                self._told_tests = time.monotonic()
                self._print(f"tests: {self._tests}")

    def verdict(self, outcome: Outcome) -> None:
        """Tell the verdict."""
        if self._judged:
            self._judged(outcome)
        else:
            self._print(outcome.reason)

    def _break_silence(self) -> None:
        while not self._over.wait(1):
            with self._lock:
                if time.monotonic() - self._last < QUIET:
                    continue
                now = time.monotonic()
                doing = [f"{name} since {now - began:.0f} s" for name, began in self._steps.items()]
                if self._tests and "tests" in self._steps:
                    doing = [f"tests: {self._tests}"]
                if doing:
                    self._print("; ".join(doing))

    def _print(self, line: str) -> None:
        self._write(f"{time.monotonic() - self._zero:7.1f} s  {line}")

    def _write(self, line: str) -> None:
        with self._lock:
            self._last = time.monotonic()
            try:
                print(line, file=sys.stderr, flush=True)  # noqa: T201 - it is what this is for
            except (OSError, ValueError):  # nobody listens any more: a run goes on all the same
                self._over.set()


def describe(step: Step) -> str:
    """Return how a step ended, in one line; why it failed is told once, with the verdict."""
    ended = "done" if step.error is None else "ended early" if step.cancelled else "failed"
    return f"{step.name}: {ended} after {step.seconds:.1f} s"


def indented(message: str, lines: int = 12) -> str:
    """Return a message below a line, or nothing."""
    said = message.strip().splitlines()
    return "".join(f"\n             {line}" for line in said[:lines])
