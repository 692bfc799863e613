"""What the page of a run tells, gathered from its results; the template only lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from floe_ci import contract
from floe_ci.junit import Case, Counts, first_line
from floe_ci.report import performance, running, texts, timeline
from floe_ci.report.timeline import Axis, Bar, Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from floe_ci.listeners import Step
    from floe_ci.report.history import Entry
    from floe_ci.report.performance import Performance, TestFigures
    from floe_ci.report.running import Running
    from floe_ci.report.texts import Log
    from floe_ci.steps import Measured
    from floe_ci.summary import Page
    from floe_ci.verdict import Judgement

MOST_FAILURES: Final = 50
"""Tests that didn't pass and are shown with all that they said; the others are in the list of all tests."""
MOST_REASONS: Final = 500
"""Tests whose reason is told in that list."""
SLOWEST: Final = 20
_MOST_LOG_ENDS: Final = 12
_MOST_ROWS: Final = 500
"""Of any table but that of the tests."""
_MOST_FILES: Final = 50
_LONGEST_TRACE: Final = 6000
_LONGEST_OUTPUT: Final = 3000
_LONGEST_PROBLEM: Final = 12_000
_LONGEST_NAME: Final = 200
_LONGEST_REASON: Final = 160
_LONGEST_CAUSE: Final = 300
_WORST_FIRST: Final = ("errored", "failed", "skipped", "passed")
_OUTPUTS: Final = {"system-out": "What it printed, and logged", "system-err": "What it wrote as errors"}


@dataclass(frozen=True)
class Failure:
    """A test that did not pass, with what it said."""

    title: str
    outcome: str
    seconds: float
    reason: str
    trace: str
    outputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """A test in the list of all."""

    name: str
    outcome: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Group:
    """The tests of one class or module."""

    name: str
    counts: Counts
    seconds: float
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class StepRow:
    """A step, and where it stands on the axis."""

    step: Step
    outcome: str
    bar: Bar


@dataclass(frozen=True)
class Requirement:
    """A requirement that tests name."""

    name: str
    counts: Counts

    @property
    def state(self) -> str:
        """What the tests that name it say of it."""
        if self.counts.failed or self.counts.errored:
            return "failed"
        return "verified" if self.counts.passed else "not verified"


@dataclass(frozen=True)
class Unsteady:
    """A test that failed, or was flaky, in some of the runs that are remembered."""

    title: str
    bad: int
    flaky: int


@dataclass(frozen=True)
class Past:
    """A run that is remembered, and its duration beside the longest one's."""

    entry: Entry
    bar: Bar
    this: bool


@dataclass(frozen=True)
class Content:
    """The page."""

    verdict: str
    exit_code: int
    meaning: str
    tier: str
    run_id: str
    measured: Measured
    counts: Counts
    problem: str
    first_cause: str
    kept: tuple[str, ...]
    earlier: tuple[str, ...]
    """What became of attempts before this one."""
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]
    failed: int
    """How many there are, shown or not."""
    logs: tuple[Log, ...]
    steps: tuple[StepRow, ...]
    lanes: tuple[Lane, ...]
    versions: tuple[tuple[str, str], ...]
    """What the tests had around them, and in which version."""
    running: tuple[Running, ...]
    """Containers of pods, or processes of this machine."""
    slowest: tuple[tuple[str, float], ...]
    flaky: tuple[tuple[str, int], ...]
    unsteady: tuple[Unsteady, ...]
    history: tuple[Past, ...]
    """The newest first."""
    requirements: tuple[Requirement, ...]
    performance: Performance | None
    largest: tuple[TestFigures, ...]
    """The tests that held the most memory."""
    slower: tuple[TestFigures, ...]
    """Those that took longer than their baseline allows."""
    groups: tuple[Group, ...]
    files: tuple[tuple[str, str, str], ...]
    """Name, address, and what it holds."""

    @classmethod
    def of(
        cls, page: Page, measured: Measured, judged: Judgement, runs: Sequence[Entry], safe: Callable[[str], str]
    ) -> Self:
        """Gather it.

        Args:
            page: What the summary tells of the same run.
            measured: Its steps and times.
            judged: The verdict.
            runs: Those that are remembered, this one last.
            safe: Takes passwords out of a text; before anything is cut off, as half a password is not found.
        """
        cases = page.tests
        bad = [case for case in cases if case.bad]
        axis = Axis.of(measured)
        figures = performance.read(page.folder) if page.folder else None
        problem = texts.clipped(safe(page.problem or ""), _LONGEST_PROBLEM)
        failures = tuple(_failure(case, safe) for case in bad[:MOST_FAILURES])
        return cls(
            verdict=judged.verdict,
            exit_code=judged.exit_code,
            meaning=judged.meaning,
            tier=page.tier,
            run_id=page.run_id or measured.run_id,
            measured=measured,
            counts=Counts.of(cases),
            problem=problem,
            first_cause=texts.line(safe(page.first_cause), _LONGEST_CAUSE),
            kept=tuple(texts.shown(safe(line)) for line in page.kept),
            earlier=tuple(texts.shown(safe(line)) for line in page.earlier),
            notes=tuple(texts.shown(safe(line)) for line in page.notes),
            failures=failures,
            failed=len(bad),
            logs=tuple(texts.logs(page.folder, _MOST_LOG_ENDS if bad or problem else 0) if page.folder else ()),
            steps=tuple(_step(axis, step, safe) for step in measured.steps[:_MOST_ROWS]),
            lanes=tuple(timeline.lanes(axis, measured, cases, figures)),
            versions=tuple((texts.shown(name), texts.shown(told)) for name, told in page.versions.items())[:_MOST_ROWS],
            running=tuple(running.read(page.folder, axis, measured)) if page.folder else (),
            slowest=_slowest(cases),
            flaky=tuple((_name(case.title), case.attempts) for case in cases if case.flaky)[:_MOST_ROWS],
            unsteady=tuple(_unsteady(runs))[:_MOST_ROWS],
            history=tuple(_past(runs)),
            requirements=tuple(_requirements(cases))[:_MOST_ROWS],
            performance=figures,
            largest=_largest(figures),
            slower=tuple(test for test in figures.tests if test.slower)[:_MOST_ROWS] if figures else (),
            groups=tuple(_groups(cases)),
            files=tuple((texts.shown(name), texts.link(name), told) for name, told in page.files()[:_MOST_FILES]),
        )


