"""Locks on files, which the kernel frees with the process that holds them, however that ends."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

_HELD = frozenset({errno.EWOULDBLOCK, errno.EACCES})


def try_lock(descriptor: int, kind: int) -> bool:
    """Lock an open file without waiting; return whether nobody else has it locked.

    Args:
        descriptor: The file's; the lock lasts until it is closed.
        kind: `fcntl.LOCK_SH` or `fcntl.LOCK_EX`.
    """
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_folder(path: Path) -> int | None:
    """Lock a folder for this process, and return the lock's descriptor; None where folders can't be locked.

    Raises:
        BlockingIOError: Another process has it locked.
        OSError: It can't be opened.
    """
    if sys.platform == "win32":
        return None
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            return lock  # a file system without locks
        os.close(lock)
        raise BlockingIOError(error.errno, error.strerror) from error
    return lock


def is_locked(path: Path) -> bool:
    """Return whether another process has a folder locked, as far as that can be told."""
    if sys.platform == "win32":
        return False
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(lock)
    return False
