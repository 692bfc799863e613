"""What can break a run on a cluster, by whose affair it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from floe_ci.ends import ProblemKind


class OutOfMemory(RunError):  # noqa: N818 - a verdict, as the next one
    """The kernel killed a process of the run for the memory it took."""

    kind: ClassVar[ProblemKind] = "memory"


class TimedOut(RunError):  # noqa: N818 - as above
    """The tests took longer than they may."""

    kind: ClassVar[ProblemKind] = "timeout"
