"""When containers and processes ran, as `events.txt` tells of those of a cluster and of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from floe_ci.report import texts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from floe_ci.report.timeline import Axis, Bar
    from floe_ci.steps import Measured

EVENTS: Final = "events.txt"
_MOST: Final = 64
_LONGEST: Final = 8_000_000
"""Characters of the events that are read."""
_LONGEST_NAME: Final = 100
_IN_CLUSTER: Final = re.compile(
    r"(?P<when>\S+) \w+ +Pod/(?P<pod>\S+) (?P<what>Started|Killing): (?:Started|Stopping) container (?P<name>\S+)"
)
_ON_MACHINE: Final = re.compile(r"(?P<when>\S+)  (?P<name>[\w.-]+): (?P<what>started as process|ended with) ")
_BEGINS: Final = frozenset({"Started", "started as process"})
_STOPPED: Final = "Killing"
"""It was told to end; any other end is its own."""


@dataclass(frozen=True)
class Running:
    """When a container of a pod, or a process, ran."""

    name: str
    started: float
    """In seconds after the run, for the first time."""
    seconds: float
    """In all."""
    starts: int
    bars: tuple[Bar, ...]
    """One for each time that it ran; bad where it ended by itself."""


@dataclass
class _Seen:
    times: list[tuple[float, float, bool]] = field(default_factory=list)
    since: float | None = None

    def begin(self, second: float) -> None:
        """Take that it starts: one that was running has ended by itself, and nothing says when."""
        self.end(second, bad=True)
        self.since = second

    def end(self, second: float, *, bad: bool) -> None:
        """Take that it has ended."""
        if self.since is not None:
            self.times.append((self.since, max(second - self.since, 0.0), bad))
        self.since = None


def read(folder: Path, axis: Axis, measured: Measured) -> list[Running]:
    """Return what ran, the first first; nothing where no events are there, or none that tell."""
    try:
        with (folder / EVENTS).open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_LONGEST).splitlines()
    except OSError:
        return []
    return running(lines, axis, measured.started_at)


def running(lines: Iterable[str], axis: Axis, began: datetime) -> list[Running]:
    """Return what ran by lines of events, in any order of their kinds, but by time."""
    seen: dict[tuple[str, str], _Seen] = {}
    for line in lines:
        if (found := _IN_CLUSTER.match(line) or _ON_MACHINE.match(line)) is None:
            continue
        second = _second(found["when"], began)
        if second is None or second > axis.seconds:
            continue
        each = seen.setdefault((found.groupdict().get("pod") or "", found["name"]), _Seen())
        if found["what"] in _BEGINS:
            each.begin(second)
        else:
            each.end(second, bad=found["what"] != _STOPPED)
    pods = [pod for pod, _ in seen]
    made = []
    for (pod, name), each in seen.items():
        each.end(axis.seconds, bad=False)
        if not each.times:
            continue
        label = name if not pod else pod if pods.count(pod) == 1 else f"{pod}: {name}"
        bars = tuple(axis.bar(start, seconds, bad=bad) for start, seconds, bad in each.times)
        total = sum(seconds for _, seconds, _ in each.times)
        made.append(Running(texts.line(label, _LONGEST_NAME), each.times[0][0], total, len(bars), bars))
    return sorted(made, key=lambda each: each.started)[:_MOST]


def _second(when: str, began: datetime) -> float | None:
    """Return a moment in seconds after the run began; None: it is none, or before that."""
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Events of a cluster are told in whole seconds.
    second = (moment - began).total_seconds()
    return max(second, 0.0) if second > -1 else None
