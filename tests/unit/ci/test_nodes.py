"""The wait for nodes that take pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.nodes import wait_for_nodes
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
