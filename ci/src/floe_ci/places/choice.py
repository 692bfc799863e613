"""Which place a run takes where the caller names none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from floe_ci import engine_probe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from floe_ci.listeners import Progress
    from floe_ci.request import PlaceName


@dataclass(frozen=True)
class Choice:
    """A place, and why it is that one."""

    place: PlaceName
    why: str

    def __str__(self) -> str:
        """Return both, for the first line of a run."""
        return f"on {self.place}: {self.why}"


def choose(environ: Mapping[str, str] | None = None) -> Choice:
    """Return `dagger` where an engine, or a container runtime to start one on, answers; else `local`."""
    if engine := engine_probe.engine(environ):
        if engine.usable:
            return Choice("dagger", f"the Dagger engine {engine.what} {engine.detail}")
        return Choice("local", f"the Dagger engine {engine.what} does not answer ({engine.detail})")
    runtime = engine_probe.runtime(environ)
    if runtime.usable:
        return Choice("dagger", f"the container runtime {runtime.what} {runtime.detail}")
    return Choice("local", f"no container runtime answers ({runtime.detail})")


def resolve(asked: PlaceName | None, progress: Progress) -> PlaceName:
    """Return the place that was asked for, or else the chosen one; the reader is told which and why."""
    choice = Choice(asked, "as asked") if asked else choose()
    progress.note(str(choice))
    return choice.place
