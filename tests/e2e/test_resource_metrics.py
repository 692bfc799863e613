"""The cluster has what the tier names as its add-on: it tells how much pods and nodes take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import ApiException, CustomObjectsApi
from kubernetes.utils import parse_quantity

from floe_testing import PollingConfig, Unmet, wait_for_condition

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

pytestmark = pytest.mark.requirement("REQ-641")

SOON = PollingConfig(timeout=90, interval=1, description="metrics-server has looked at every pod")
"""It looks every fifteen seconds."""


@pytest.mark.requirement("REQ-649.5")
def test_each_service_is_measured(kube: CoreV1Api, kube_namespace: str, platform: list[str]) -> None:
    """What `kubectl top pods` asks for is there: the memory of each service's pod, which is more than none."""
    metrics = CustomObjectsApi(kube.api_client)

    def look() -> dict[str, Any] | Unmet:
        found = metrics.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", kube_namespace, "pods")["items"]
        taken = {
            each["metadata"]["name"]: sum(parse_quantity(one["usage"]["memory"]) for one in each["containers"])
            for each in found
        }
        lacking = [name for name in platform if not any(pod.startswith(name) for pod in taken)]
        return Unmet(f"not measured yet: {', '.join(lacking)}") if lacking else taken

    taken = wait_for_condition(look, SOON, retry_on=(ApiException,))
    assert min(taken.values()) > 0


@pytest.mark.requirement("REQ-649.5")
def test_each_node_is_measured(kube: CoreV1Api) -> None:
    """What `kubectl top nodes` asks for is there for all nodes, those of Kind, whose certificates nobody signed."""
    metrics = CustomObjectsApi(kube.api_client)
    nodes = {each.metadata.name for each in kube.list_node().items}

    def look() -> bool | Unmet:
        found = {
            each["metadata"]["name"]
            for each in metrics.list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")["items"]
        }
        return found == nodes or Unmet(f"measured: {sorted(found)}")

    wait_for_condition(look, SOON, retry_on=(ApiException,))
