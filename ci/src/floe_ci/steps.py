"""Named steps of a run, and how long each took."""

import json
import time
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol, Self

import anyio
from pydantic import BaseModel, Field, ValidationError

from floe_ci.engine import without_trace
from floe_ci.errors import RunError, UserError

CANCELLED: Final = "cancelled"
"""The error of a step that was ended because of another."""


@dataclass(frozen=True)
class Step:
    """A step that has ended; times are in seconds, `started` counts from the run's start."""

    name: str
    started: float
    seconds: float
    error: str | None = None

    @property
    def cancelled(self) -> bool:
        """Whether it was ended because of another."""
        return self.error == CANCELLED


@dataclass(frozen=True)
class Measured:
    """What a `timings.json` holds."""

    run_id: str
    tier: str
    started_at: datetime
    total_seconds: float
    time_to_first_test_seconds: float | None
    steps: tuple[Step, ...]

    def to_json(self) -> str:
        """Return the text of `timings.json`."""
        document = {
            "run_id": self.run_id,
            "tier": self.tier,
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "total_seconds": round(self.total_seconds, 3),
            "time_to_first_test_seconds": _rounded(self.time_to_first_test_seconds),
            "steps": [_step_to_json(step) for step in self.steps],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "timings.json") -> Self:
        """Return what the text of a `timings.json` says.

        Raises:
            UserError: It is none, or something in it is of another type.
        """
        try:
            record = _Record.model_validate_json(text)
            started_at = datetime.fromisoformat(record.started_at)
        except (ValueError, RecursionError) as error:  # pydantic's own among them
            msg = f"{where}: not a record of timings: {_first_problem(error)}"
            raise UserError(msg) from None
        return cls(
            record.run_id,
            record.tier,
            started_at if started_at.tzinfo else started_at.replace(tzinfo=UTC),
            record.total_seconds,
            record.time_to_first_test_seconds,
            tuple(Step(each.name, each.started_seconds, each.seconds, each.error) for each in record.steps),
        )


_Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _StepRecord(BaseModel):
    name: str
    started_seconds: _Seconds
    seconds: _Seconds
    error: str | None = None


class _Record(BaseModel):
    """The document `timings.json`; further keys are for others."""

    run_id: str
    tier: str
    started_at: str
    total_seconds: _Seconds
    time_to_first_test_seconds: _Seconds | None
    steps: tuple[_StepRecord, ...]


def _first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


class Listener(Protocol):
    """Is told of the steps of a run."""

    def begin(self, step: str) -> None:
        """Take the name of a step that begins."""

    def end(self, step: Step) -> None:
        """Take a step that has ended."""


class Timings:
    """Records the steps of one run; they may overlap."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        listener: Listener | None = None,
    ) -> None:
        """Start the run's clock; a `listener` is told of each step as it begins and ends."""
        self._listener = listener
        self._clock = clock
        self._zero = clock()
        self._started_at = now()
        self._steps: list[Step] = []
        self._first_test: float | None = None
        self._failed: list[str] = []
        self._cancelled: list[str] = []

    @property
    def failed(self) -> str | None:
        """The step that failed first; where none did by itself, the first that was ended by something else."""
        return next(iter(self._failed or self._cancelled), None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that have ended, by their start."""
        return tuple(sorted(self._steps, key=lambda step: step.started))

    @property
    def started_at(self) -> datetime:
        """When the run started."""
        return self._started_at

    @property
    def elapsed(self) -> float:
        """Seconds since the run's start."""
        return self._clock() - self._zero

    @contextmanager
    def step(self, name: str, limit: float | None = None) -> Iterator[None]:
        """Record what happens inside as one step, whether it succeeds, fails or is cancelled.

        Args:
            name: What it is.
            limit: Seconds that it may take, for what an event loop can end; None: as many as it takes.

        Raises:
            RunError: It took longer.
        """
        started = self.elapsed
        error: str | None = None
        if self._listener:
            self._listener.begin(name)
        try:
            with _limited(name, limit) if limit else nullcontext():
                yield
        except CancelledError:
            error = CANCELLED
            self._cancelled.append(name)
            raise
        except BaseException as raised:
            error = _described(raised)
            self._failed.append(name)
            raise
        finally:
            self.record(Step(name, started, self.elapsed - started, error))

    def record(self, step: Step) -> None:
        """Add a step that was measured elsewhere."""
        self._steps.append(step)
        if self._listener:
            self._listener.end(step)

    def extend(self, steps: Iterable[Step], offset: float = 0.0) -> None:
        """Add steps whose clock started `offset` seconds after this run's."""
        for step in steps:
            self.record(replace(step, started=step.started + offset))

    def first_test(self, at: float | None = None) -> None:
        """Note when the first test began: now, or `at` seconds after the run's start; the earliest counts."""
        moment = self.elapsed if at is None else at
        self._first_test = moment if self._first_test is None else min(moment, self._first_test)

    def measured(self, run_id: str, tier: str) -> Measured:
        """Return what was measured until now."""
        return Measured(run_id, tier, self._started_at, self.elapsed, self._first_test, self.steps)


@contextmanager
def _limited(name: str, limit: float) -> Iterator[None]:
    with anyio.move_on_after(limit) as scope:
        yield
    if scope.cancelled_caught:
        msg = f"{name}: not done after {limit:g} s"
        raise RunError(msg)


def _described(raised: BaseException) -> str:
    """Return an error's text; one that isn't for the user, or says nothing, is named as well."""
    if isinstance(raised, CancelledError):
        return CANCELLED
    text = without_trace(str(raised))
    if text and isinstance(raised, UserError):
        return text
    return f"{type(raised).__name__}: {text}" if text else type(raised).__name__


def _step_to_json(step: Step) -> dict[str, Any]:
    times = {"name": step.name, "started_seconds": round(step.started, 3), "seconds": round(step.seconds, 3)}
    return times if step.error is None else {**times, "error": step.error}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
