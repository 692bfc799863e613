"""What has to be known of a service to run it on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from pathlib import Path

    from floe_ci.local.processes import Process
    from floe_ci.local.site import Site

NOT_INSTALLED: Final = "the package of {}'s server is not installed, or there is none for this machine"
"""What a local service lacks that is in a package."""


def _nothing(_folder: Path) -> None:
    """Do nothing."""


def _nowhere(_folder: Path) -> Collection[Path]:
    return ()


@dataclass(frozen=True)
class LocalService:
    """How one service runs on this machine."""

    name: str
    """As its folder is called."""
    origin: Callable[[], str]
    """Returns what it is here, and what that lacks of what a cluster's has, for the first lines of a run."""
    lacking: Callable[[], str | None]
    """Returns which of its packages is not here, and so why it can't run; None where nothing is missing."""
    processes: Callable[[Site], Awaitable[list[Process]]]
    """Prepares what it needs in the run's folder, and returns its processes, each with what tells that it is ready."""
    refuse: Callable[[Path], None] = _nothing
    """Raises a `UserError` where it can't work in the folder of a run; nothing is started then."""
    outside: Callable[[Path], Collection[Path]] = _nowhere
    """Returns the folders that it has outside of a run's, in which processes of its own work."""
    give_back: Callable[[Path], None] = _nothing
    """Frees what it has outside of a run's folder; the run's processes have ended."""
