"""The results directory is complete whatever became of the run, and knows when the first test began."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from floe_ci.driver.spec import DriverReport
from floe_ci.results import Outcome, assemble, note_first_test
from floe_ci.steps import Timings
from floe_ci.verdict import Verdict
from junitparser import JUnitXml

BEGAN = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)


def noted(junit: str) -> float | None:
    """Return the time to the first test of a run that began at twelve."""
    timings = Timings(now=lambda: BEGAN)
    note_first_test(junit, "unit", "abc", timings)
    return timings.measured("abc", "unit").time_to_first_test_seconds


def suite(timestamp: str) -> str:
    """Return a suite that began at a time."""
    return f'<testsuite name="pytest" timestamp="{timestamp}"><testcase name="a"/></testsuite>'


def test_first_suite() -> None:
    """The time of the first test is when the first suite began, counted from the run's start."""
    junit = f"<testsuites>{suite('2025-01-01T12:00:42.5+00:00')}{suite('2025-01-01T12:01:00+00:00')}</testsuites>"
    assert noted(junit) == 42.5


def test_other_time_zone() -> None:
    """A time with another offset is the same moment."""
    assert noted(f"<testsuites>{suite('2025-01-01T14:00:03+02:00')}</testsuites>") == 3


@pytest.mark.parametrize("junit", ["", "no xml", "<testsuites/>", '<testsuites><testsuite name="a"/></testsuites>'])
def test_no_word(junit: str) -> None:
    """Where no suite says when it began, there is no time of the first test."""
    assert noted(junit) is None


ALWAYS = {"junit.xml", "coverage.xml", "logs", "events.txt", "timings.json", "summary.md", "exit-code"}
PASSED = '<testsuites><testsuite name="pytest"><testcase classname="a" name="test_a"/></testsuite></testsuites>'


def assembled(folder: Path, report: DriverReport, junit: str | None = None) -> Outcome:
    """Return the outcome of a run that left these things."""
    if junit:
        (folder / "junit.xml").write_text(junit)
    return assemble(folder, "abc", "unit", report, Timings())


def test_tests_that_passed(tmp_path: Path) -> None:
    """A run whose tests passed has everything that results always hold, and exit code 0."""
    outcome = assembled(tmp_path, DriverReport(exit_code=0), PASSED)
    assert outcome.passed
    assert {path.name for path in tmp_path.iterdir()} == ALWAYS
    assert (tmp_path / "exit-code").read_text() == "0\n"
    assert (tmp_path / "summary.md").read_text() == outcome.summary
    assert json.loads((tmp_path / "timings.json").read_text())["run_id"] == "abc"


def test_run_that_broke(tmp_path: Path) -> None:
    """A run that broke before its tests has the same files, and its problem is an error in the JUnit."""
    outcome = assembled(tmp_path, DriverReport(problem="no cluster"))
    assert outcome.verdict is Verdict.ERRORED
    assert {path.name for path in tmp_path.iterdir()} == ALWAYS
    assert outcome.exit_code != 0
    assert "no cluster" in (tmp_path / "junit.xml").read_text()


def test_tests_that_left_no_junit(tmp_path: Path) -> None:
    """A test process that says 0 but wrote down no test is no success."""
    outcome = assembled(tmp_path, DriverReport(exit_code=0))
    assert not outcome.passed
    assert "left no junit.xml" in outcome.summary


def test_what_the_run_left_is_kept(tmp_path: Path) -> None:
    """Coverage, events and logs that the run collected stay as they are."""
    for name in ("coverage.xml", "events.txt"):
        (tmp_path / name).write_text(f"my {name}")
    assembled(tmp_path, DriverReport(exit_code=0), PASSED)
    assert [(tmp_path / name).read_text() for name in ("coverage.xml", "events.txt")] == [
        "my coverage.xml",
        "my events.txt",
    ]


def test_suite_is_named_by_its_tier(tmp_path: Path) -> None:
    """The merged JUnit names the suite by the tier that it is of."""
    assembled(tmp_path, DriverReport(exit_code=0), PASSED)
    assert [suite.name for suite in JUnitXml.fromfile(str(tmp_path / "junit.xml"))] == ["unit"]


def test_notes_are_in_the_summary(tmp_path: Path) -> None:
    """What the reader should know of where the tests ran stands in the summary, before the tests."""
    report = DriverReport(exit_code=0, notes=("minio: SeaweedFS in its place",))
    summary = assemble(tmp_path, "abc", "unit", report, Timings()).summary
    assert "## Where the tests ran\n\n- minio: SeaweedFS in its place" in summary
    assert summary.index("## Where the tests ran") < summary.index("## To look further")
