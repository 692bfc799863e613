"""The cluster has three nodes, and uses them."""

import pytest
from kubernetes.client import CoreV1Api

from floe_testing.cluster.kube import pods

pytestmark = pytest.mark.requirement("REQ-641")

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"


def nodes(kube: CoreV1Api) -> dict[str, bool]:
    """Return the names of all nodes, and whether each is of the control plane."""
    found = kube.list_node().items
    return {node.metadata.name: CONTROL_PLANE in (node.metadata.labels or ()) for node in found}


@pytest.mark.requirement("REQ-636", "T016", "REQ-636.2")
def test_three_nodes_are_ready(kube: CoreV1Api) -> None:
    """There are three nodes, one of the control plane, and all of them are Ready."""
    assert sorted(nodes(kube).values()) == [False, False, True]
    ready = {
        node.metadata.name: [each.status for each in node.status.conditions if each.type == "Ready"]
        for node in kube.list_node().items
    }
    assert all(status == ["True"] for status in ready.values()), ready


@pytest.mark.requirement("REQ-636.5", "REQ-636.7")
def test_nodes_run_a_current_kubernetes_on_containerd(kube: CoreV1Api) -> None:
    """Each node's Kubernetes is 1.27 or later, and its containers are containerd's."""
    told = [node.status.node_info for node in kube.list_node().items]
    versions = [tuple(map(int, each.kubelet_version.removeprefix("v").split(".")[:2])) for each in told]
    assert min(versions) >= (1, 27)
    assert {each.container_runtime_version.partition("://")[0] for each in told} == {"containerd"}


def test_services_are_spread_over_both_workers(kube: CoreV1Api, kube_namespace: str, platform: list[str]) -> None:
    """Each worker runs pods of the services, neither two more than the other, and the control plane none."""
    services = pods(kube, kube_namespace, "app.kubernetes.io/part-of=floe")
    workers = sorted(name for name, control_plane in nodes(kube).items() if not control_plane)
    counts = {worker: sum(pod.node == worker for pod in services if not pod.terminating) for worker in workers}
    assert sum(counts.values()) == len([pod for pod in services if not pod.terminating]) == len(platform)
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.requirement("REQ-637.2")
def test_volumes_come_from_the_local_provisioner(kube: CoreV1Api, kube_namespace: str) -> None:
    """What services keep is on volumes, and the cluster's own provisioner has made each of a node's disk."""
    claims = kube.list_namespaced_persistent_volume_claim(kube_namespace).items
    made = {each.metadata.name: (each.status.phase, each.metadata.annotations[PROVISIONER]) for each in claims}
    names = ("data-minio-0", "data-postgres-0", "data-redis-0")
    assert made == dict.fromkeys(names, ("Bound", "rancher.io/local-path"))
