"""The story: read the requirements, the tests' markers and the results of runs, and say what is shown to be met."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from floe_testing.settings import suggest
from floe_testing.suite.reading import read_suite
from floe_testing.traceability.config import Ids, TraceabilityConfig
from floe_testing.traceability.marks import CaseMark, Marks, find_unmarked, read_marks
from floe_testing.traceability.models import (
    Outcome,
    RequirementCoverage,
    Specification,
    State,
    Trace,
    TraceabilityError,
    TraceabilityReport,
    TracedTest,
)
from floe_testing.traceability.requirements import read_specifications
from floe_testing.traceability.results import Ran, Results, junit_name, read_results

_STATES: Final = {
    Outcome.FAILED: State.FAILED,
    Outcome.PASSED: State.VERIFIED,
    Outcome.XFAILED: State.XFAILED,
    Outcome.SKIPPED: State.SKIPPED,
    Outcome.NOT_RUN: State.NOT_RUN,
}
"""What the outcomes of a requirement's tests say of it; the first that any of them has decides."""


@dataclass(frozen=True)
class Request:
    """What to trace."""

    specs: tuple[str, ...] = ()
    """Ids of the specifications to report on; none: all."""
    results: tuple[Path, ...] = ()
    """Where the results of runs are; none: markers alone count."""
    cache_folder: Path | None = None
    """Where modules that were read before are; none: every file is read."""


def trace(config: TraceabilityConfig, root: Path, request: Request | None = None) -> Trace:
    """Return what the tests of the repository at `root` show to be met.

    Raises:
        TraceabilityError: Names every problem of the documents; or of the tests, their markers and the results.
        NoSuchPathError: A path of the tests is not there.
    """
    request = request or Request()
    ids = Ids(config.patterns)
    specifications = read_specifications(config.specs, ids, root)
    wanted = _wanted(specifications, request.specs)
    known = frozenset(each.id for specification in specifications for each in specification.requirements)

    suite = read_suite([root / path for path in config.paths], root, request.cache_folder)
    mentioned = {each.id: each.place for specification in specifications for each in specification.mentions}
    marks = read_marks(suite, known, ids, mentioned)
    results = read_results(request.results) if request.results else Results()
    problems = [*map(str, suite.problems), *map(str, marks.problems), *_unknown_in(results, known)]
    if problems:
        raise TraceabilityError("\n".join(problems))

    measured = bool(request.results)
    tests = _tests_by_requirement(marks, results, measured=measured)
    node_ids = [test.node_id for test in suite.tests]
    return Trace(
        reports=tuple(report_on(specification, tests, measured=measured) for specification in wanted),
        tests=len(node_ids),
        unmarked_tests=find_unmarked(suite, marks.tests, config.require_markers),
        unknown_results=results.others(node_ids),
        unstated=tuple(
            each for specification in specifications for each in specification.mentions if each.id not in known
        ),
        stale=results.stale,
    )


def _wanted(specifications: Sequence[Specification], ids: Iterable[str]) -> list[Specification]:
    by_id = {specification.id: specification for specification in specifications}
    unknown = [f"no specification is called '{each}'; {suggest(each, by_id)}" for each in ids if each not in by_id]
    if unknown:
        raise TraceabilityError("\n".join(unknown))
    return [by_id[each] for each in dict.fromkeys(ids)] or list(specifications)


def _unknown_in(results: Results, known: frozenset[str]) -> list[str]:
    named = {(ran.name, each) for cases in results.ran.values() for ran in cases for each in ran.requirements}
    return [
        f"results of {name}: no requirement is called '{each}'; run the tests again if it was renamed"
        for name, each in sorted(named)
        if each not in known
    ]


def _tests_by_requirement(marks: Marks, results: Results, *, measured: bool) -> Mapping[str, list[TracedTest]]:
    """Return the tests of each requirement: those marked in the source, and those that turned out to be as they ran."""
    named: list[tuple[str, TracedTest]] = []
    for node_id in marks.tests:
        whole, single = marks.whole[node_id], marks.cases[node_id]
        if measured:
            named += _of_cases(node_id, whole, single, results.of(node_id))
        else:
            named += [(each, TracedTest(test_id=node_id)) for each in whole]
            named += [(each.requirement, TracedTest(test_id=f"{node_id}[{each.shown}]")) for each in single]
    marked = set(map(junit_name, marks.tests))
    for name, cases in results.ran.items():
        if name not in marked:
            named += [(each, _traced(name, case)) for case in cases for each in case.requirements]
    tests: dict[str, list[TracedTest]] = {}
    for each, test in sorted(named, key=lambda pair: pair[1].test_id):
        tests.setdefault(each, []).append(test)
    return tests


def _of_cases(
    node_id: str, whole: Sequence[str], single: Sequence[CaseMark], cases: Sequence[Ran]
) -> Iterator[tuple[str, TracedTest]]:
    """Yield what each case of a test names, and its outcome; an id whose case did not run is not run."""
    found: set[str] = set()
    for case in cases:
        ids = {*whole, *case.requirements}
        if not case.tells:
            # Results without the ids of their cases: the parameters tell which case it is.
            ids |= {each.requirement for each in single if each.is_of(case.parameters or "")}
        found |= ids
        yield from ((each, _traced(node_id, case)) for each in sorted(ids))
    missing = [(each, "") for each in whole] + [(each.requirement, f"[{each.shown}]") for each in single]
    for each, brackets in missing:
        if each not in found:
            yield each, TracedTest(test_id=node_id + brackets, outcome=Outcome.NOT_RUN)


def _traced(name: str, case: Ran) -> TracedTest:
    return TracedTest(test_id=name + case.brackets, outcome=case.outcome)


def report_on(
    specification: Specification, tests: Mapping[str, Sequence[TracedTest]], *, measured: bool
) -> TraceabilityReport:
    """Return how far a specification is shown to be met.

    Args:
        specification: What is asked for.
        tests: The tests of each requirement, by its id.
        measured: Whether the tests' outcomes are known.
    """
    return TraceabilityReport(
        spec_id=specification.id,
        measured=measured,
        requirements=tuple(
            RequirementCoverage(
                requirement_id=each.id,
                title=each.title,
                place=each.place,
                state=_state(tests.get(each.id, ())),
                tests=tuple(tests.get(each.id, ())),
            )
            for each in specification.requirements
            if each.superseded is None and each.unmet is None
        ),
        superseded=tuple(each for each in specification.requirements if each.superseded is not None),
        unmet=tuple(each for each in specification.requirements if each.unmet is not None),
    )


def _state(tests: Sequence[TracedTest]) -> State:
    outcomes = {test.outcome for test in tests}
    if not outcomes:
        return State.UNMARKED
    return next((state for outcome, state in _STATES.items() if outcome in outcomes), State.MARKED)
