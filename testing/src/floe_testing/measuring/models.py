"""What `performance.json` holds. Durations are in seconds, memory in bytes, CPU in seconds or in cores."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from floe_testing.errors import FloeTestingError

FILE: Final = "performance.json"


class UnreadableResultsError(FloeTestingError):
    """Results are not there, or not what they should be."""


def _in_a_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_a_zone)]
"""One that names no zone is UTC's."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Phases(_Part):
    """A figure for each phase of a test."""

    setup: float = 0.0
    call: float = 0.0
    teardown: float = 0.0

    @property
    def total(self) -> float:
        """The phases' sum."""
        return self.setup + self.call + self.teardown


class TestPerformance(_Part):
    """One test."""

    __test__ = False

    id: str
    """pytest's node id."""
    outcome: Literal["passed", "failed", "skipped"]
    worker: str | None = None
    """The worker of pytest-xdist that ran it."""
    seconds: Phases
    cpu_seconds: Phases = Phases()
    """Of the test process, and of the processes that it started and waited for."""
    peak_memory_bytes: int | None = None
    """The most that the test process held while this test ran; None where the kernel doesn't tell."""
    baseline_seconds: float | None = None
    """What its call took when the baseline was written."""
    slower: bool = False
    """Its call took longer than its baseline, beyond what is tolerated."""


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


class Performance(_Part):
    """The whole file."""

    version: Literal[1] = 1
    run_id: str | None = None
    tier: str | None = None
    started_at: Moment
    seconds: float
    """The session, from its start to its end."""
    tests: tuple[TestPerformance, ...]
    control_group: ControlGroup | None = None
    pods: tuple[Consumer, ...] = ()
    """Those of the run's namespace."""
    nodes: tuple[Consumer, ...] = ()
    metrics_problem: str | None = None
    """Why pods or nodes are missing, where a cluster was asked for them."""


def read_performance(file: Path) -> Performance:
    """Return what a file holds.

    Raises:
        UnreadableResultsError: It is not there, or something else.
    """
    try:
        return Performance.model_validate_json(file.read_bytes())
    except OSError as error:
        message = f"{file}: can't be read: {error.strerror}"
        raise UnreadableResultsError(message) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{file}: is no {FILE}: {f'{place}: ' if place else ''}{first['msg']}"
        raise UnreadableResultsError(message) from None
