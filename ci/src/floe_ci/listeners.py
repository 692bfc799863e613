"""Who is told of a run as it happens, and of what: its steps, its tests, its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from floe_ci.verdict import Outcome

CANCELLED: Final = "cancelled"
"""The error of a step that was ended because of another."""


@dataclass(frozen=True)
class Step:
    """A step that has ended; times are in seconds, `started` counts from the run's start."""

    name: str
    started: float
    seconds: float
    error: str | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it was ended because of another."""
        return self.error == CANCELLED


class Listener(Protocol):
    """Is told of the steps of a run."""

    def begin(self, step: str) -> None:
        """Take the name of a step that begins."""

    def end(self, step: Step) -> None:
        """Take a step that has ended."""


class TestListener(Protocol):
    """Is told of tests as they run."""

    def collected(self, count: int) -> None:
        """Take how many there are."""

    def started(self, test: str) -> None:
        """Take one that starts."""

    def ended(  # noqa: PLR0913, PLR0917 - all that a line tells
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Take one that has ended: what it came to and why, and how many of how many that makes."""


class Progress(Listener, TestListener, Protocol):
    """Is told what a run does, as it does it."""

    def note(self, line: str) -> None:
        """Take a line that the reader should see, such as where the run is and why."""

    def verdict(self, outcome: Outcome) -> None:
        """Take the verdict: the results are in place, and what the run used is still there."""
