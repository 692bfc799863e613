"""Shows what a run does as it does it: on a terminal in place, elsewhere line by line; always on standard error."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from floe_ci.places import Progress
    from floe_ci.steps import Step


class Lines:
    """A line for each thing."""

    def __init__(self) -> None:
        """Start the clock."""
        self._zero = time.monotonic()

    def note(self, line: str) -> None:
        """Print a line for the reader."""
        click.echo(line, err=True)

    def begin(self, step: str) -> None:
        """Print that a step begins."""
        self._print(f"{step} …")

    def end(self, step: Step) -> None:
        """Print that a step has ended, and how long it took."""
        self._print(describe(step))

    def _print(self, line: str) -> None:
        click.echo(f"{time.monotonic() - self._zero:7.1f} s  {line}", err=True)


class InPlace:
    """The steps that run are shown in place, with the time each has taken; those that ended stand above."""

    def __init__(self, console: Console) -> None:
        """Show nothing yet."""
        self._console = console
        self._running: dict[str, tuple[float, Spinner]] = {}

    def __rich__(self) -> RenderableType:
        """Return the steps that run."""
        now = time.monotonic()
        for name, (began, spinner) in self._running.items():
            spinner.update(text=Text(f"{name}  {now - began:.0f} s"))
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


@contextmanager
def shown(*, live: bool) -> Iterator[Progress]:
    """Yield what shows progress; `live` only where standard error is a terminal."""
    console = Console(stderr=True)
    if not (live and console.is_terminal):
        yield Lines()
        return
    steps = InPlace(console)
    with Live(steps, console=console, refresh_per_second=8, transient=True):
        yield steps


def describe(step: Step) -> str:
    """Return how a step ended, in one line."""
    if step.error is None:
        return f"{step.name}: done after {step.seconds:.1f} s"
    first = next(iter(step.error.strip().splitlines()), "")
    return f"{step.name}: {first} after {step.seconds:.1f} s"
