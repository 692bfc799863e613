"""What pods and nodes take, as kubelets tell."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.usage import Usage, Used
from kubernetes import client

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

NODES = "/api/v1/nodes"
SUMMARY = "/api/v1/nodes/one/proxy/stats/summary"


def figures(cores: float, memory: int) -> dict[str, object]:
    """Return what a kubelet tells of a pod or a node."""
    return {"cpu": {"usageNanoCores": int(cores * 1e9)}, "memory": {"workingSetBytes": memory}}


def pod(name: str, namespace: str, cores: float, memory: int) -> dict[str, object]:
    """Return what a kubelet tells of a pod."""
    return {"podRef": {"name": name, "namespace": namespace}, **figures(cores, memory)}


def has_nodes(api: ApiServer, *names: str) -> None:
    """Let the cluster have nodes, all of them ready."""
    ready = client.V1NodeCondition(type="Ready", status="True")
    status = client.V1NodeStatus(allocatable={"cpu": "1500m", "memory": "2Gi"}, conditions=[ready])
    nodes = [client.V1Node(metadata=client.V1ObjectMeta(name=name), status=status) for name in names]
    api.objects[NODES] = client.V1NodeList(items=nodes)


def test_looks_come_to_mean_and_most(api: ApiServer) -> None:
    """Each pod of the namespace, and each node, has the mean and the most of what was seen of it."""
    has_nodes(api, "one")
    usage = Usage(api.apis.core, "ns")
    for cores, memory in ((0.5, 100), (1.5, 300)):
        there = [
            pod("web", "ns", cores, memory),
            pod("dns", "kube-system", 1, 1),
            {"podRef": {"name": "new", "namespace": "ns"}},
        ]
        api.objects[SUMMARY] = {"node": figures(cores + 1, memory * 10), "pods": there}
        usage.look()
    assert usage.told() == {
        "pods": [Used("web", 2, 1.0, 1.5, 200.0, 300.0)],
        "nodes": [Used("one", 2, 2.0, 2.5, 2000.0, 3000.0, 1.5, 2.0 * 1024**3)],
    }


def test_refused_is_not_asked_again(api: ApiServer) -> None:
    """Where a run may not look at nodes it has nothing to tell, and leaves the cluster alone."""
    api.objects[NODES] = HTTPStatus.FORBIDDEN
    usage = Usage(api.apis.core, "ns")
    usage.begin()
    usage.join(10)
    assert api.asked == [NODES]
    assert usage.told() == {"pods": [], "nodes": []}


def test_node_that_does_not_answer_hides_no_other(api: ApiServer) -> None:
    """Where a node's kubelet does not answer, the others are asked all the same."""
    has_nodes(api, "away", "one")
    api.objects[SUMMARY.replace("one", "away")] = HTTPStatus.SERVICE_UNAVAILABLE
    api.objects[SUMMARY] = {"node": figures(1, 10)}
    usage = Usage(api.apis.core, "ns")
    usage.look()
    assert [each.name for each in usage.told()["nodes"]] == ["one"]


def test_nodes_of_a_large_cluster(api: ApiServer) -> None:
    """In a cluster of many nodes only those are asked that have a pod of the run."""
    has_nodes(api, "one", *(f"other-{number}" for number in range(20)))
    own = client.V1Pod(spec=client.V1PodSpec(node_name="one", containers=[]))
    api.objects["/api/v1/namespaces/ns/pods"] = client.V1PodList(items=[own])
    api.objects[SUMMARY] = {"node": figures(1, 10)}
    Usage(api.apis.core, "ns").look()
    assert [path for path in api.asked if "proxy" in path] == [SUMMARY]


@pytest.mark.parametrize("said", [{"pods": "none"}, {"node": {**figures(1, 1), "memory": {"workingSetBytes": "lots"}}}])
def test_nonsense_is_no_sample(api: ApiServer, said: dict[str, object]) -> None:
    """A kubelet that answers with something else ends nothing, and is nothing that was measured."""
    has_nodes(api, "one")
    api.objects[SUMMARY] = said
    usage = Usage(api.apis.core, "ns")
    usage.begin()
    usage.end()
    usage.join(10)
    assert SUMMARY in api.asked
    assert usage.told() == {"pods": [], "nodes": []}
