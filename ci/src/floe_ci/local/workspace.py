"""The folder of one run, which is gone after it, with every process that the run has started."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from floe_ci.errors import UserError
from floe_ci.local import lookup
from floe_ci.local.files import temporary
from floe_ci.local.processes import end_all, end_those_of

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
        """Make the folder, which nobody else can look into, and remove those of workers that were killed.

        Raises:
            UserError: It can't be made.
        """
        remove_orphans()
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary()))
            draft = self.folder / f".{LOCK}"
            self._lock = draft.open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            draft.rename(self.folder / LOCK)
        except OSError as error:
            msg = f"no temporary folder can be made ({error}): name one that can be written with TMPDIR"
            raise UserError(msg) from None
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
    """End the processes of this user's workers that were killed, and remove their folders.

    The kernel of Linux has ended what a worker started itself, but not what that has left behind; others end nothing.
    """
    for lock in temporary().glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):
            status = lock.lstat()
            if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
                continue
            with lock.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                outside = [folder for each in lookup.every() for folder in each.outside(lock.parent)]
                end_those_of([lock.parent, *outside])
                clear(lock.parent)


def clear(folder: Path) -> None:
    """Remove a run's folder, and what services that were killed have outside of it."""
    for each in lookup.every():
        each.give_back(folder)
    shutil.rmtree(folder, ignore_errors=True)
