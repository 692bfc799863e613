"""The folder of one run, which is gone after it, with every process that the run has started."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from floe_ci.local import objects, postgres
from floe_ci.local.processes import end_all

if TYPE_CHECKING:
    from io import TextIOWrapper

    from floe_ci.local.processes import Keeper

PREFIX = "floe-ci-run-"
LOCK = "lock"
"""Locked as long as the worker lives, whose folder it is."""


class Workspace:
    """A temporary folder, and the processes that work in it."""

    def __init__(self) -> None:
        """Prepare; nothing is made yet."""
        self.folder = Path()
        self._keepers: list[Keeper] = []
        self._lock: TextIOWrapper | None = None

    def __enter__(self) -> Self:
        """Make the folder, and remove those of workers that were killed."""
        remove_orphans()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.folder.chmod(0o711)  # root's database server runs under another account
        draft = self.folder / f".{LOCK}"
        self._lock = draft.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        draft.rename(self.folder / LOCK)
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and remove the folder."""
        self.end()
        clear(self.folder)
        if self._lock:
            self._lock.close()

    def keep(self, keeper: Keeper) -> None:
        """Start a process, which is kept running until the end."""
        self._keepers.append(keeper)
        keeper.start()

    def end(self) -> None:
        """End every process below this one."""
        for keeper in self._keepers:
            keeper.stop()
        end_all({keeper.pid: keeper.process.stop for keeper in self._keepers if keeper.pid})
        self._keepers.clear()


def remove_orphans() -> None:
    """Remove the folders of this user's workers that were killed; the kernel has ended their processes."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.stat().st_uid == os.geteuid():
                clear(lock.parent)


def clear(folder: Path) -> None:
    """Remove a run's folder, and what services that were killed have outside of it."""
    postgres.give_back(folder)
    objects.give_back(folder)
    shutil.rmtree(folder, ignore_errors=True)
