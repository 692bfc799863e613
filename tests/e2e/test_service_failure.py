"""A service that dies under a run: the run fails and says of what, and the next one succeeds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from floe_testing.services.clients.dagster import wait_until_answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_testing.services import DagsterConfig
    from floe_testing.services.clients.dagster import DagsterClient
    from tests.e2e.conftest import Barrier

pytestmark = [pytest.mark.requirement("REQ-641"), pytest.mark.timeout(600)]


@pytest.mark.requirement("T17")
@pytest.mark.journey("outage")
def test_run_outlives_its_database(  # noqa: PLR0913, PLR0917 - a journey passes through every service
    dagster: DagsterClient,
    dagster_config: DagsterConfig,
    new_batch: Callable[..., str],
    refresh: Callable[[str], str],
    barrier: Barrier,
    totals: Callable[[str], list[tuple[str, int, str]]],
    restart_service: Callable[[str], None],
) -> None:
    """A run whose database is killed fails with what happened and what to do, writes nothing, and can be repeated."""
    batch = new_batch(("2026-06-01", "5.00"), ("2026-06-01", "2.00"))
    run = refresh(batch)
    barrier.wait_for_runs(1)
    restart_service("postgres")
    wait_until_answers(dagster, dagster_config)

    assert dagster.wait_for_run(run) == "FAILURE"
    told = dagster.failures(run)["daily_orders"]
    # It depends on the moment whether the server has time to say goodbye.
    reason = "(terminating connection due to administrator command|server closed the connection unexpectedly)"
    assert re.search(rf"PostgreSQL went away: {reason}\. It is back: launch the run again", told), told
    assert totals(batch) == []

    again = refresh(batch)
    assert dagster.wait_for_run(again) == "SUCCESS"
    assert totals(batch) == [("2026-06-01", 2, "7.00")]
