"""What a run did can be seen afterwards: its spans go through the collector into Jaeger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.conditions import span_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = pytest.mark.requirement("REQ-641")

CODE_LOCATION = "floe-dagster"
SOON = PollingConfig(timeout=30, interval=0.2)


def tags(span: Mapping[str, Any]) -> dict[str, Any]:
    """Return a span's attributes."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def span_of_run(jaeger_url: str, run: str) -> Mapping[str, Any]:
    """Return the span of a whole run, once Jaeger has it."""
    return wait_for_condition(
        span_found(jaeger_url, CODE_LOCATION, operation="refresh_orders", tags={"dagster.run_id": run}), SOON
    )


def span_of_step(jaeger_url: str, batch: str) -> Mapping[str, Any]:
    """Return the span of the step that totalled a batch, once Jaeger has it."""
    return wait_for_condition(
        span_found(jaeger_url, CODE_LOCATION, operation="daily_orders", tags={"batch": batch}), SOON
    )


@pytest.mark.requirement("REQ-641.6", "T13")
def test_run_is_traced(
    dagster: DagsterClient, jaeger_url: str, new_batch: Callable[..., str], refresh: Callable[[str], str]
) -> None:
    """A run that is launched over GraphQL is found in Jaeger by its id, with its step in it and what that did."""
    batch = new_batch(("2026-03-01", "4.00"), ("2026-03-02", "1.50"))
    run = refresh(batch)
    assert dagster.wait_for_run(run) == "SUCCESS"

    whole, step = span_of_run(jaeger_url, run), span_of_step(jaeger_url, batch)
    assert tags(step).items() >= {"batch": batch, "rows": 2}.items()
    assert step["traceID"] == whole["traceID"]
    assert [reference["spanID"] for reference in step["references"]] == [whole["spanID"]]
    assert whole["startTime"] <= step["startTime"]
    assert step["duration"] <= whole["duration"]


def test_failed_run_is_traced(
    dagster: DagsterClient, jaeger_url: str, refresh: Callable[[str], str], run_id: str
) -> None:
    """The trace of a run that fails says so, and of what."""
    batch = f"untraced-{run_id}"
    run = refresh(batch)
    assert dagster.wait_for_run(run) == "FAILURE"

    assert tags(span_of_run(jaeger_url, run))["otel.status_code"] == "ERROR"
    step = span_of_step(jaeger_url, batch)
    told = [field["value"] for log in step["logs"] for field in log["fields"] if field["key"] == "exception.message"]
    assert len(told) == 1
    assert f"raw_orders has no order of batch '{batch}'" in told[0]
