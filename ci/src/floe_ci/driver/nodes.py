"""Nodes: which ones take pods, and the wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci.driver.apis import is_passing
from floe_ci.driver.pods import is_ready
from floe_ci.driver.poll import wait_until

if TYPE_CHECKING:
    import threading

    from kubernetes.client import CoreV1Api, V1Node

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec


def wait_for_nodes(apis: Apis, spec: RunSpec, stop: threading.Event | None = None) -> None:
    """Wait until as many nodes as the run asks for take pods.

    Raises:
        RunError: The wait timed out; the message says how many there are.
    """

    def observe() -> str | None:
        there = len(ready(apis.core))
        return None if there >= spec.nodes else f"{there} of {spec.nodes} nodes are Ready"

    def look() -> str:
        return f"look further with `{apis.command('describe', 'nodes')}`"

    wait_until("nodes", observe, timeout=spec.timeouts.services, is_passing=is_passing, look=look, stop=stop)


def ready(core: CoreV1Api) -> list[V1Node]:
    """Return the nodes that take pods: a Ready one keeps its taint for another moment, and takes none until then."""
    return [node for node in core.list_node().items if is_ready(node) and not is_held_back(node)]


def is_held_back(node: V1Node) -> bool:
    """Tell whether Kubernetes itself still keeps pods from a node; the control plane's own taint doesn't count."""
    return any(taint.key.startswith("node.kubernetes.io/") for taint in node.spec.taints or ())
