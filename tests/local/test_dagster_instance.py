"""The instance of Dagster within the test process. Its library is too large for the runner image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dagster import DagsterInstance


@pytest.mark.requirement("T049")
@pytest.mark.parametrize("turn", [1, 2])
def test_dagster_instance_is_the_tests_own(dagster_instance: DagsterInstance, turn: int) -> None:
    """Each test has an instance that records the runs of this process, and no other's."""
    from dagster import asset, materialize  # noqa: PLC0415 - takes seconds

    @asset
    def orders() -> int:
        return turn

    assert dagster_instance.get_runs_count() == 0
    result = materialize([orders], instance=dagster_instance)
    assert result.output_for_node("orders") == turn
    assert dagster_instance.get_latest_materialization_event(orders.key) is not None
    assert dagster_instance.get_runs_count() == 1
