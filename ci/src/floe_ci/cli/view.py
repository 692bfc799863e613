"""Reads a results directory, and shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

from floe_ci.errors import UserError
from floe_ci.junit import PROBLEM_SUITE, Counts, flaky, name_of, outcome, read_junit
from floe_ci.steps import Measured

if TYPE_CHECKING:
    from pathlib import Path

    from junitparser import TestCase

VERDICTS: Final = {0: "passed", 1: "failed", 5: "no tests ran"}
"""By exit code; every other one is an error."""
STYLES: Final = {"passed": "green", "failed": "red", "errored": "red", "no tests ran": "yellow"}
SLOWEST: Final = 10
MESSAGE: Final = 200
"""How many characters of a failure's message are shown."""


@dataclass(frozen=True)
class Failed:
    """A test that didn't pass."""

    test: str
    message: str


@dataclass(frozen=True)
class Overview:
    """What a results directory holds."""

    folder: Path
    exit_code: int
    measured: Measured
    suites: dict[str, tuple[Counts, float]]
    """Counts and seconds."""
    failures: tuple[Failed, ...]
    flaky: tuple[str, ...]
    """Tests that passed only when they were tried again."""
    slowest: tuple[tuple[str, float], ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder.

        Raises:
            UserError: It is no results directory.
        """
        try:
            code = int((folder / "exit-code").read_text(encoding="utf-8"))
            timings = (folder / "timings.json").read_text(encoding="utf-8")
            junit = read_junit((folder / "junit.xml").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"{folder}: no results of a run: {error}"
            raise UserError(msg) from None
        suites = list(junit) if junit is not None else []
        cases = [case for suite in suites for case in suite]
        tests = [case for suite in suites if suite.name != PROBLEM_SUITE for case in suite]
        slowest = sorted(((name_of(case), case.time or 0.0) for case in tests), key=lambda item: -item[1])
        return cls(
            folder,
            code,
            Measured.from_json(timings, str(folder / "timings.json")),
            {suite.name or "": (Counts.of(suite), suite.time or 0.0) for suite in suites},
            tuple(Failed(name_of(case), _message(case)) for case in cases if outcome(case) in {"failed", "errored"}),
            tuple(map(name_of, flaky(tests))),
            tuple(slowest[:SLOWEST]),
        )

    @property
    def verdict(self) -> str:
        """What the run came to."""
        return VERDICTS.get(self.exit_code, "errored")

    def as_json(self) -> dict[str, Any]:
        """Return all of it, for machines."""
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "results": str(self.folder),
            "run_id": self.measured.run_id,
            "tier": self.measured.tier,
            "seconds": self.measured.total_seconds,
            "suites": {name: {**asdict(counts), "seconds": seconds} for name, (counts, seconds) in self.suites.items()},
            "failures": [asdict(failed) for failed in self.failures],
            "flaky": list(self.flaky),
            "slowest": [{"test": test, "seconds": seconds} for test, seconds in self.slowest],
            "steps": [asdict(step) for step in self.measured.steps],
        }


def show_briefly(overview: Overview) -> None:
    """Print what didn't pass, and the verdict."""
    console = Console(highlight=False)
    _print_failures(console, overview)
    for test in overview.flaky:
        console.print(Text(test, style="bold yellow"), Text("passed only when it was tried again"), soft_wrap=True)
    console.print(_headline(overview), soft_wrap=True)
    console.print(f"results: {overview.folder}", soft_wrap=True, markup=False)


def show(overview: Overview) -> None:
    """Print everything as tables."""
    console = Console(highlight=False)
    numbers = ("Tests", "Passed", "Failed", "Errored", "Skipped", "Seconds")
    rows = [
        [suite, *map(str, (counts.total, *asdict(counts).values())), f"{seconds:.1f}"]
        for suite, (counts, seconds) in overview.suites.items()
    ]
    _print_table(console, ("Suite", *numbers), rows)
    _print_table(console, ("Slowest tests", "Seconds"), [[test, f"{took:.2f}"] for test, took in overview.slowest])
    steps = [
        [step.name, f"{step.started:.1f}", f"{step.seconds:.1f}", _first_line(step.error or "done")]
        for step in overview.measured.steps
    ]
    _print_table(console, ("Step", "Started", "Seconds", "Outcome"), steps)
    show_briefly(overview)


def _print_table(console: Console, header: tuple[str, ...], rows: list[list[str]]) -> None:
    if rows:
        table = Table(*header, title_justify="left")
        for column in table.columns:
            numeric = column.header not in {"Suite", "Slowest tests", "Step", "Outcome"}
            column.justify = "right" if numeric else "left"
            column.overflow = "fold"
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)


def _print_failures(console: Console, overview: Overview) -> None:
    for failed in overview.failures:
        console.print(Text(failed.test, style="bold red"), Text(failed.message), soft_wrap=True)


def _headline(overview: Overview) -> Text:
    every = [counts for counts, _ in overview.suites.values()]
    totals = {
        name: sum(getattr(counts, name) for counts in every) for name in ("passed", "failed", "errored", "skipped")
    }
    told = ", ".join(f"{number} {name}" for name, number in totals.items() if number) or "no test reported"
    headline = Text(overview.verdict, style=f"bold {STYLES[overview.verdict]}")
    measured = overview.measured
    return headline.append(f": tier {measured.tier}, {told}, {measured.total_seconds:.0f} s", style="not bold default")


def _message(case: TestCase) -> str:
    return next((_first_line(result.message or result.text or "") for result in case.result), "")


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:MESSAGE]
