"""Tests get the environment that they would have in a cluster, and nothing of the caller's that misleads them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from floe_ci import contract
from floe_ci.errors import UserError
from floe_ci.local import tests
from floe_ci.local.plan import Plan
from floe_ci.places import RunRequest

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[tool.floe-ci.tiers.integration]
environment = { URL = "pg://${FLOE_POSTGRES_HOST}" }
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return the plan of a run whose tests need a variable of their own."""
    (tmp_path / "pyproject.toml").write_text(CONFIG)
    return Plan.read(RunRequest(source=tmp_path, run_id="abc"))


def environment(plan: Plan, folder: Path, services: dict[str, str]) -> dict[str, str]:
    """Return the environment of its tests."""
    return tests.environment(plan, folder / "packages", folder, folder / "results", services)


def test_variables_of_the_run(plan: Plan, tmp_path: Path) -> None:
    """Tests know their run, their tier, where results go, how to reach services, and the timeouts."""
    found = environment(plan, tmp_path, {"FLOE_POSTGRES_HOST": "here"})
    assert found[contract.ENV_RUN_ID] == "abc"
    assert found[contract.ENV_TIER] == "integration"
    assert found[contract.ENV_RESULTS_DIR] == str(tmp_path / "results")
    assert found["FLOE_POSTGRES_HOST"] == "here"
    assert found["URL"] == "pg://here"
    assert set(contract.ENV_TIMEOUTS.values()) <= set(found)


def test_nothing_of_another_run(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of services, of pytest, of Python and of make that the caller has are not handed on; others are."""
    for name in ("FLOE_NAMESPACE", "PYTEST_ADDOPTS", "PYTHONPATH", "COV_CORE_SOURCE", "MAKEFLAGS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LANG", "C.UTF-8")
    found = environment(plan, tmp_path, {"FLOE_POSTGRES_HOST": "here"})
    assert not {"FLOE_NAMESPACE", "PYTEST_ADDOPTS", "PYTHONPATH", "COV_CORE_SOURCE", "MAKEFLAGS"} & set(found)
    assert found["LANG"] == "C.UTF-8"


def test_no_cluster_of_the_caller(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that look for a cluster find none, also where the caller has one."""
    monkeypatch.setenv("KUBECONFIG", "/home/me/.kube/config")
    assert environment(plan, tmp_path, {"FLOE_POSTGRES_HOST": "here"})["KUBECONFIG"] == os.devnull


def test_unknown_variable_is_told(plan: Plan, tmp_path: Path) -> None:
    """A variable of a service that the tier doesn't have is an error with what there is."""
    with pytest.raises(UserError, match="'FLOE_POSTGRES_HOST' is no variable of this run"):
        environment(plan, tmp_path, {})
