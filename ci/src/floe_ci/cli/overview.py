"""What a results directory holds, and the few lines that say it; tables of it are in `view`."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import click

from floe_ci import junit
from floe_ci.ansi import plain
from floe_ci.errors import UserError
from floe_ci.files import content_of
from floe_ci.folder import read_run
from floe_ci.junit import PROBLEM_SUITE, Counts, Document
from floe_ci.locks import is_locked
from floe_ci.steps import Measured
from floe_ci.summary import brief
from floe_ci.verdict import Verdict, of_exit_code

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.junit import Case

COLOURS: Final = {Verdict.PASSED: "green", Verdict.NOTHING_RAN: "yellow"}
"""Every other verdict is red."""
SLOWEST: Final = 10
LINES: Final = 10
"""How many lines of a failure's reason are shown."""
MOST_FAILURES: Final = 50


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
            code = int(_text(folder, "exit-code"))
        except ValueError:
            msg = f"{folder}: no results of a run: exit-code holds no number"
            raise UserError(msg) from None
        timings = _text(folder, "timings.json")
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
    def told(self) -> str:
        """The tier, how many tests came to what, and how long it took."""
        every = [counts for counts, _ in self.suites.values()]
        totals = {
            name: sum(getattr(counts, name) for counts in every) for name in ("passed", "failed", "errored", "skipped")
        }
        numbers = ", ".join(f"{number} {name}" for name, number in totals.items() if number) or "no test reported"
        return f"tier {self.measured.tier}, {numbers}, {self.measured.total_seconds:.0f} s"

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
    for failed in overview.failures[:MOST_FAILURES]:
        first, *others = brief(failed.message, LINES) or [""]
        click.echo(f"{click.style(failed.test, bold=True, fg='red')} {first}")
        for line in others:
            click.echo(f"    {line}")
    if len(overview.failures) > MOST_FAILURES:
        click.echo(f"and {len(overview.failures) - MOST_FAILURES} more, in junit.xml")
    for test in overview.flaky:
        click.echo(f"{click.style(test, bold=True, fg='yellow')} passed only when it was tried again")
    click.echo(f"{headline(overview)}: {overview.told}")
    click.echo(f"results: {overview.folder}")


def headline(overview: Overview) -> str:
    """Return the verdict in its colour."""
    return click.style(overview.verdict, bold=True, fg=COLOURS.get(overview.verdict, "red"))


def refuse_unended(folder: Path) -> None:
    """Refuse the results of a run that has not ended.

    Raises:
        UserError: It has not.
    """
    run = read_run(folder)
    if run is None or run["state"] == "ended":
        return
    who = f"run {run['run_id']} (since {run.get('started_at')})"
    if is_locked(folder):
        msg = f"{folder}: {who} is still going on; its logs so far are in {folder / 'logs'}"
    else:
        msg = f"{folder}: {who} did not come to its end, so there is no verdict; its logs are in {folder / 'logs'}"
    raise UserError(msg)


def _text(folder: Path, name: str) -> str:
    """Return the text of a file that a run leaves; a pipe in its place is not waited for.

    Raises:
        UserError: There is none.
    """
    try:
        if (content := content_of(folder / name)) is not None:
            return content.decode()
        reason = "can't be read" if os.path.lexists(folder / name) else "is not there"
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    msg = f"{folder}: no results of a run: {name} {reason}"
    raise UserError(msg)


def _failed(suite: str, case: Case) -> Failed:
    """Return a test that failed; what ended a run beside its tests is called by the step that it happened in."""
    return Failed(case.name if suite == PROBLEM_SUITE else case.title, plain(case.reason))


def _proves(document: Document) -> bool:
    cases = list(document.cases)
    return any(case.ran for case in cases) and not any(case.bad for case in cases)


def _by_suite(document: Document) -> dict[str, tuple[Counts, float]]:
    """Return counts and seconds by the suites' names, which may stand there more than once."""
    names = dict.fromkeys(suite.name for suite in document.suites)
    cases = {name: [c for suite in document.suites if suite.name == name for c in suite.cases] for name in names}
    return {name: (Counts.of(same), sum(case.seconds for case in same)) for name, same in cases.items()}
