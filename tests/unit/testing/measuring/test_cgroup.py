"""Figures of the control group, of both versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from floe_testing.measuring.cgroup import read_control_group, since
from floe_testing.measuring.models import ControlGroup

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-650")

VERSION_1 = {
    "memory/memory.limit_in_bytes": "2147483648",
    "memory/memory.max_usage_in_bytes": "104857600",
    "cpuacct/cpuacct.usage": "2500000000",
    "cpu/cpu.stat": "nr_periods 10\nnr_throttled 2\nthrottled_time 500000000",
    "cpu/cpu.cfs_quota_us": "200000",
    "cpu/cpu.cfs_period_us": "100000",
}
VERSION_2 = {
    "cgroup.controllers": "cpu memory",
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nnr_throttled 2\nthrottled_usec 500000",
    "cpu.max": "200000 100000",
    "memory.peak": "104857600",
    "memory.max": "2147483648",
}
FIGURES: dict[str, Any] = {
    "cpu_seconds": 2.5,
    "throttled_seconds": 0.5,
    "peak_memory_bytes": 104857600,
    "cpu_limit_cores": 2.0,
    "memory_limit_bytes": 2147483648,
}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write some files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n", encoding="ascii")


def read(folder: Path, membership: str) -> ControlGroup | None:
    """Return what is read of the control groups in a folder."""
    (folder / "membership").write_text(membership, encoding="ascii")
    return read_control_group(folder, folder / "membership")


@pytest.mark.parametrize(("version", "files"), [(1, VERSION_1), (2, VERSION_2)])
@pytest.mark.parametrize("path", ["/", "/kubepods/pod1/of-the-machine"])
def test_container(tmp_path: Path, version: Literal[1, 2], files: Mapping[str, str], path: str) -> None:
    """In a container, the group is what is mounted, also where its path is that of the machine."""
    write(tmp_path, files)
    found = read(tmp_path, f"4:memory:{path}\n3:cpu,cpuacct:{path}\n0::{path}\n")
    assert found == ControlGroup(version=version, **FIGURES)


def test_group_below_the_mount_version_1(tmp_path: Path) -> None:
    """On a machine, each controller's group is the one that the process is in."""
    write(tmp_path, dict.fromkeys(VERSION_1, "1"))
    for name, text in VERSION_1.items():
        controller, _, file = name.partition("/")
        write(tmp_path, {f"{controller}/of/{controller}/{file}": text})
    found = read(tmp_path, "5:memory:/of/memory\n4:cpu:/of/cpu\n3:cpuacct:/of/cpuacct\n1:name=systemd:/other\n")
    assert found == ControlGroup(version=1, **FIGURES)


def test_group_below_the_mount_version_2(tmp_path: Path) -> None:
    """On a machine, the group is the one that the process is in."""
    write(tmp_path, {"cgroup.controllers": "cpu", "memory.peak": "1"})
    write(tmp_path / "user.slice", VERSION_2)
    assert read(tmp_path, "0::/user.slice\n") == ControlGroup(version=2, **FIGURES)


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        (VERSION_1, {"cpu/cpu.cfs_quota_us": "-1", "memory/memory.limit_in_bytes": "9223372036854771712"}),
        (VERSION_2, {"cpu.max": "max 100000", "memory.max": "max"}),
    ],
)
def test_no_limits(tmp_path: Path, files: dict[str, str], changes: dict[str, str]) -> None:
    """What is not limited has no limit."""
    write(tmp_path, files | changes)
    found = read(tmp_path, "0::/\n")
    assert found is not None
    assert (found.cpu_limit_cores, found.memory_limit_bytes) == (None, None)
    assert found.peak_memory_bytes == 104857600


def test_older_kernel(tmp_path: Path) -> None:
    """What a kernel doesn't count is left out, and the rest is there."""
    write(tmp_path, {"cgroup.controllers": "cpu", "cpu.stat": "usage_usec 1000000"})
    assert read(tmp_path, "0::/\n") == ControlGroup(version=2, cpu_seconds=1.0)


def test_no_control_groups(tmp_path: Path) -> None:
    """Where no control groups are mounted, there are no figures."""
    assert read_control_group(tmp_path, tmp_path / "missing") is None


def test_since() -> None:
    """What is counted up is that of the session; a peak is a peak."""
    begin = ControlGroup(version=2, cpu_seconds=2.0, throttled_seconds=0.25, peak_memory_bytes=10)
    end = ControlGroup(version=2, cpu_seconds=5.0, throttled_seconds=0.75, peak_memory_bytes=30)
    assert since(begin, end) == ControlGroup(version=2, cpu_seconds=3.0, throttled_seconds=0.5, peak_memory_bytes=30)
    assert since(None, end) == end
    assert since(begin, None) is None
