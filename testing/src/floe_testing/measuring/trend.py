"""How tests do over runs: the newest results beside the median of those before."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from floe_testing.measuring.models import FILE, Performance, UnreadableResultsError, read_performance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from floe_testing.measuring.config import PerformanceConfig, Tolerance


@dataclass(frozen=True)
class Trend:
    """One test over the runs."""

    id: str
    runs: int
    """Earlier runs in which it passed."""
    before: float | None
    """The median of its calls in those, in seconds; None where there is none."""
    now: float
    """Its call in the newest run, in seconds."""
    regressed: bool

    @property
    def change(self) -> float | None:
        """How many times as long as before it takes."""
        return self.now / self.before if self.before else None

    def as_json(self) -> dict[str, Any]:
        """Return everything, for `json.dumps`."""
        return asdict(self) | {"change": self.change}


def read_runs(places: Iterable[Path]) -> list[Performance]:
    """Return the results of runs, oldest first.

    Args:
        places: Results folders, folders of them, or files.

    Raises:
        UnreadableResultsError: Names every place without results, and every file that can't be read.
    """
    problems: list[str] = []
    runs: dict[Path, Performance] = {}
    for place in places:
        files = list(_files(place))
        if not files:
            problems.append(f"{place}: holds no {FILE}; run the tests with FLOE_RESULTS_DIR set to a folder")
        for file in files:
            try:
                runs[file.resolve()] = read_performance(file)
            except UnreadableResultsError as error:
                problems.append(str(error))
    if not problems and len(runs) <= 1:
        problems.append("a trend needs the results of two runs or more")
    if problems:
        raise UnreadableResultsError("\n".join(problems))
    return sorted(runs.values(), key=lambda run: run.started_at)


def trends(runs: Sequence[Performance], config: PerformanceConfig) -> list[Trend]:
    """Return the tests that passed in the newest run; what regressed comes first, and then what changed most."""
    *earlier, newest = ({test.id: test.seconds.call for test in run.tests if test.outcome == "passed"} for run in runs)
    found = [
        _trend(name, [run[name] for run in earlier if name in run], seconds, config.tolerance_for(name))
        for name, seconds in newest.items()
    ]
    return sorted(found, key=lambda trend: (not trend.regressed, -(trend.now - (trend.before or trend.now)), trend.id))


def _trend(name: str, before: Sequence[float], now: float, tolerance: Tolerance) -> Trend:
    usual = median(before) if before else None
    return Trend(name, len(before), usual, now, usual is not None and tolerance.exceeded(now, usual))


def _files(place: Path) -> Iterator[Path]:
    # These two take any text, also one that no file can be called.
    if os.path.isfile(place):  # noqa: PTH113
        yield place
    elif os.path.isfile(place / FILE):  # noqa: PTH113
        yield place / FILE
    elif os.path.isdir(place):  # noqa: PTH112
        yield from sorted(place.glob(f"*/{FILE}"))
