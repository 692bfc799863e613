"""Named steps of a run, and how long each took."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from floe_ci.engine import without_trace
from floe_ci.errors import RunError, UserError
from floe_ci.listeners import CANCELLED, Listener, Step


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
            given = _table(json.loads(text), "it")
            started_at = datetime.fromisoformat(_text(given, "started_at"))
            first = given["time_to_first_test_seconds"]
            return cls(
                _text(given, "run_id"),
                _text(given, "tier"),
                started_at if started_at.tzinfo else started_at.replace(tzinfo=UTC),
                _seconds(given, "total_seconds"),
                None if first is None else _seconds(given, "time_to_first_test_seconds"),
                tuple(_step_of(_table(each, "a step")) for each in _list(given, "steps")),
            )
        except KeyError as error:
            reason = f"{error} is missing"
        except RecursionError:
            reason = "its lists are nested too deeply"
        except (ValueError, TypeError) as error:
            reason = str(error)
        msg = f"{where}: not a record of timings: {reason}"
        raise UserError(msg) from None


# By hand: the library for it takes longer to load than all that shows the end of a run.
def _text(given: dict[str, Any], name: str) -> str:
    if not isinstance(given[name], str):
        msg = f"{name}: must be a text"
        raise TypeError(msg)
    return str(given[name])


def _table(given: object, what: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        msg = f"{what} must be an object of JSON"
        raise TypeError(msg)
    return given


def _list(given: dict[str, Any], name: str) -> list[object]:
    if not isinstance(given[name], list):
        msg = f"{name}: must be a list"
        raise TypeError(msg)
    return list(given[name])


def _seconds(given: dict[str, Any], name: str) -> float:
    number = given[name]
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        msg = f"{name}: must be a number of seconds"
        raise TypeError(msg)
    return float(number)


def _step_of(given: dict[str, Any]) -> Step:
    error = None if given.get("error") is None else _text(given, "error")
    return Step(_text(given, "name"), _seconds(given, "started_seconds"), _seconds(given, "seconds"), error)


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
        except BaseException as raised:
            error = _described(raised)
            (self._cancelled if error == CANCELLED else self._failed).append(name)
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
    import anyio  # noqa: PLC0415 - whoever only reads what was measured needs none

    with anyio.move_on_after(limit) as scope:
        yield
    if scope.cancelled_caught:
        msg = f"{name}: not done after {limit:g} s"
        raise RunError(msg)


def _described(raised: BaseException) -> str:
    """Return an error's text; one that isn't for the user, or says nothing, is named as well."""
    from asyncio import CancelledError  # noqa: PLC0415 - whoever only reads what was measured needs no event loop

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
