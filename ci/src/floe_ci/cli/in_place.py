"""Shows what a run does on a terminal, in place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.spinner import Spinner
from rich.text import Text

from floe_ci.lines import Tests, describe, indented

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from floe_ci.listeners import Step
    from floe_ci.verdict import Outcome


class InPlace:
    """The steps that run are shown in place, with the time each has taken; those that ended stand above."""

    def __init__(self, console: Console, judged: Callable[[Outcome], None] = lambda _: None) -> None:
        """Show nothing yet; `judged` is called with the verdict."""
        self._console, self._judged = console, judged
        self._running: dict[str, tuple[float, Spinner]] = {}
        self._tests: Tests | None = None

    def __rich__(self) -> RenderableType:
        """Return the steps that run, and how far the tests are."""
        now = time.monotonic()
        for name, (began, spinner) in self._running.items():
            tests = f"  {self._tests}" if name == "tests" and self._tests else ""
            spinner.update(text=Text(f"{name}  {now - began:.0f} s{tests}", overflow="ellipsis", no_wrap=True))
        return Group(*(spinner for _, spinner in self._running.values()))

    def note(self, line: str) -> None:
        """Print a line for the reader."""
        self._console.print(Text(line))

    def begin(self, step: str) -> None:
        """Show a step."""
        self._running[step] = (time.monotonic(), Spinner("dots"))

    def end(self, step: Step) -> None:
        """Print that a step has ended, and how long it took."""
        self._running.pop(step.name, None)
        self._console.print(Text(describe(step), style="red" if step.error else ""))

    def collected(self, count: int) -> None:
        """Show how many tests there are."""
        self._tests = self._tests or Tests()
        self._tests.total = count

    def started(self, test: str) -> None:
        """Show a test that begins."""
        self._tests = self._tests or Tests()
        self._tests.begin(test)

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Show how far the tests are; print a failure with its reason at once."""
        self._tests = self._tests or Tests()
        if self._tests.end(test, outcome, done, total):
            told = f"{outcome.upper()} {test} after {seconds:.1f} s"
            self._console.print(Text(told, style="red"), Text(indented(message)), sep="")

    def verdict(self, outcome: Outcome) -> None:
        """Tell the verdict."""
        self._judged(outcome)
