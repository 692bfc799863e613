"""What `--requirement-coverage` shows after a run of pytest."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from floe_testing.errors import FloeTestingError
from floe_testing.settings import read_settings
from floe_testing.traceability.checker import report_on
from floe_testing.traceability.config import PROPERTY, TABLE, Ids, TraceabilityConfig
from floe_testing.traceability.models import Outcome, State, TraceabilityReport, TracedTest
from floe_testing.traceability.outputs import describe_tests
from floe_testing.traceability.requirements import read_specifications
from floe_testing.traceability.results import worst

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


class CoverageSummary:
    """Gathers what became of the tests of each requirement, and shows it when the run is over."""

    def __init__(self) -> None:
        """Begin with no test."""
        self._outcomes: dict[str, dict[str, list[Outcome]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a phase of a test."""
        if report.passed and report.when != "call":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                outcomes = self._outcomes.setdefault(str(value), {}).setdefault(report.nodeid, [])
                outcomes.append(_outcome(report))

    def pytest_terminal_summary(self, terminalreporter: "TerminalReporter") -> None:
        """Show the coverage."""
        terminalreporter.section("requirement coverage")
        try:
            for line in self._lines(terminalreporter.config):
                terminalreporter.write_line(line)
        except FloeTestingError as error:
            terminalreporter.write_line(str(error), red=True)

    def _lines(self, config: pytest.Config) -> Iterator[str]:
        settings = read_settings(TraceabilityConfig, TABLE, config.rootpath)
        specifications = read_specifications(settings.specs, Ids(settings.patterns), config.rootpath)
        tests = self._tests()
        for specification in specifications:
            yield from _lines_of(report_on(specification, tests, measured=True))
        known = {each.id for specification in specifications for each in specification.requirements}
        yield from (f"no requirement is called '{each}'" for each in sorted(tests.keys() - known))

    def _tests(self) -> Mapping[str, list[TracedTest]]:
        return {
            each: [TracedTest(test_id=test_id, outcome=worst(outcomes)) for test_id, outcomes in sorted(tests.items())]
            for each, tests in self._outcomes.items()
        }


def _outcome(report: pytest.TestReport) -> Outcome:
    if report.outcome == "skipped" and hasattr(report, "wasxfail"):
        return Outcome.XFAILED
    return Outcome(report.outcome)


def _lines_of(report: TraceabilityReport) -> Iterator[str]:
    yield (
        f"{report.spec_id}: {report.coverage_percentage:g} % verified by this run "
        f"({report.covered_requirements} of {report.total_requirements})"
    )
    for each in report.requirements:
        if each.state is not State.UNMARKED:
            yield f"  {each.requirement_id}  {each.state}: {describe_tests(each)}  {each.title}"
