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


def allocate(size: int) -> None:
    """Hold so much memory, and give it back."""
    held = bytearray(size)
    held[::4096] = b"x" * len(held[::4096])


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
