"""What the kernel counts for the control group of this process, version 1 or 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from floe_testing.measuring.models import ControlGroup

_ROOT: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_NO_LIMIT: Final = 1 << 60
"""Version 1 says "no limit" with a number that is near to 2⁶³."""


def read_control_group(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> ControlGroup | None:
    """Return the figures since the group's start; None where there is no control group.

    Args:
        root: Where control groups are mounted.
        membership: Which ones this process is in.
    """
    paths = _paths(membership)
    if (root / "cgroup.controllers").is_file():
        return _version_2(_folder(root, paths.get("", "/")))
    if (root / "memory").is_dir() or (root / "cpuacct").is_dir():
        return _version_1(
            memory=_folder(root / "memory", paths.get("memory", "/")),
            usage=_folder(root / "cpuacct", paths.get("cpuacct", "/")),
            limit=_folder(root / "cpu", paths.get("cpu", "/")),
        )
    return None


def since(begin: ControlGroup | None, end: ControlGroup | None) -> ControlGroup | None:
    """Return the figures at the end, with what was counted since the beginning only."""
    if begin is None or end is None:
        return end
    counted = {
        name: max(0.0, after - before)
        for name in ("cpu_seconds", "throttled_seconds")
        if (before := getattr(begin, name)) is not None and (after := getattr(end, name)) is not None
    }
    return replace(end, **counted)


def _paths(membership: Path) -> dict[str, str]:
    """Return the group of each controller; version 2 has one, without a name."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    entries = [line.split(":", 2)[1:] for line in lines]
    return {controller: path for controllers, path in entries for controller in controllers.split(",")}


def _folder(root: Path, path: str) -> Path:
    # In a container the group itself is mounted, while its path may be that of the machine.
    inner = root / path.lstrip("/")
    return inner if inner.is_dir() else root


def _version_2(group: Path) -> ControlGroup:
    cpu = _table(group / "cpu.stat")
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return ControlGroup(
        version=2,
        cpu_seconds=_seconds(cpu.get("usage_usec"), 1e6),
        throttled_seconds=_seconds(cpu.get("throttled_usec"), 1e6),
        # Older kernels don't keep the peak.
        peak_memory_bytes=_number(_text(group / "memory.peak")),
        cpu_limit_cores=_cores(quota, period),
        memory_limit_bytes=_number(_text(group / "memory.max")),
    )


def _version_1(memory: Path, usage: Path, limit: Path) -> ControlGroup:
    most = _number(_text(memory / "memory.limit_in_bytes"))
    return ControlGroup(
        version=1,
        cpu_seconds=_seconds(_number(_text(usage / "cpuacct.usage")), 1e9),
        throttled_seconds=_seconds(_table(limit / "cpu.stat").get("throttled_time"), 1e9),
        peak_memory_bytes=_number(_text(memory / "memory.max_usage_in_bytes")),
        cpu_limit_cores=_cores(_text(limit / "cpu.cfs_quota_us"), _text(limit / "cpu.cfs_period_us")),
        memory_limit_bytes=most if most is not None and most < _NO_LIMIT else None,
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _table(file: Path) -> dict[str, int]:
    return {name: int(value) for name, _, value in (line.partition(" ") for line in _text(file).splitlines())}


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _seconds(count: int | None, per_second: float) -> float | None:
    return None if count is None else count / per_second


def _cores(quota: str, period: str) -> float | None:
    # "max" in version 2, and -1 in version 1, are no numbers here.
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None
