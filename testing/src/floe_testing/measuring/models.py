"""What `performance.json` holds. Durations are in seconds, memory in bytes, CPU in seconds or in cores.

A session of tests writes it without pydantic, which takes half as long to import as pytest does, and makes a part of it
of each test: nothing is frozen, which takes twice as long. Only who reads a file has it checked.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from json import JSONEncoder
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from floe_testing.errors import FloeTestingError

FILE: Final = "performance.json"


class UnreadableResultsError(FloeTestingError):
    """Results are not there, or not what they should be."""


class _Part:
    __pydantic_config__: ClassVar[dict[str, Any]] = {"allow_inf_nan": False}


@dataclass(kw_only=True)
class Phases(_Part):
    """A figure for each phase of a test."""

    setup: float = 0.0
    call: float = 0.0
    teardown: float = 0.0

    @property
    def total(self) -> float:
        """The phases' sum."""
        return self.setup + self.call + self.teardown


@dataclass(kw_only=True)
class TestPerformance(_Part):
    """One test."""

    __test__ = False

    id: str
    """pytest's node id."""
    outcome: Literal["passed", "failed", "skipped"]
    worker: str | None = None
    """The worker of pytest-xdist that ran it."""
    seconds: Phases
    cpu_seconds: Phases = field(default_factory=Phases)
    """Of the test process, and of the processes that it started and waited for."""
    peak_memory_bytes: int | None = None
    """The most that the test process held while this test ran; None where the kernel doesn't tell."""
    baseline_seconds: float | None = None
    """What its call took when the baseline was written."""
    slower: bool = False
    """Its call took longer than its baseline, beyond what is tolerated."""


@dataclass(kw_only=True)
class ControlGroup(_Part):
    """The control group of the test process: in a pod, its container."""

    version: Literal[1, 2]
    cpu_seconds: float | None = None
    """Over the session."""
    throttled_seconds: float | None = None
    """Over the session: the time in which it was not let run because of its limit."""
    peak_memory_bytes: int | None = None
    """Since the container's start, the page cache included."""
    cpu_limit_cores: float | None = None
    memory_limit_bytes: int | None = None


@dataclass(kw_only=True)
class Consumer(_Part):
    """A pod or a node, as metrics.k8s.io has seen it."""

    name: str
    samples: int
    cpu_cores_mean: float
    cpu_cores_max: float
    memory_bytes_mean: float
    memory_bytes_max: float
    cpu_cores_allocatable: float | None = None
    """Of a node: what its pods may have."""
    memory_bytes_allocatable: float | None = None
    """As above."""


@dataclass(kw_only=True)
class Performance(_Part):
    """The whole file."""

    version: Literal[1] = 1
    run_id: str | None = None
    tier: str | None = None
    started_at: datetime
    seconds: float
    """The session, from its start to its end."""
    tests: tuple[TestPerformance, ...]
    control_group: ControlGroup | None = None
    pods: tuple[Consumer, ...] = ()
    """Those of the run's namespace."""
    nodes: tuple[Consumer, ...] = ()
    metrics_problem: str | None = None
    """Why pods or nodes are missing, where a cluster was asked for them."""

    def to_json(self) -> str:
        """Return what the file holds."""
        return _ENCODER.encode(self)


def _plain(part: object) -> object:
    return part.isoformat() if isinstance(part, datetime) else vars(part)


_ENCODER: Final = JSONEncoder(default=_plain, allow_nan=False, check_circular=False)
"""Made before there are tests, which may do to the module what they like. To look for circles, where there can be none,
takes a quarter of the time."""


def read_performance(file: Path) -> Performance:
    """Return what a file holds; a time that names no zone is UTC's.

    Raises:
        UnreadableResultsError: It is not there, or something else.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - see above

    try:
        found = TypeAdapter(Performance).validate_json(file.read_bytes())
    except OSError as error:
        message = f"{file}: can't be read: {error.strerror}"
        raise UnreadableResultsError(message) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{file}: is no {FILE}: {f'{place}: ' if place else ''}{first['msg']}"
        raise UnreadableResultsError(message) from None
    return found if found.started_at.tzinfo else replace(found, started_at=found.started_at.replace(tzinfo=UTC))
