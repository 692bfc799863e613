"""What became of the tests, read from the results of runs: their `junit.xml`."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from junitparser import JUnitXml, JUnitXmlError, Properties, TestCase, TestSuite

from floe_testing.traceability.config import PROPERTY
from floe_testing.traceability.models import Outcome, TraceabilityError

JUNIT: Final = "junit.xml"
_XFAIL: Final = "pytest.xfail"
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.PASSED, Outcome.XFAILED, Outcome.SKIPPED)
"""Of two outcomes of the very same case, in runs of which neither takes the place of the other."""


@dataclass(frozen=True)
class Ran:
    """A case of a test that the results know."""

    name: str
    """Its class and name as JUnit has them, `tests.test_orders.TestOrders::test_total`, without parameters."""
    outcome: Outcome
    requirements: tuple[str, ...] = ()
    """The ids that it named as it ran."""
    parameters: str | None = None
    """What stands in the brackets behind its name; None where nothing does."""
    tells: bool = True
    """Its file has the ids that cases named, so that one without any named none."""

    @property
    def brackets(self) -> str:
        """The parameters in their brackets, nothing where there are none."""
        return "" if self.parameters is None else f"[{self.parameters}]"


@dataclass(frozen=True)
class Results:
    """The cases that the results know, by the names of their tests."""

    ran: Mapping[str, tuple[Ran, ...]] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    """Which files others have taken the place of, in words."""

    def of(self, node_id: str) -> tuple[Ran, ...]:
        """Return what became of the cases of a test."""
        return self.ran.get(junit_name(node_id), ())

    def others(self, node_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the tests without a requirement that are not among `node_ids`.

        They are inherited from another module, or no longer there.
        """
        known = set(map(junit_name, node_ids))
        return tuple(
            name
            for name, cases in sorted(self.ran.items())
            if name not in known and not any(case.requirements for case in cases)
        )


def read_results(places: Sequence[Path]) -> Results:
    """Return what the results say.

    A file that has tests of an older one of the same name takes its place, for all tests of the modules that both have.
    Runs that were there at the same time, or of suites of different names, count together: the worst of each case.

    Args:
        places: Results folders, whatever lies in them how deep, and JUnit files.

    Raises:
        TraceabilityError: Names every place without a JUnit file, and every file that can't be read.
    """
    problems: list[str] = []
    files: dict[Path, _File] = {}
    for place in places:
        found = [place] if place.is_file() else list(_junit_files(place))
        if not found:
            problems.append(f"{place}: holds no {JUNIT}; `pytest --junitxml={place / JUNIT}` writes one")
        for file in found:
            try:
                files.setdefault(file.resolve(), _read(file))
            except (OSError, SyntaxError, ValueError, RecursionError) as error:
                problems.append(f"{file}: can't be read as JUnit: {error}")
    if problems:
        raise TraceabilityError("\n".join(problems))
    return _together(sorted(files.values(), key=lambda file: (file.started, str(file.path))))


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome that counts, of a case's that has several."""
    return min(outcomes, key=_WORST_FIRST.index)


def junit_name(node_id: str) -> str:
    """Return what JUnit calls the test that pytest calls `node_id`."""
    file, *classes, name = node_id.split("::")
    return f"{'.'.join([file.removesuffix('.py').replace('/', '.'), *classes])}::{name}"


@dataclass(frozen=True)
class _File:
    """One JUnit file."""

    path: Path
    suite: str
    started: float
    """In seconds since 1970."""
    seconds: float
    cases: tuple[Ran, ...]

    @cached_property
    def keys(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((case.name, case.parameters) for case in self.cases)

    @cached_property
    def modules(self) -> frozenset[str]:
        return frozenset(map(_module, self.cases))

    def replaces(self, older: "_File") -> bool:
        """Tell whether this is a later run of what another file has the results of."""
        later = self.started > older.started and self.started >= older.started + older.seconds
        return later and self.suite == older.suite and not self.keys.isdisjoint(older.keys)


def _junit_files(folder: Path) -> Iterator[Path]:
    """Yield the JUnit files below a folder; what is hidden is a draft of somebody's."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if JUNIT in names:
            yield Path(place, JUNIT)


def _read(file: Path) -> _File:
    try:
        document = JUnitXml.fromfile(str(file))
    except JUnitXmlError as error:
        raise ValueError(str(error)) from None
    suites = [document] if isinstance(document, TestSuite) else list(document)
    cases = [_ran(case) for suite in suites for case in suite]
    tells = any(case.requirements for case in cases)
    seconds = [each for suite in suites if (each := _started(suite)) is not None]
    return _File(
        path=file,
        suite=next((str(suite.name) for suite in suites if suite.name), ""),
        started=min(seconds, default=file.stat().st_mtime),
        seconds=sum(float(suite.time or 0) for suite in suites) if seconds else 0.0,
        cases=tuple(Ran(each.name, each.outcome, each.requirements, each.parameters, tells) for each in cases),
    )


def _started(suite: TestSuite) -> float | None:
    try:
        started = datetime.fromisoformat(str(suite.timestamp))
    except ValueError:
        return None
    # A time without a zone, as older versions of pytest write it, is this machine's.
    return (started if started.tzinfo else started.astimezone(UTC)).timestamp()


def _ran(case: TestCase) -> Ran:
    # Neither a function's name nor a class's has a bracket: there the parameters begin.
    name, bracket, parameters = (case.name or "").partition("[")
    groups = case.iterchildren(Properties)  # type: ignore[no-untyped-call] # junitparser has no hints there
    named = tuple(each.value for group in groups for each in group if each.name == PROPERTY)
    return Ran(
        name=f"{case.classname or ''}::{name}",
        outcome=_outcome(case),
        requirements=tuple(dict.fromkeys(named)),
        parameters=parameters.removesuffix("]") if bracket else None,
    )


def _outcome(case: TestCase) -> Outcome:
    if case.is_failure or case.is_error:
        return Outcome.FAILED
    if case.is_skipped:
        expected = any(getattr(each, "type", "") == _XFAIL for each in case.result)
        return Outcome.XFAILED if expected else Outcome.SKIPPED
    return Outcome.PASSED


def _together(files: Sequence[_File]) -> Results:
    """Return the results of all files, the oldest of which comes first."""
    cases: dict[str, dict[str | None, Ran]] = defaultdict(dict)
    stale: list[str] = []
    for place, file in enumerate(files):
        newer = [other for other in files[place + 1 :] if other.replaces(file)]
        replaced = {module for other in newer for module in other.modules}
        if newer:
            failed = sum(case.outcome is Outcome.FAILED for case in file.cases)
            shared = sum((case.name, case.parameters) in newer[-1].keys for case in file.cases)
            stale.append(
                f"{file.path} is older than {newer[-1].path}, which has {shared} of its {len(file.cases)} tests"
                + (f"; {failed} failed in it" if failed else "")
            )
        for case in file.cases:
            if _module(case) not in replaced:
                known = cases[case.name].get(case.parameters, case)
                cases[case.name][case.parameters] = _worse(known, case)
    return Results({name: tuple(found.values()) for name, found in cases.items()}, tuple(stale))


def _module(case: Ran) -> str:
    """Return the module that a case is of, as far as its name tells: classes begin with a capital."""
    parts = case.name.partition("::")[0].split(".")
    return ".".join(part for part in parts if not part[:1].isupper())


def _worse(one: Ran, other: Ran) -> Ran:
    named = tuple(dict.fromkeys(one.requirements + other.requirements))
    return Ran(one.name, worst([one.outcome, other.outcome]), named, one.parameters, one.tells or other.tells)
