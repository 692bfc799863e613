"""Locks on files, which the kernel frees with the process that holds them, however that ends."""

from __future__ import annotations

import fcntl


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