def _failure(case: Case, safe: Callable[[str], str]) -> Failure:
    trace = "\n\n".join(result.text.strip("\n") for result in case.results if result.text.strip())
    outputs = [(_OUTPUTS.get(tag, tag), texts.clipped(safe(text), _LONGEST_OUTPUT)) for tag, text in case.outputs]
    return Failure(
        _name(safe(case.title)),
        case.outcome,
        case.seconds,
        texts.clipped(safe(case.reason), _LONGEST_OUTPUT).strip("\n"),
        texts.clipped(safe(trace), _LONGEST_TRACE),
        tuple((label, text.strip("\n")) for label, text in outputs if text.strip()),
    )


def _step(axis: Axis, step: Step, safe: Callable[[str], str]) -> StepRow:
    outcome = texts.line(safe(step.error), _LONGEST_NAME) if step.error else "done"
    return StepRow(step, outcome, axis.bar(step.started, step.seconds, bad=bool(step.error) and not step.cancelled))


def _slowest(cases: Iterable[Case]) -> tuple[tuple[str, float], ...]:
    timed = sorted((case for case in cases if case.seconds > 0), key=lambda case: -case.seconds)
    return tuple((_name(case.title), case.seconds) for case in timed[:SLOWEST])


def _largest(figures: Performance | None) -> tuple[TestFigures, ...]:
    told = [test for test in figures.tests if test.peak_memory_bytes] if figures else []
    return tuple(sorted(told, key=lambda test: -(test.peak_memory_bytes or 0))[:10])


def _unsteady(runs: Sequence[Entry]) -> list[Unsteady]:
    bad: dict[str, int] = {}
    flaky: dict[str, int] = {}
    for run in runs:
        for titles, numbers in ((run.bad_tests, bad), (run.flaky_tests, flaky)):
            for title in dict.fromkeys(titles):
                numbers[title] = numbers.get(title, 0) + 1
    found = [Unsteady(_name(title), bad.get(title, 0), flaky.get(title, 0)) for title in {**bad, **flaky}]
    # One that fails in every run is broken, not unsteady.
    return sorted((each for each in found if each.bad < len(runs)), key=lambda each: -(each.bad + each.flaky))


def _past(runs: Sequence[Entry]) -> Iterable[Past]:
    axis = Axis(max([0.001, *(run.seconds for run in runs)]))
    for number, run in enumerate(reversed(runs)):
        bad = run.exit_code not in {0, 5}
        yield Past(run, axis.bar(0, run.seconds, bad=bad), this=number == 0)


def _requirements(cases: Iterable[Case]) -> Iterable[Requirement]:
    named: dict[str, list[Case]] = {}
    for case in cases:
        for name, value in case.properties:
            if name == contract.REQUIREMENT_PROPERTY:
                named.setdefault(value, []).append(case)
    return (Requirement(_name(name), Counts.of(named[name])) for name in sorted(named))


def _groups(cases: Sequence[Case]) -> Iterable[Group]:
    by_class: dict[str, list[Case]] = {}
    for case in cases:
        by_class.setdefault(case.classname, []).append(case)
    reasons = MOST_REASONS
    for classname, same in by_class.items():
        rows = []
        for case in sorted(same, key=lambda case: _WORST_FIRST.index(case.outcome)):
            note = ""
            if case.results and reasons:
                note, reasons = texts.line(first_line(case.reason), _LONGEST_REASON), reasons - 1
            rows.append(Row(_name(case.name) or "unnamed", case.outcome, case.seconds, note))
        total = sum(case.seconds for case in same)
        yield Group(_name(classname) or "without a class", Counts.of(same), total, tuple(rows))


def _name(text: str) -> str:
    return texts.line(text, _LONGEST_NAME)
