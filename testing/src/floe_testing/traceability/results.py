"""What became of the tests, read from the results of runs: their `junit.xml`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from junitparser import JUnitXml, JUnitXmlError, Properties, TestCase

from floe_testing.traceability.config import PROPERTY
from floe_testing.traceability.models import Outcome, TraceabilityError

JUNIT: Final = "junit.xml"
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.PASSED, Outcome.SKIPPED)
"""Of a test's cases, one that failed outweighs one that passed, and that outweighs one that was skipped."""


@dataclass(frozen=True)
class Ran:
    """A test that the results know."""

    name: str
    """Its class and name as JUnit has them, `tests.test_orders.TestOrders::test_total`, without parameters."""
    outcome: Outcome
    requirements: tuple[str, ...] = ()
    """The ids that it named as it ran."""


@dataclass(frozen=True)
class Results:
    """The tests that the results know, by name."""

    ran: Mapping[str, Ran] = field(default_factory=dict)

    def of(self, node_id: str) -> Ran:
        """Return what became of a test."""
        name = _name(node_id)
        return self.ran.get(name) or Ran(name, Outcome.NOT_RUN)

    def others(self, node_ids: Iterable[str]) -> tuple[Ran, ...]:
        """Return the tests that are not among `node_ids`: inherited from another module, or no longer there."""
        known = set(map(_name, node_ids))
        return tuple(ran for name, ran in sorted(self.ran.items()) if name not in known)


def read_results(places: Sequence[Path]) -> Results:
    """Return what the results say; where a test ran more than once, the worst counts.

    Args:
        places: Results folders, folders that hold such, and JUnit files.

    Raises:
        TraceabilityError: Names every place without a JUnit file, and every file that can't be read.
    """
    problems: list[str] = []
    ran: dict[str, Ran] = {}
    for place in places:
        files = [place] if place.is_file() else sorted(place.glob(JUNIT)) or sorted(place.glob(f"*/{JUNIT}"))
        if not files:
            problems.append(f"{place}: holds no {JUNIT}; `pytest --junitxml={place / JUNIT}` writes one")
        for file in files:
            try:
                for case in map(_read, _cases(file)):
                    ran[case.name] = _worse(ran.get(case.name, case), case)
            except (OSError, SyntaxError, ValueError) as error:
                problems.append(f"{file}: can't be read as JUnit: {error}")
    if problems:
        raise TraceabilityError("\n".join(problems))
    return Results(ran)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome that counts, of a test's that has several."""
    return min(outcomes, key=_WORST_FIRST.index)


def _cases(file: Path) -> Iterator[TestCase]:
    try:
        document = JUnitXml.fromfile(str(file))
    except JUnitXmlError as error:
        raise ValueError(str(error)) from None
    return (case for suite in document for case in suite)


def _read(case: TestCase) -> Ran:
    # Neither a function's name nor a class's has a bracket: there the parameters begin.
    name = f"{case.classname or ''}::{(case.name or '').partition('[')[0]}"
    failed = case.is_failure or case.is_error
    outcome = Outcome.FAILED if failed else Outcome.SKIPPED if case.is_skipped else Outcome.PASSED
    groups = case.iterchildren(Properties)  # type: ignore[no-untyped-call] # junitparser has no hints there
    properties = (each for group in groups for each in group)
    return Ran(name, outcome, tuple(each.value for each in properties if each.name == PROPERTY))


def _worse(one: Ran, other: Ran) -> Ran:
    return Ran(
        one.name, worst([one.outcome, other.outcome]), tuple(dict.fromkeys(one.requirements + other.requirements))
    )


def _name(node_id: str) -> str:
    """Return what JUnit calls the test that pytest calls `node_id`."""
    file, *classes, name = node_id.split("::")
    return f"{'.'.join([file.removesuffix('.py').replace('/', '.'), *classes])}::{name}"
