"""Which tests show that this project's requirements are met."""

from pathlib import Path

from floe_testing.settings import read_settings
from floe_testing.suite.reading import read_suite
from floe_testing.traceability.checker import trace
from floe_testing.traceability.config import TABLE, TraceabilityConfig

ROOT = Path(__file__).parents[3]
LONG = "long"
"""The marker of tests that `make check` leaves out, and CI with it."""


def test_no_requirement_waits_for_long_tests() -> None:
    """Each requirement that tests name is named by one that CI runs, whose trace would lack it otherwise."""
    tests = read_suite([ROOT / "tests"], ROOT).tests
    left_out = {test.node_id for test in tests if LONG in {marker.name for marker in test.markers}}
    waiting = {
        requirement.requirement_id: requirement.test_ids
        for report in trace(read_settings(TraceabilityConfig, TABLE, ROOT), ROOT).reports
        for requirement in report.requirements
        if requirement.tests and {each.partition("[")[0] for each in requirement.test_ids} <= left_out
    }
    assert waiting == {}
