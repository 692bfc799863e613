"""What a test needs of CPU and memory, measured from inside."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from floe_testing.measuring.process import Meter

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-650")

MIB = 1 << 20


HELD_BEFORE = """
import os, sys
if len(sys.argv) == 1:
    held = bytearray(b"x") * (120 << 20)
    os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2], "again"])
import re
from pathlib import Path
from floe_testing.measuring.process import Meter

def told():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

meter = Meter()
for size in (1, 200, 1):
    meter.forget_peak()
    held = bytearray(b"x") * (size << 20)
    print(meter.peak(), told())
    del held
"""
"""Held much before it became this Python; shows what is measured beside what the kernel tells."""


def allocate(size: int) -> None:
    """Hold so much memory, and give it back."""
    held = bytearray(size)
    held[::4096] = b"x" * len(held[::4096])


@pytest.mark.requirement("REQ-650.2")
def test_peak_is_that_of_one_test() -> None:
    """The highest memory is that since the last test, not that of the whole process."""
    meter = Meter()
    meter.forget_peak()
    before = meter.peak()
    allocate(100 * MIB)
    most = meter.peak()
    meter.forget_peak()
    after = meter.peak()
    assert before is not None
    assert most is not None
    assert after is not None
    assert most - before > 90 * MIB
    assert most - after > 90 * MIB


def test_peak_is_the_one_that_the_kernel_tells() -> None:
    """What is counted is what the kernel says of the process, above and below what Python was started from."""
    start = subprocess.run([sys.executable, "-c", HELD_BEFORE], check=True, capture_output=True, text=True, timeout=60)
    for line in start.stdout.splitlines():
        counted, told = map(int, line.split())
        # The kernel's quick count and its exact one differ by what each processor has not yet handed in.
        assert abs(counted - told) < 4 * MIB, start.stdout
    assert len(start.stdout.splitlines()) == 3


@pytest.mark.requirement("REQ-650.2")
def test_cpu_is_counted_from_the_mark() -> None:
    """What was computed before the mark does not count."""
    meter = Meter()
    sum(range(3_000_000))
    first = meter.lap()
    meter.mark()
    assert 0 <= meter.lap() < first


def test_cpu_of_children_counts() -> None:
    """A process that a test starts and waits for counts."""
    meter = Meter()
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    own = Meter()
    sum(range(1000))
    assert meter.lap() > 0.05
    assert own.lap() < 0.05


def test_kernel_that_tells_nothing(tmp_path: Path) -> None:
    """Where the kernel shows no process, there is no peak, and nothing fails."""
    meter = Meter(tmp_path)
    (tmp_path / "clear_refs").mkdir()
    meter.forget_peak()
    assert meter.peak() is None


def test_status_without_a_peak(tmp_path: Path) -> None:
    """Where the kernel leaves the peak out, there is none."""
    (tmp_path / "status").write_text("Name:\tpytest\nVmRSS:\t 12 kB\n", encoding="ascii")
    assert Meter(tmp_path).peak() is None
