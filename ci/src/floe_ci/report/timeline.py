"""Where steps and tests stand on the axis of a run's time, in thousandths of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from floe_ci.junit import Case
    from floe_ci.report.performance import Performance
    from floe_ci.steps import Measured

WIDTH: Final = 1000
_MOST_LANES: Final = 32
_LEAST, _LEAST_BAD = 2, 4
"""How wide a bar is at least."""
_TESTS: Final = "tests"
"""The step in which they run."""
_TOLERANCE: Final = 1.05


@dataclass(frozen=True)
class Bar:
    """A stretch of time."""

    start: int
    width: int
    bad: bool = False


@dataclass(frozen=True)
class Lane:
    """Tests that ran one after the other."""

    name: str
    tests: int
    started: float
    seconds: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Axis:
    """The time of a run."""

    seconds: float

    @classmethod
    def of(cls, measured: Measured) -> Axis:
        """Return the axis that everything fits on."""
        ends = [step.started + step.seconds for step in measured.steps]
        return cls(max([measured.total_seconds, *ends, 0.001]))

    def bar(self, started: float, seconds: float, *, bad: bool = False) -> Bar:
        """Return the bar of a stretch; the shortest can still be seen."""
        start = min(self.at(started), WIDTH - _LEAST)
        return Bar(start, max(self.at(started + seconds) - start, _LEAST), bad)

    def at(self, second: float) -> int:
        """Return where a moment is."""
        return round(WIDTH * min(max(second / self.seconds, 0), 1))


def lanes(axis: Axis, measured: Measured, cases: Sequence[Case], performance: Performance | None) -> list[Lane]:
    """Return the tests of each process that ran some, one after the other from the first one's start.

    When a test began is written nowhere; what lies between two tests is not seen. Without what floe-testing measured
    it isn't known either which process ran a test: then there is a lane only where all of them fit behind each other.
    """
    began = _began(axis, measured, performance)
    if began is None:
        return []
    by_worker: dict[str, list[tuple[float, bool]]] = {}
    if performance and performance.tests:
        for test in performance.tests:
            told = (test.seconds.total, test.outcome not in {"passed", "skipped"})
            by_worker.setdefault(test.worker or "", []).append(told)
    else:
        room = next((step.seconds for step in measured.steps if step.name == _TESTS), 0.0)
        if sum(case.seconds for case in cases) <= room * _TOLERANCE:
            by_worker[""] = [(case.seconds, case.bad) for case in cases]
    made = [_lane(axis, worker, began, tests) for worker, tests in sorted(by_worker.items()) if tests]
    return made[:_MOST_LANES]


def _began(axis: Axis, measured: Measured, performance: Performance | None) -> float | None:
    """Return when the first test began, in seconds after the run; a clock that differs is not believed."""
    said = (performance.began - measured.started_at).total_seconds() if performance and performance.tests else None
    for second in (measured.time_to_first_test_seconds, said):
        if second is not None and 0 <= second <= axis.seconds:
            return second
    return next((step.started for step in measured.steps if step.name == _TESTS), None)


def _lane(axis: Axis, worker: str, began: float, tests: Sequence[tuple[float, bool]]) -> Lane:
    columns: dict[int, bool] = {}
    second = began
    for seconds, bad in tests:
        first, last = axis.at(second), axis.at(second + seconds)
        for column in (first,) if first == last else range(first, last):
            columns[column] = columns.get(column, False) or bad
        second += seconds
    return Lane(worker, len(tests), began, second - began, tuple(_bars(columns.items())))


def _bars(columns: Iterable[tuple[int, bool]]) -> Iterable[Bar]:
    """Yield a bar for each row of neighbours that are alike."""
    for (_, bad), same in groupby(enumerate(sorted(columns)), lambda item: (item[1][0] - item[0], item[1][1])):
        numbers = [column for _, (column, _) in same]
        least = _LEAST_BAD if bad else _LEAST
        yield Bar(min(numbers[0], WIDTH - least), max(len(numbers), least), bad)
