"""What pods say of themselves: whether they are ready, in which state they are, and what went wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Literal

    from kubernetes.client import V1ContainerState, V1ContainerStatus, V1Pod

CRASH_LOOP = "CrashLoopBackOff"
OUT_OF_MEMORY = "OOMKilled"
EVICTED = "Evicted"
BROKEN = frozenset({CRASH_LOOP, "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
"""Reasons of a container that waits for what hardly comes."""

_JOB_NAME = "batch.kubernetes.io/job-name"
"""The label of a Job's pods."""


@dataclass(frozen=True)
class Failure:
    """Something that went wrong in a pod; the same thing seen again is equal."""

    pod: str
    uid: str
    container: str
    """Empty where it is the pod as a whole."""
    reason: str
    when: datetime | None = None
    """When the container ended, where it did: one that is killed twice has failed twice."""

    def __str__(self) -> str:
        """Return it in a few words."""
        return f"pod {self.pod}{f', container {self.container}' if self.container else ''}: {self.reason}"


def is_ready(pod: V1Pod) -> bool:
    """Tell whether a pod is Ready by its own word."""
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or ())


def has_ended(pod: V1Pod) -> bool:
    """Tell whether a pod runs no longer, or is being deleted."""
    return pod.metadata.deletion_timestamp is not None or pod.status.phase in {"Failed", "Succeeded"}


def failures(pod: V1Pod) -> Iterator[Failure]:
    """Yield what went wrong in a pod, the cause before what follows from it; nothing of one that is being deleted.

    A Job tries again by itself, so its pods may crash.
    """
    name, uid = pod.metadata.name, pod.metadata.uid
    if pod.metadata.deletion_timestamp is not None:
        return
    if pod.status.reason == EVICTED:
        yield Failure(name, uid, "", EVICTED)
    retried = _JOB_NAME in (pod.metadata.labels or {})
    for status in _statuses(pod):
        for ended in (status.state.terminated, status.last_state.terminated):
            if ended and ended.reason == OUT_OF_MEMORY:
                yield Failure(name, uid, status.name, OUT_OF_MEMORY, ended.finished_at)
        waiting = status.state.waiting
        if waiting and waiting.reason in BROKEN and not (retried and waiting.reason == CRASH_LOOP):
            yield Failure(name, uid, status.name, waiting.reason)


def last_ended(pod: V1Pod, container: str) -> Literal["current", "previous"] | None:
    """Tell which one ended last of the containers that were started under a name; none where none has ended."""
    for status in _statuses(pod):
        if status.name == container and status.state.terminated:
            return "current"
        if status.name == container and status.last_state.terminated:
            return "previous"
    return None


def state(pod: V1Pod) -> str:
    """Return a pod's state in a line, for the message of a timeout."""
    said = [
        f"{status.name} {text}"
        for status in _statuses(pod)
        if (text := _container_state(status.state, ready=status.ready))
    ]
    refused = [part for part in (pod.status.reason, pod.status.message) if part]
    held_up = [each.message for each in pod.status.conditions or () if each.status == "False" and each.message]
    return f"{pod.metadata.name}: {pod.status.phase}, {'; '.join(said or refused or held_up or ['no container yet'])}"


def _statuses(pod: V1Pod) -> list[V1ContainerStatus]:
    return [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]


def _container_state(current: V1ContainerState, *, ready: bool) -> str:
    if current.waiting:
        return f"waiting ({current.waiting.reason})"
    if current.terminated:
        ended = current.terminated
        return f"ended with exit code {ended.exit_code} ({ended.reason})" if ended.exit_code else ""
    return "" if ready else "running, not ready"
