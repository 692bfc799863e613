"""What pods say of themselves: which state they are in, and whether waiting on is in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client import V1ContainerStatus, V1Pod

HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Reasons of a waiting container that no further waiting mends."""

OUT_OF_MEMORY = "OOMKilled"


def statuses(pod: V1Pod) -> list[V1ContainerStatus]:
    """Return the status of each container of a pod, init containers first."""
    return [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]


def failure(pod: V1Pod) -> str | None:
    """Return why this pod will not become ready, in one line, or None while there is hope."""
    name = pod.metadata.name
    if pod.status.reason == "Evicted":
        return f"pod {name} was evicted: {pod.status.message}"
    for status in statuses(pod):
        waiting, last = status.state.waiting, status.last_state.terminated
        if waiting and waiting.reason in HOPELESS:
            ended = f"; it last ended with exit code {last.exit_code} ({last.reason})" if last else ""
            said = f": {waiting.message}" if waiting.message else ""
            return f"pod {name}, container {status.name}: {waiting.reason}{said}{ended}"
        for ended in (status.state.terminated, last):
            if ended and ended.reason == OUT_OF_MEMORY:
                return f"pod {name}, container {status.name}: {OUT_OF_MEMORY}; raise its memory limit"
    return None


def state(pod: V1Pod) -> str:
    """Return a pod's state in a few words, for the message of a timeout."""
    parts = []
    for status in statuses(pod):
        current = status.state
        if current.waiting:
            parts.append(f"{status.name} waiting ({current.waiting.reason})")
        elif current.terminated and current.terminated.exit_code:
            parts.append(f"{status.name} ended with exit code {current.terminated.exit_code}")
        elif current.running and not status.ready:
            parts.append(f"{status.name} running, not ready")
    conditions = [c.message for c in pod.status.conditions or () if c.status == "False" and c.message]
    said = "; ".join(parts or conditions or ["no container yet"])
    return f"{pod.metadata.name}: {pod.status.phase}, {said}"
