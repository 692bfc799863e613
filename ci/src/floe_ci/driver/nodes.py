"""Nodes: which ones take pods, and the wait for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from floe_ci.driver.pods import is_ready
from floe_ci.errors import RunError

if TYPE_CHECKING:
    import threading

    from kubernetes.client import CoreV1Api, V1Node, V1Pod

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec


LOST: Final = 60.0
"""Seconds for which a node may not be Ready before what runs on it is given up."""


def wait_for_nodes(apis: Apis, spec: RunSpec, stop: threading.Event | None = None) -> None:
    """Wait until as many nodes as the run asks for take pods.

    Raises:
        RunError: The wait timed out; the message says how many there are.
        Stopped: The wait was told to stop.
    """

    def observe() -> str | None:
        there = len(ready(apis.core))
        return None if there >= spec.nodes else f"{there} of {spec.nodes} nodes are Ready"

    def look() -> str:
        return f"look further with `{apis.command('describe', 'nodes')}`"

    apis.wait_until("nodes", observe, timeout=spec.timeouts.services, look=look, stop=stop)


def ready(core: CoreV1Api) -> list[V1Node]:
    """Return the nodes that take pods: a Ready one keeps its taint for another moment, and takes none until then."""
    return [node for node in core.list_node().items if is_ready(node) and not is_held_back(node)]


def is_held_back(node: V1Node) -> bool:
    """Tell whether Kubernetes itself still keeps pods from a node; the control plane's own taint doesn't count."""
    return any(taint.key.startswith("node.kubernetes.io/") for taint in node.spec.taints or ())


class Lost:
    """Gives up a pod whose node has been lost for too long: the pod itself is told to run for minutes after that."""

    def __init__(self, apis: Apis) -> None:
        """Begin; no node is lost yet."""
        self._apis = apis
        self._since: float | None = None

    def refuse(self, pod: V1Pod) -> None:
        """End the wait for a pod that runs on no node any more.

        Raises:
            RunError: Its node has not been Ready for a minute, or isn't there.
        """
        unready = any(c.type == "Ready" and c.status == "False" for c in pod.status.conditions or ())
        state = trouble(self._apis.core, pod.spec.node_name) if unready and pod.spec.node_name else None
        if state is None:
            self._since = None
            return
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since >= LOST:
            msg = f"pod {pod.metadata.name} was lost with its node: {state}"
            raise RunError(msg)


def trouble(core: CoreV1Api, name: str) -> str | None:
    """Return why a node is not Ready, or None if it is."""
    found = [node for node in core.list_node().items if node.metadata.name == name]
    if not found:
        return f"node {name} is gone"
    if is_ready(found[0]):
        return None
    said = [c.message or "" for c in found[0].status.conditions or () if c.type == "Ready"]
    return f"node {name} is not Ready: {''.join(said)}"
