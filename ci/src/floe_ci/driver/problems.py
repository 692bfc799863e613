"""What can break a run on a cluster, by whose affair it is."""

from __future__ import annotations

from typing import ClassVar

from floe_ci.ends import Problem, ProblemKind
from floe_ci.errors import RunError, UserError


class OutOfMemory(RunError):  # noqa: N818 - a verdict, as the next one
    """The kernel killed a process of the run for the memory it took."""

    kind: ClassVar[ProblemKind] = "memory"


class TimedOut(RunError):  # noqa: N818 - as above
    """The tests took longer than they may."""

    kind: ClassVar[ProblemKind] = "timeout"


def problem(error: RunError | UserError, step: str | None = None) -> Problem:
    """Return what an error of this package says of a run that it ended."""
    default: ProblemKind = "input" if isinstance(error, UserError) else "infrastructure"
    return Problem(getattr(error, "kind", default), str(error), step)
