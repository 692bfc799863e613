"""Reads `performance.json`, which floe-testing leaves, for what the page shows of it, and adds what the place has seen.

It comes out of the test process, so nothing is taken for granted: what is of another type makes it none.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from floe_ci.steps import Measured

FILE: Final = "performance.json"
_LARGEST: Final = 64 << 20
_Number = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Phases(BaseModel):
    """A figure for each phase of a test, in seconds."""

    setup: _Number = 0.0
    call: _Number = 0.0
    teardown: _Number = 0.0

    @property
    def total(self) -> float:
        """The phases' sum."""
        return self.setup + self.call + self.teardown


class TestFigures(BaseModel):
    """One test."""

    __test__ = False

    id: str
    outcome: str = ""
    worker: str | None = None
    seconds: Phases = Phases()
    cpu_seconds: Phases = Phases()
    peak_memory_bytes: _Number | None = None
    baseline_seconds: _Number | None = None
    slower: bool = False


class ControlGroup(BaseModel):
    """The container of the tests."""

    cpu_seconds: _Number | None = None
    throttled_seconds: _Number | None = None
    peak_memory_bytes: _Number | None = None
    cpu_limit_cores: _Number | None = None
    memory_limit_bytes: _Number | None = None


class Consumer(BaseModel):
    """A pod or a node; memory in bytes."""

    name: str
    cpu_cores_mean: _Number = 0.0
    cpu_cores_max: _Number = 0.0
    memory_bytes_max: _Number = 0.0


class Performance(BaseModel):
    """The file, as far as the page tells of it."""

    started_at: datetime
    seconds: _Number = 0.0
    tests: tuple[TestFigures, ...] = ()
    control_group: ControlGroup | None = None
    pods: tuple[Consumer, ...] = ()
    nodes: tuple[Consumer, ...] = ()
    metrics_problem: str | None = None

    @property
    def began(self) -> datetime:
        """When the session began; a moment without a zone is in UTC."""
        return self.started_at if self.started_at.tzinfo else self.started_at.replace(tzinfo=UTC)


def read(folder: Path) -> Performance | None:
    """Return what was measured, None where nothing was, or nothing that can be read."""
    try:
        text = _text(folder / FILE)
        return None if text is None else Performance.model_validate_json(text)
    except (OSError, ValidationError, RecursionError):
        return None


def read_whole(folder: Path) -> dict[str, Any] | None:
    """Return the whole document, with what the page does not show of it; None as `read` does."""
    try:
        text = _text(folder / FILE)
        if text is None:
            return None
        found: dict[str, Any] = json.loads(text)
        Performance.model_validate(found)
    except (OSError, ValueError, RecursionError):
        return None
    return found


def completed(folder: Path, used: Mapping[str, Sequence[Mapping[str, object]]], measured: Measured) -> str | None:
    """Return the whole document with what pods and nodes took, where the tests could not tell; None: nothing is new.

    Where floe-testing is not installed there is no document yet, and it is one without tests.
    """
    seen = {kind: [*consumers] for kind, consumers in used.items() if consumers}
    if not seen:
        return None
    found = read_whole(folder) or {
        "version": 1,
        "run_id": measured.run_id,
        "tier": measured.tier,
        "started_at": measured.started_at.isoformat(),
        "seconds": measured.total_seconds,
        "tests": [],
    }
    new = {kind: consumers for kind, consumers in seen.items() if not found.get(kind)}
    if not new:
        return None
    if "nodes" in new:
        found["metrics_problem"] = None
    return json.dumps(found | new) + "\n"


def _text(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else None
