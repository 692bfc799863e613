"""Joins what the shards of a run measured into one `performance.json`, of the same form as that of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from floe_ci.report.performance import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from floe_ci.shards import Shard


def joined(folder: Path, shards: Iterable[Shard], run_id: str) -> str | None:
    """Return the text of one file for all shards; None where none has measured anything that can be read.

    A test's `worker` is its shard's number, and after a dash the worker of pytest-xdist that ran it. The session lasted
    as long as that of the slowest shard; what their containers used is added up, but for the peak of one.
    """
    there = {str(shard.index + 1): read_whole(folder / shard.folder) for shard in shards}
    parts = {number: part for number, part in there.items() if part}
    if not parts:
        return None
    first, *_ = parts.values()
    whole = first | {
        "run_id": run_id,
        "started_at": min(part["started_at"] for part in parts.values()),
        "seconds": max(part.get("seconds") or 0.0 for part in parts.values()),
        "tests": [_of(number, test) for number, part in parts.items() for test in part.get("tests") or ()],
        "control_group": _together([each for part in parts.values() if (each := part.get("control_group"))]),
    }
    # No indentation: for as many tests as need shards that takes longer than all the rest.
    return json.dumps(whole) + "\n"


def _of(number: str, test: dict[str, Any]) -> dict[str, Any]:
    return test | {"worker": "-".join(filter(None, (number, test.get("worker"))))}


def _together(groups: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not groups:
        return None
    found = dict(groups[0])
    for name, join in {"cpu_seconds": sum, "throttled_seconds": sum, "peak_memory_bytes": max}.items():
        there = [group[name] for group in groups if group.get(name) is not None]
        found[name] = join(there) if there else None  # type: ignore[operator]  # both take numbers
    return found
