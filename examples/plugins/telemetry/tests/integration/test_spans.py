"""Spans that a test sends are found, and only by that test."""

import pytest
from floe_telemetry import Traces

from floe_testing import Unmet
from floe_testing.conditions import span_found

pytestmark = pytest.mark.services("telemetry")


def test_span_arrives_whole(telemetry: Traces) -> None:
    """A span comes back with its name, its attributes and its parent."""
    with telemetry.tracer.start_as_current_span("checkout"):
        telemetry.tracer.start_span("pay", attributes={"currency": "EUR", "cents": 1999}).end()
    pay, checkout = telemetry.wait_for_span("pay"), telemetry.wait_for_span("checkout")
    assert {tag["key"]: tag["value"] for tag in pay["tags"]}.items() >= {"currency": "EUR", "cents": 1999}.items()
    assert [reference["spanID"] for reference in pay["references"]] == [checkout["spanID"]]


@pytest.mark.parametrize("_", range(2))
def test_spans_are_the_tests_own(telemetry: Traces, _: int) -> None:
    """A span of an earlier test of the same name is not found."""
    before = span_found(telemetry.config.query_url, telemetry.name)()
    assert isinstance(before, Unmet), before
    telemetry.tracer.start_span("lonely").end()
    telemetry.wait_for_span("lonely")
