"""Shows what a run does as it does it: on a terminal in place, elsewhere line by line; always on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from floe_ci.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from floe_ci.listeners import Progress
    from floe_ci.verdict import Outcome


class Beside(Lines):
    """Says nothing while the tests run: they have the terminal."""

    def begin(self, step: str) -> None:
        """Print that a step begins, unless it is the tests'."""
        if step != "tests":
            super().begin(step)

    def collected(self, count: int) -> None:
        """Leave it to pytest to tell."""

    def started(self, test: str) -> None:
        """Leave it to pytest to tell."""

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Leave it to pytest to tell."""


@contextmanager
def shown(
    *, live: bool, judged: Callable[[Outcome], None] = lambda _: None, beside: bool = False
) -> Iterator[Progress]:
    """Yield what shows progress, `live` only where standard error is a terminal; `judged` is told the verdict.

    `beside` tests that have the terminal, lines are all that is shown, and none while those run.
    """
    if beside or not (live and (sys.stderr.isatty() or os.environ.get("FORCE_COLOR"))):
        lines = Beside(judged) if beside else Lines(judged)
        try:
            yield lines
        finally:
            lines.close()
        return
    # It takes as long to import as all that comes before a run, and a log needs none of it.
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from floe_ci.cli.in_place import InPlace  # noqa: PLC0415

    console = Console(stderr=True)
    steps = InPlace(console, judged)
    with Live(steps, console=console, refresh_per_second=8, transient=True):
        yield steps
