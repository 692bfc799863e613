"""The table of timeouts is one: for the run, for the tests, and for the manifests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from floe_ci.config import Config
from floe_ci.config import Timeouts as CiTimeouts
from floe_ci.manifests import Manifests
from floe_ci.plan import Plan
from floe_ci.request import RunRequest

from floe_testing.contract import TIMEOUTS
from floe_testing.waiting.timeouts import Timeouts

pytestmark = pytest.mark.requirement("REQ-646")

K8S = Path(__file__).resolve().parents[2] / "k8s"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
STARVED = 300
"""Seconds for which a machine with too much to do may leave a service no answer; a new start would make it worse."""


@cache
def containers() -> list[Any]:
    """Return the containers of all services, by name."""
    paths = sorted(path for path in (K8S / "base").glob("*/*.yaml") if path.name != "kustomization.yaml")
    manifests = Manifests.parse("\n---\n".join(path.read_text(encoding="utf-8") for path in paths), "k8s")
    kinds = {kind for kind, _ in manifests.workloads()}
    found = [
        container
        for document in manifests.documents
        if document["kind"] in kinds
        for container in document["spec"]["template"]["spec"]["containers"]
    ]
    return [pytest.param(container, id=container["name"]) for container in found]


def has_a_schema(container: dict[str, Any]) -> bool:
    """Tell whether a container keeps its data in PostgreSQL, and so makes or migrates a schema when it starts."""
    keys = {each.get("valueFrom", {}).get("secretKeyRef", {}).get("key") for each in container.get("env", ())}
    return "FLOE_POSTGRES_PASSWORD" in keys and container["name"] != "postgres"


def startup_budget(container: dict[str, Any]) -> int:
    """Return the seconds that a container may take to start."""
    probe = container["startupProbe"]
    return int(probe["failureThreshold"] * probe["periodSeconds"])


def test_same_table() -> None:
    """The module and the tests have the same entries with the same defaults."""
    assert CiTimeouts().model_dump() == Timeouts().model_dump()


def test_table_reaches_the_tests() -> None:
    """What a repository configures is what its tests read, through the variables of the run."""
    configured = CiTimeouts(job=1000, test=100, services=200, probe=10, migration=150)
    plan = Plan.of(RunRequest(tier="e2e"), Config(timeouts=configured))
    assert Timeouts.from_environment(plan.variables()).model_dump() == configured.model_dump()


@pytest.mark.requirement("REQ-646.5")
@pytest.mark.parametrize("container", containers())
def test_start_is_within_the_table(container: dict[str, Any]) -> None:
    """A service may take less long to start than the run waits, and as long as a migration where it has a schema."""
    budget = startup_budget(container)
    assert budget < TIMEOUTS["services"]
    if has_a_schema(container):
        assert budget == TIMEOUTS["migration"]


@pytest.mark.requirement("REQ-646.5")
@pytest.mark.parametrize("container", containers())
@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_slow_service_is_not_started_anew(container: dict[str, Any], probe: str) -> None:
    """A service that only is slow, for the machine is, is left to get there."""
    limits = container[probe]
    assert limits["failureThreshold"] * limits["periodSeconds"] >= STARVED


def test_there_are_schemas() -> None:
    """Some service has a schema, so that its time is checked."""
    assert any(has_a_schema(each.values[0]) for each in containers())


@pytest.mark.requirement("REQ-646.4")
@pytest.mark.parametrize("container", containers())
def test_probe_is_within_the_table(container: dict[str, Any]) -> None:
    """No probe of a service waits longer for its answer than the table allows."""
    assert all(container[probe].get("timeoutSeconds", 1) <= TIMEOUTS["probe"] for probe in PROBES)


def test_job_is_within_the_table() -> None:
    """The Job's own limit, for when it is applied by hand, is the table's."""
    (job,) = Manifests.parse((K8S / "runner" / "job.yaml").read_text(encoding="utf-8"), "k8s").documents
    assert job["spec"]["activeDeadlineSeconds"] == TIMEOUTS["job"]
