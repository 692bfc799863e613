"""Reads a results directory, and shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

from floe_ci import junit
from floe_ci.ansi import plain
from floe_ci.errors import UserError
from floe_ci.folder import is_held, read_run
from floe_ci.junit import PROBLEM_SUITE, Counts, Document, first_line
from floe_ci.steps import Measured
from floe_ci.summary import brief
from floe_ci.verdict import Verdict, of_exit_code

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.comparison import Comparison
    from floe_ci.junit import Case

STYLES: Final = {Verdict.PASSED: "green", Verdict.NOTHING_RAN: "yellow"}
"""Every other verdict is red."""
SLOWEST: Final = 10
LINES: Final = 10
"""How many lines of a failure's reason are shown."""
MOST_FAILURES: Final = 50
MOST_CHANGES: Final = 100
_OF_TEXT: Final = frozenset(
    {"Suite", "Slowest tests", "Step", "Outcome", "Before", "After", "Test", "Reason", "Slower"}
)
"""Columns that hold no numbers."""


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
    tests: tuple[Case, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder.

        Raises:
            UserError: It is no results directory, its run has not ended, or something in it can't be read.
        """
        refuse_unended(folder)
        try:
            code = int((folder / "exit-code").read_text(encoding="ascii"))
            timings = (folder / "timings.json").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            msg = f"{folder}: no results of a run: {error}"
            raise UserError(msg) from None
        measured = Measured.from_json(timings, str(folder / "timings.json"))
        document = junit.read(folder / "junit.xml")
        if document.problem:
            msg = f"{folder / 'junit.xml'}: {document.problem}; so what became of the tests is not known"
            raise UserError(msg)
        if of_exit_code(code) is Verdict.PASSED and not _proves(document):
            msg = f"{folder}: exit-code says that the tests passed, and junit.xml does not; one of them was changed"
            raise UserError(msg)
        tests = [case for suite in document.suites if suite.name != PROBLEM_SUITE for case in suite.cases]
        slowest = sorted(((case.title, case.seconds) for case in tests), key=lambda item: -item[1])
        return cls(
            folder,
            code,
            measured,
            _by_suite(document),
            tuple(_failed(suite.name, case) for suite in document.suites for case in suite.cases if case.bad),
            tuple(case.title for case in tests if case.flaky),
            tuple(slowest[:SLOWEST]),
            tuple(tests),
        )

    @property
    def verdict(self) -> Verdict:
        """What the run came to."""
        return of_exit_code(self.exit_code)

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


def show_comparison(before: Overview, after: Overview, comparison: Comparison) -> None:
    """Print what differs between two runs."""
    console = Console(highlight=False)
    changes = [[each.before or "-", each.after or "-", each.test, each.message] for each in comparison.changes]
    _print_table(console, ("Before", "After", "Test", "Reason"), changes[:MOST_CHANGES])
    if len(changes) > MOST_CHANGES:
        console.print(f"and {len(changes) - MOST_CHANGES} more; --json has them all")
    slower = [[each.test, f"{each.before:.2f}", f"{each.after:.2f}"] for each in comparison.slower]
    _print_table(console, ("Slower", "Seconds before", "Seconds after"), slower[:MOST_CHANGES])
    worse = sum(change.is_worse for change in comparison.changes)
    told = f"came to something else: {len(changes)}, of them failing now: {worse}; got slower: {len(slower)}"
    for name, overview in (("before", before), ("after", after)):
        console.print(Text(f"{name}: "), _headline(overview), Text(f", in {overview.folder}"), sep="", soft_wrap=True)
    console.print(told, soft_wrap=True)


def comparison_as_json(before: Overview, after: Overview, comparison: Comparison) -> dict[str, Any]:
    """Return all of a comparison, for machines."""
    runs = {"before": before, "after": after}
    return {
        **{
            name: {
                "results": str(each.folder),
                "run_id": each.measured.run_id,
                "verdict": each.verdict,
                "seconds": each.measured.total_seconds,
            }
            for name, each in runs.items()
        },
        "changes": [asdict(change) for change in comparison.changes],
        "slower": [asdict(each) for each in comparison.slower],
    }


def _print_table(console: Console, header: tuple[str, ...], rows: list[list[str]]) -> None:
    if rows:
        table = Table(*header, title_justify="left")
        for column in table.columns:
            numeric = column.header not in _OF_TEXT
            column.justify = "right" if numeric else "left"
            column.overflow = "fold"
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)


def _failed(suite: str, case: Case) -> Failed:
    """Return a test that failed; what ended a run beside its tests is called by the step that it happened in."""
    return Failed(case.name if suite == PROBLEM_SUITE else case.title, plain(case.reason))


def _print_failures(console: Console, overview: Overview) -> None:
    for failed in overview.failures[:MOST_FAILURES]:
        first, *others = brief(failed.message, LINES) or [""]
        console.print(Text(failed.test, style="bold red"), Text(first), soft_wrap=True)
        for line in others:
            console.print(Text(f"    {line}"), soft_wrap=True)
    if len(overview.failures) > MOST_FAILURES:
        console.print(f"and {len(overview.failures) - MOST_FAILURES} more, in junit.xml")


def _headline(overview: Overview) -> Text:
    every = [counts for counts, _ in overview.suites.values()]
    totals = {
        name: sum(getattr(counts, name) for counts in every) for name in ("passed", "failed", "errored", "skipped")
    }
    told = ", ".join(f"{number} {name}" for name, number in totals.items() if number) or "no test reported"
    headline = Text(overview.verdict, style=f"bold {STYLES.get(overview.verdict, 'red')}")
    measured = overview.measured
    return headline.append(f": tier {measured.tier}, {told}, {measured.total_seconds:.0f} s", style="not bold default")


def refuse_unended(folder: Path) -> None:
    """Refuse the results of a run that has not ended.

    Raises:
        UserError: It has not.
    """
    run = read_run(folder)
    if run is None or run["state"] == "ended":
        return
    who = f"run {run['run_id']} (since {run.get('started_at')})"
    if is_held(folder):
        msg = f"{folder}: {who} is still going on; its logs so far are in {folder / 'logs'}"
    else:
        msg = f"{folder}: {who} did not come to its end, so there is no verdict; its logs are in {folder / 'logs'}"
    raise UserError(msg)


def _proves(document: Document) -> bool:
    cases = list(document.cases)
    return any(case.ran for case in cases) and not any(case.bad for case in cases)


def _by_suite(document: Document) -> dict[str, tuple[Counts, float]]:
    """Return counts and seconds by the suites' names, which may stand there more than once."""
    names = dict.fromkeys(suite.name for suite in document.suites)
    cases = {name: [c for suite in document.suites if suite.name == name for c in suite.cases] for name in names}
    return {name: (Counts.of(same), sum(case.seconds for case in same)) for name, same in cases.items()}


def _first_line(text: str) -> str:
    return first_line(text)[:200]
