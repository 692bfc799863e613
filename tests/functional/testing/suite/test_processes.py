"""Files that are read by several processes."""

import gc
import os

from floe_testing.suite.processes import read_each


def where(number: int) -> tuple[int, int, bool]:
    """Return a number, the process, and whether it looks for garbage in circles."""
    return number, os.getpid(), gc.isenabled()


def test_many_are_read_by_other_processes() -> None:
    """Many files are read by others, in their order, without a search for garbage; here that goes on."""
    numbers, processes, collects = zip(*read_each(where, range(100)), strict=True)
    assert numbers == tuple(range(100))
    assert os.getpid() not in processes
    assert not any(collects)
    assert gc.isenabled()


def test_few_are_read_here() -> None:
    """Few files are read by this process, which would wait longer for another one to start."""
    assert read_each(where, range(30)) == [(number, os.getpid(), True) for number in range(30)]
