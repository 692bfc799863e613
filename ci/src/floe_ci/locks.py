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
    if _is_refused(lock, fcntl.LOCK_EX):
        os.close(lock)
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(path))
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
        return _is_refused(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _is_refused(lock: int, kind: int) -> bool:
    """Lock an open folder, and return whether somebody else has it; a file system without locks refuses nothing."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    return False
