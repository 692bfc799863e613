"""The wait for nodes that take pods."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver import nodes
from floe_ci.driver.nodes import Lost, wait_for_nodes
from floe_ci.errors import RunError
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.usefixtures("clock")


def node(*, ready: bool, taint: str | None = None) -> client.V1Node:
    """Return a node."""
    condition = client.V1NodeCondition(type="Ready", status=str(ready))
    taints = [client.V1Taint(key=taint, effect="NoSchedule")] if taint else None
    return client.V1Node(spec=client.V1NodeSpec(taints=taints), status=client.V1NodeStatus(conditions=[condition]))


def test_nodes_ready(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The wait for nodes is over when as many as asked for are Ready."""
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node(ready=True)])
    wait_for_nodes(api.apis, run_spec())


def test_node_that_is_not_ready(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A node that is there but not Ready does not count."""
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node(ready=True), node(ready=False)])
    with pytest.raises(RunError, match=r"last seen: 1 of 2 nodes are Ready\n"):
        wait_for_nodes(api.apis, run_spec(nodes=2))


def test_node_that_takes_no_pods_yet(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A Ready node that Kubernetes still keeps pods from does not count; a control plane's own taint is no matter."""
    control_plane = node(ready=True, taint="node-role.kubernetes.io/control-plane")
    worker = node(ready=True, taint="node.kubernetes.io/not-ready")
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[control_plane, worker])
    with pytest.raises(RunError, match=r"last seen: 1 of 2 nodes are Ready\n"):
        wait_for_nodes(api.apis, run_spec(nodes=2))


def test_next_command(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A wait for nodes that fails says what to type next."""
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    with pytest.raises(RunError, match=r"\nlook further with `kubectl describe nodes`$"):
        wait_for_nodes(api.apis, run_spec())


def unready(status: str = "False") -> client.V1Pod:
    """Return a pod that is not Ready, on the node `worker`."""
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name="web-0"),
        spec=client.V1PodSpec(containers=[], node_name="worker"),
        status=client.V1PodStatus(conditions=[client.V1PodCondition(type="Ready", status=status)]),
    )


def named(*, ready: bool) -> client.V1NodeList:
    """Return the node `worker`, in a list."""
    found = node(ready=ready)
    found.metadata = client.V1ObjectMeta(name="worker")
    return client.V1NodeList(items=[found])


def test_node_that_comes_back(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod is given up only when its node has been lost for long: one that comes back in between is not."""
    moments = iter([100.0, 100.0, 150.0, 170.0, 170.0, 229.0, 231.0])
    monkeypatch.setattr(nodes, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    lost = Lost(api.apis)
    api.objects["/api/v1/nodes"] = named(ready=False)
    lost.refuse(unready())
    lost.refuse(unready())
    api.objects["/api/v1/nodes"] = named(ready=True)
    lost.refuse(unready())
    api.objects["/api/v1/nodes"] = named(ready=False)
    lost.refuse(unready())
    lost.refuse(unready())
    with pytest.raises(RunError, match=r"^pod web-0 was lost with its node: node worker is not Ready: "):
        lost.refuse(unready())


def test_node_that_is_gone(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that isn't there any more is said to be gone."""
    monkeypatch.setattr(nodes, "LOST", 0)
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    with pytest.raises(RunError, match=r"node worker is gone$"):
        Lost(api.apis).refuse(unready())


def test_pod_that_is_well(api: ApiServer) -> None:
    """As long as a pod is Ready, nobody asks for its node."""
    Lost(api.apis).refuse(unready(status="True"))
    assert not api.asked
