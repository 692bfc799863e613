"""Limits of what runs in a cluster, as a tier's table sets them."""

from __future__ import annotations

import pytest
from floe_ci.config import Resources, read_config
from floe_ci.errors import UserError
from floe_ci.limits import amount, limited
from floe_ci.manifests import Manifests

SERVICES = """
kind: StatefulSet
metadata: {name: postgres}
spec:
  volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 1Gi}}}}]
  template:
    spec:
      containers: [{name: postgres, resources: {requests: {memory: 256Mi, cpu: 10m}, limits: {memory: 512Mi}}}]
---
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web}]}}}
"""
JOB = """
kind: Job
metadata: {name: floe-test-runner}
spec:
  template:
    spec:
      volumes: [{name: results, emptyDir: {}}]
      containers: [{name: runner, resources: {limits: {memory: 2Gi}}}, {name: results, resources: {limits: {cpu: 1}}}]
"""


def changed(table: dict[str, Resources]) -> tuple[list[dict], dict]:
    """Return the services and the Job within a table's limits."""
    services, job = limited(Manifests.parse(SERVICES, "s"), Manifests.parse(JOB, "j"), table, "tiers.unit.resources")
    return list(services.documents), job.documents[0]


def test_service_within_its_limits() -> None:
    """A workload's containers get the limits, ask for no more than those, and its claims have the size."""
    (postgres, web), _ = changed({"postgres": Resources(memory="64Mi", storage="5Gi")})
    (container,) = postgres["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"memory": "64Mi", "cpu": "10m"}, "limits": {"memory": "64Mi"}}
    (claim,) = postgres["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"] == {"storage": "5Gi"}
    assert "resources" not in web["spec"]["template"]["spec"]["containers"][0]


def test_tests_within_their_limits() -> None:
    """The limits of the runner are those of the tests' container and of the volume of their results, and no others."""
    _, job = changed({"runner": Resources(cpu="500m", memory="8Gi", storage="1Gi")})
    pod = job["spec"]["template"]["spec"]
    runner, keeper = pod["containers"]
    assert runner["resources"]["limits"] == {"memory": "8Gi", "cpu": "500m"}
    assert keeper["resources"] == {"limits": {"cpu": 1}}
    assert pod["volumes"] == [{"name": "results", "emptyDir": {"sizeLimit": "1Gi"}}]


def test_names_of_nothing() -> None:
    """Every name that is that of no workload is told, each with the nearest that is."""
    with pytest.raises(UserError) as caught:
        changed({"postgress": Resources(), "runer": Resources()})
    assert "tiers.unit.resources.postgress: nothing of the tier is called so; did you mean 'postgres'" in str(
        caught.value
    )
    assert "tiers.unit.resources.runer" in str(caught.value)


@pytest.mark.parametrize(("quantity", "much"), [("500m", 0.5), ("2", 2), ("1.5Gi", 1.5 * 2**30), ("3k", 3000)])
def test_amount(quantity: str, much: float) -> None:
    """An amount is read as Kubernetes reads it."""
    assert amount(quantity) == much


@pytest.mark.parametrize("quantity", ["0", "0Mi", "much", "5 Gi", "-1", ""])
def test_no_amount(quantity: str) -> None:
    """What is no amount, or nothing, is refused with its place in the table."""
    table = f'[tool.floe-ci.tiers.unit.resources.runner]\nmemory = "{quantity}"\n'
    with pytest.raises(UserError, match=r"tiers\.unit\.resources\.runner\.memory: "):
        read_config(table)
