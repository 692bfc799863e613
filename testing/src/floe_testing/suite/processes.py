"""Files that are read by as many processes as there are cores."""

import gc
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, TypeVar

File = TypeVar("File")
T = TypeVar("T")

_FEW: Final = 30
"""Up to here one process is done before a second has started."""
_AT_ONCE: Final = 8
"""Files that a process is handed together: so few that the last ones are done at about the same time."""


def read_each(read: Callable[[File], T], files: Sequence[File]) -> list[T]:
    """Return what is read of each file, in their order.

    Args:
        read: Reads one file; it and what it returns can be pickled.
        files: Which.
    """
    if len(files) <= _FEW:
        return list(map(read, files))
    # Trees have no circles, of which a collector would look for in all of them again and again.
    with ProcessPoolExecutor(max_workers=cores(), initializer=gc.disable) as pool:
        return list(pool.map(read, files, chunksize=_AT_ONCE))


def cores() -> int:
    """Return how many processes may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
