"""How much a run did, and how long it took, can be asked for afterwards: its metrics go through the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from floe_testing import PollingConfig, Unmet, wait_for_condition
from floe_testing.services import locate

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_testing.services.clients.dagster import DagsterClient

pytestmark = pytest.mark.requirement("REQ-641")

SOON = PollingConfig(timeout=60, interval=0.5, description="Prometheus has a run's metric")
"""It scrapes the collector every two seconds."""


@pytest.fixture
def prometheus() -> Callable[[str], list[dict[str, Any]]]:
    """Return a function that returns what a query of Prometheus gives now: labels, and a value."""
    address = locate("prometheus", 9090)

    def ask(query: str) -> list[dict[str, Any]]:
        with urllib3.PoolManager(timeout=10.0, retries=False) as http:
            url = f"http://{address.host}:{address.port}/api/v1/query"
            answer = http.request("GET", url, fields={"query": query}).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    return ask


@pytest.fixture
def metric(prometheus: Callable[[str], list[dict[str, Any]]]) -> Callable[[str, str], tuple[dict[str, str], float]]:
    """Return a function that returns the labels and the value of a run's metric, once Prometheus has it."""

    def read(name: str, run: str) -> tuple[dict[str, str], float]:
        def look() -> dict[str, Any] | Unmet:
            found = prometheus(f'{name}{{dagster_run_id="{run}"}}')
            return found[0] if len(found) == 1 else Unmet(f"{len(found)} of {name}")

        series = wait_for_condition(look, SOON)
        return series["metric"], float(series["value"][1])

    return read


@pytest.mark.requirement("REQ-641.6")
@pytest.mark.journey("metrics")
def test_run_is_measured(
    dagster: DagsterClient,
    new_batch: Callable[..., str],
    refresh: Callable[[str], str],
    metric: Callable[[str, str], tuple[dict[str, str], float]],
) -> None:
    """The rows that a run wrote and its duration are in Prometheus, under the run's id, its job and its step."""
    run = refresh(new_batch(("2026-04-01", "4.00"), ("2026-04-02", "1.50"), ("2026-04-02", "2.00")))
    assert dagster.wait_for_run(run) == "SUCCESS"

    labels, rows = metric("dagster_step_rows", run)
    assert (labels["job"], labels["dagster_job"], labels["dagster_step"]) == (
        *("floe-dagster", "refresh_orders"),
        "daily_orders",
    )
    assert rows == 2

    labels, seconds = metric("dagster_run_duration_seconds", run)
    assert labels["outcome"] == "success"
    assert 0 < seconds < 300


def test_failed_run_is_measured(
    dagster: DagsterClient,
    refresh: Callable[[str], str],
    run_id: str,
    metric: Callable[[str, str], tuple[dict[str, str], float]],
    prometheus: Callable[[str], list[dict[str, Any]]],
) -> None:
    """A run that fails has its duration in Prometheus, told as a failure, and no rows."""
    run = refresh(f"unmeasured-{run_id}")
    assert dagster.wait_for_run(run) == "FAILURE"
    labels, _ = metric("dagster_run_duration_seconds", run)
    assert labels["outcome"] == "failure"
    assert prometheus(f'dagster_step_rows{{dagster_run_id="{run}"}}') == []


def test_collector_is_scraped(prometheus: Callable[[str], list[dict[str, Any]]]) -> None:
    """Prometheus reaches the collector, both for what that was sent and for what it says of itself."""

    def look() -> bool | Unmet:
        up = {each["metric"]["job"]: each["value"][1] for each in prometheus("up")}
        return up == {"otel-collector": "1", "otel-collector-itself": "1"} or Unmet(f"up: {up}")

    wait_for_condition(look, SOON)
