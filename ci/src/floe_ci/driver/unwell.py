"""What there is to know of pods that are not well, and of the nodes, as files for the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from floe_ci.driver import events, pods

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, V1ContainerStatus, V1Node, V1Pod

FOLDER: Final = "pods"
"""The folder of the results."""
MOST: Final = 20
"""Pods of which so much is told."""
_SPEC: Final = ("nodeName", "serviceAccountName", "restartPolicy", "terminationGracePeriodSeconds", "volumes")
_CONTAINER: Final = ("name", "image", "command", "args", "resources", "ports", "livenessProbe", "readinessProbe")
"""What is told of a pod's specification; not its environment."""


def reports(core: CoreV1Api, namespace: str, selector: str = "") -> dict[str, str]:
    """Return what there is to know of each pod that isn't well, and of the nodes, by the file that is to hold it.

    A selector says which of the namespace's pods; empty: all.

    Raises:
        ApiException: The cluster refuses to tell of the pods.
    """
    there = core.list_namespaced_pod(namespace, label_selector=selector).items
    found = [each for each in there if not is_well(each)][:MOST]
    if not found:
        return {}
    told = core.list_namespaced_event(namespace).items
    texts = {
        f"{FOLDER}/{each.metadata.name}.txt": text_of(
            plain(core, each),
            [events.line(event) for event in sorted(told, key=events.when) if is_about(event, each)],
        )
        for each in found
    }
    nodes = [node_of(core, each) for each in core.list_node().items]
    return {**texts, f"{FOLDER}/nodes.txt": dump(nodes)}


def is_well(pod: V1Pod) -> bool:
    """Tell whether a pod runs, or has ended, as it should, and never had to be started again."""
    if pod.status.phase == "Succeeded":
        return True
    states = pods.statuses(pod)
    # That of the tests has a container that has ended beside one that keeps what they left.
    has_ended = any(map(has_ended_well, pod.status.container_statuses or ()))
    are_well = has_ended and all(status.ready or has_ended_well(status) for status in states)
    return (pods.is_ready(pod) or are_well) and not any(status.restart_count for status in states)


def has_ended_well(status: V1ContainerStatus) -> bool:
    """Tell whether a container has come to its end, and to a good one."""
    return bool(status.state and status.state.terminated and status.state.terminated.exit_code == 0)


def is_about(event: Any, pod: V1Pod) -> bool:  # noqa: ANN401 - the client's is not typed
    """Tell whether an event is about this pod."""
    return bool(event.involved_object.kind == "Pod" and event.involved_object.name == pod.metadata.name)


def plain(core: CoreV1Api, pod: V1Pod) -> dict[str, Any]:
    """Return a pod as the API tells it, without what nobody asks for when it is unwell, and without variables."""
    whole = core.api_client.sanitize_for_serialization(pod)
    spec = whole.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return {
        "name": pod.metadata.name,
        "created": whole["metadata"].get("creationTimestamp"),
        "deleted": whole["metadata"].get("deletionTimestamp"),
        "owners": [f"{each.kind}/{each.name}" for each in pod.metadata.owner_references or ()],
        **{name: spec[name] for name in _SPEC if name in spec},
        "containers": [{name: each[name] for name in _CONTAINER if name in each} for each in containers],
        "status": whole.get("status"),
    }


def node_of(core: CoreV1Api, node: V1Node) -> dict[str, Any]:
    """Return a node's conditions, and what there is of it for pods."""
    whole = core.api_client.sanitize_for_serialization(node)
    status = whole.get("status") or {}
    return {
        "name": node.metadata.name,
        "taints": (whole.get("spec") or {}).get("taints") or [],
        "conditions": status.get("conditions"),
        "allocatable": status.get("allocatable"),
    }


def text_of(pod: dict[str, Any], told: list[str]) -> str:
    """Return a pod's file: the pod, and what Kubernetes said of it, in order."""
    return "\n".join([f"{dump(pod)}", "events:", *(f"  {line}" for line in told or ["none"]), ""])


def dump(value: object) -> str:
    """Return a value as YAML for a reader."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
