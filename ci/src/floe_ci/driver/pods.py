"""What pods say of themselves: which state they are in, and whether waiting on is in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client import V1ContainerState, V1ContainerStateTerminated, V1ContainerStatus, V1Node, V1Pod

OUT_OF_MEMORY = "OOMKilled"
EVICTED = "Evicted"
CRASH_LOOP = "CrashLoopBackOff"
RUN_ERROR = "RunContainerError"
JOB_NAME = "batch.kubernetes.io/job-name"
"""The label of a Job's pods."""
TESTS_JOB = "floe-test-runner"
"""What the Job of a run's tests is called; where there may be several, theirs begin so."""

HOPELESS = frozenset(
    {
        CRASH_LOOP,
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
        RUN_ERROR,
    }
)
"""Reasons of a waiting container that no further waiting mends."""

LASTING = frozenset({CRASH_LOOP, "CreateContainerConfigError", "ErrImageNeverPull", "InvalidImageName"})
"""Those of them that are for what the manifest says, or for how the container itself ends."""
REFUSALS = ("not found", "denied", "unauthorized")
"""What a registry says of an image that it hasn't, or gives to others; and a runtime of a program that isn't there."""

START_ERROR = "StartError"
"""How a container ended that the node's runtime could not start."""
STARTS = 3
"""How often a container may fail to start: under load a runtime does, once, and the next time it starts."""
NOT_YET = ("failed to sync", "services have not yet been read", "context deadline exceeded", "is reserved for")
"""What a node says of a container that it is only late with: the API or the runtime has not answered it yet."""


def is_ready(found: V1Pod | V1Node) -> bool:
    """Tell whether a pod or a node is Ready by its own word."""
    return any(c.type == "Ready" and c.status == "True" for c in found.status.conditions or ())


def is_of_tests(pod: V1Pod) -> bool:
    """Tell whether a pod is there to run tests, whichever run's they are."""
    name = (pod.metadata.labels or {}).get(JOB_NAME) or ""
    return name == TESTS_JOB or name.startswith(f"{TESTS_JOB}-")


def is_well(status: V1ContainerStatus) -> bool:
    """Tell whether a container is ready, or has ended as it should."""
    ended = status.state.terminated
    return ended.exit_code == 0 if ended else bool(status.ready)


def statuses(pod: V1Pod) -> list[V1ContainerStatus]:
    """Return the status of each container of a pod, init containers first."""
    return [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]


def failure(pod: V1Pod) -> str | None:
    """Return why this pod will not become ready, in one line, or None while there is hope.

    A Job tries again by itself, as often as it says: its pods crash in vain only when it has failed.
    """
    name = pod.metadata.name
    tries_again = JOB_NAME in (pod.metadata.labels or {})
    if reason := eviction(pod):
        return reason
    for status in statuses(pod):
        waiting, last = status.state.waiting, status.last_state.terminated
        if waiting and waiting.reason in HOPELESS and not (tries_again and waiting.reason == CRASH_LOOP):
            if is_late(status) or ((status.restart_count or 0) < STARTS and could_not_start(status)):
                continue
            ended = f"; it last ended with exit code {last.exit_code} ({last.reason})" if last else ""
            said = f": {waiting.message}" if waiting.message else ""
            return f"pod {name}, container {status.name}: {waiting.reason}{said}{ended}"
    return out_of_memory(pod)


def will_fail_again(pod: V1Pod) -> bool:
    """Tell whether a pod that failed would do so in another attempt: by its own end, its image's name, its manifest."""
    found = [status for status in statuses(pod) if status.state.waiting and not is_late(status)]
    return any(
        status.state.waiting.reason in LASTING or any(text in (status.state.waiting.message or "") for text in REFUSALS)
        for status in found
    )


def eviction(pod: V1Pod) -> str | None:
    """Return why its node has evicted a pod, if it has."""
    return f"pod {pod.metadata.name} was evicted: {pod.status.message}" if pod.status.reason == EVICTED else None


def out_of_memory(pod: V1Pod) -> str | None:
    """Return which container of a pod the kernel killed, last or before its restart, for the memory it took."""
    for status in statuses(pod):
        ends = (status.state.terminated, status.last_state.terminated)
        end = next((end for end in ends if end and end.reason == OUT_OF_MEMORY), None)
        if end:
            name = f"pod {pod.metadata.name}, container {status.name}"
            return f"{name}: {OUT_OF_MEMORY}{_lived(end)}{_limit_of(pod, status.name)}"
    return None


def _lived(end: V1ContainerStateTerminated) -> str:
    """Return how long a container had run."""
    if not end.started_at or not end.finished_at:
        return ""
    return f" after {(end.finished_at - end.started_at).total_seconds():.0f} s"


def _limit_of(pod: V1Pod, container: str) -> str:
    """Return how much memory a container may take, and by which setting it may take more."""
    found = [each for each in (pod.spec.containers if pod.spec else None) or () if each.name == container]
    limit = next(((each.resources.limits or {}).get("memory") for each in found if each.resources), None)
    if limit is None:
        return ": the node had no more memory for it"
    return f", limit {limit}: raise resources.{workload(pod)}.memory of the tier"


def workload(pod: V1Pod) -> str:
    """Return what a pod's limits are called in a tier's table: its workload's name, or `runner`."""
    if is_of_tests(pod):
        return "runner"
    owner = next((each for each in pod.metadata.owner_references or () if each.controller), None)
    if owner is None:
        return str(pod.metadata.name)
    return str(owner.name.rpartition("-")[0] if owner.kind == "ReplicaSet" else owner.name)


def container_state(pod: V1Pod, name: str) -> V1ContainerState | None:
    """Return the state of a pod's container; None while there is none."""
    return next((status.state for status in pod.status.container_statuses or () if status.name == name), None)


def is_late(status: V1ContainerStatus) -> bool:
    """Tell whether a container waits for its node, which tries again by itself."""
    return any(text in (status.state.waiting.message or "") for text in NOT_YET)


def could_not_start(status: V1ContainerStatus) -> bool:
    """Tell whether it was the node's runtime that failed, before anything of the container ran."""
    last = status.last_state.terminated
    return status.state.waiting.reason == RUN_ERROR or bool(last and last.reason == START_ERROR)


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
    # Of a pod that never had a container: the node refused it, was preempted, or shut down.
    refused = [part for part in (pod.status.reason, pod.status.message) if part]
    said = "; ".join(parts or refused or conditions or ["no container yet"])
    return f"{pod.metadata.name}: {pod.status.phase}, {said}"
