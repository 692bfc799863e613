"""What the test process needs: CPU seconds, and the most memory it held."""

import os
import re
from math import inf
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Final

from floe_testing.unpatched import clock, system

_PROC: Final = Path("/proc/self")
_LONGEST_STATUS: Final = 1 << 14
_PEAK: Final = re.compile(rb"^VmHWM:\s*(\d+) kB", re.MULTILINE)
_ABOUT: Final = 0.9
"""The share of the peak that is the peak."""
_FORGET_PEAK: Final = b"5"
"""What the kernel takes, in `clear_refs`, for: begin anew with the highest memory seen."""


class Meter:
    """Measures one test after the other."""

    def __init__(self, proc: Path = _PROC) -> None:
        """Begin to measure.

        Args:
            proc: The process, as the kernel shows it.
        """
        self._status = str(proc / "status")
        self._clear = str(proc / "clear_refs")
        self._certain = self._certain_above()
        self.mark()

    def mark(self) -> None:
        """Count CPU from now on."""
        self._marked = _cpu_seconds()

    def lap(self) -> float:
        """Return the CPU seconds since the mark: of this process, and of its children that have ended."""
        return _cpu_seconds() - self._marked

    def forget_peak(self) -> None:
        """Look for the highest memory from now on. A kernel that can't do so keeps the highest since the start."""
        try:
            descriptor = system.open(self._clear, os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            system.write(descriptor, _FORGET_PEAK)
        except OSError:
            return
        finally:
            system.close(descriptor)

    def peak(self) -> int | None:
        """Return the most memory that was held, in bytes; None where the kernel doesn't tell."""
        counted = _counted_peak()
        return counted if counted > self._certain else self._told_peak()

    def _told_peak(self) -> int | None:
        """Return what the kernel's text about the process says, which takes it fifteen times as long as to count."""
        try:
            found = _PEAK.search(system.read_file(self._status, _LONGEST_STATUS))
        except OSError:
            return None
        return int(found[1]) * 1024 if found else None

    def _certain_above(self) -> float:
        """Return above how many bytes what the kernel counts is the peak, as its text has it.

        Its count never falls below what the program held that this process was before it became Python: that is at most
        what it says now. It may be a little less than what the text has: processors have not yet handed in all of it.
        """
        told, counted = self._told_peak(), _counted_peak()
        return counted if told is not None and counted >= told * _ABOUT else inf


def _cpu_seconds() -> float:
    children = getrusage(RUSAGE_CHILDREN)
    return clock.process_time() + children.ru_utime + children.ru_stime


def _counted_peak() -> int:
    # In KiB where there is a /proc, and where there is none it does not count.
    return getrusage(RUSAGE_SELF).ru_maxrss * 1024
