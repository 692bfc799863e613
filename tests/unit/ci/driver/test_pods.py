"""What pods say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from floe_ci.driver import pods
from kubernetes import client


def waiting(reason: str, message: str | None = None) -> client.V1ContainerState:
    """Return the state of a container that waits."""
    return client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason=reason, message=message))


def terminated(exit_code: int, reason: str = "Error") -> client.V1ContainerState:
    """Return the state of a container that has ended."""
    return client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=exit_code, reason=reason))


def running() -> client.V1ContainerState:
    """Return the state of a container that runs."""
    return client.V1ContainerState(running=client.V1ContainerStateRunning())


def container(
    state: client.V1ContainerState,
    *,
    name: str = "postgres",
    last: client.V1ContainerState | None = None,
    ready: bool = False,
    restarts: int = 0,
) -> client.V1ContainerStatus:
    """Return the status of a container."""
    return client.V1ContainerStatus(
        name=name,
        image="postgres",
        image_id="",
        ready=ready,
        restart_count=restarts,
        state=state,
        last_state=last or client.V1ContainerState(),
    )


def pod(*containers: client.V1ContainerStatus, phase: str = "Pending", **status: object) -> client.V1Pod:
    """Return a pod of some containers."""
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name="postgres-0"),
        status=client.V1PodStatus(phase=phase, container_statuses=list(containers) or None, **status),
    )


def condition(status: str, message: str | None) -> client.V1PodCondition:
    """Return a condition of a pod."""
    return client.V1PodCondition(type="PodScheduled", status=status, message=message)


@pytest.mark.parametrize(
    "reason",
    [
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
    ],
)
def test_hopeless(reason: str) -> None:
    """A container that no wait mends is a failure, told with the cluster's own message."""
    assert pods.failure(pod(container(waiting(reason, "back-off 10s")))) == (
        f"pod postgres-0, container postgres: {reason}: back-off 10s"
    )


@pytest.mark.parametrize(
    ("reason", "message", "lasts"),
    [
        ("CrashLoopBackOff", "back-off 10s", True),
        ("InvalidImageName", None, True),
        ("ImagePullBackOff", "Back-off pulling image: ErrImagePull: docker.io/library/nginxx:1: not found", True),
        ("ImagePullBackOff", "pull access denied, repository does not exist or may require authorization", True),
        ("ImagePullBackOff", "Back-off pulling image: ErrImagePull: i/o timeout", False),
        ("CreateContainerError", "the disk is full", False),
        ("CreateContainerConfigError", "failed to sync configmap cache: timed out", False),
    ],
)
def test_pod_that_fails_again(reason: str, message: str | None, lasts: bool) -> None:  # noqa: FBT001 - a case
    """What a manifest says, and how a container ends, stay as they are; a registry that is away comes back."""
    assert pods.will_fail_again(pod(container(running()), container(waiting(reason, message)))) is lasts


def test_crash_tells_how_it_ended() -> None:
    """A container that crashes again and again is told with the exit code of its last end."""
    crashing = container(waiting("CrashLoopBackOff"), last=terminated(3))
    assert pods.failure(pod(crashing)) == (
        "pod postgres-0, container postgres: CrashLoopBackOff; it last ended with exit code 3 (Error)"
    )


@pytest.mark.parametrize("reason", ["RunContainerError", "CrashLoopBackOff"])
def test_start_that_fails_once(reason: str) -> None:
    """A container that the node's runtime could not start may start the next time, but not for ever."""
    ended = terminated(128, "StartError")
    assert pods.failure(pod(container(waiting(reason), last=ended, restarts=2))) is None
    assert reason in str(pods.failure(pod(container(waiting(reason), last=ended, restarts=3))))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition"),
        ("CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars"),
        ("CreateContainerError", "context deadline exceeded"),
        ("CreateContainerError", 'failed to reserve container name: name "web" is reserved for "1f2e"'),
    ],
)
def test_node_that_is_late(reason: str, message: str) -> None:
    """A node under load that has not heard from the API or from its runtime yet tries again: there is hope."""
    late = client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason=reason, message=message))
    assert pods.failure(pod(container(late))) is None


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull"])
def test_hopeful(reason: str) -> None:
    """A container that may still start is no failure."""
    assert pods.failure(pod(container(waiting(reason)))) is None


@pytest.mark.parametrize(
    "out_of_memory",
    [
        container(terminated(137, "OOMKilled")),
        container(running(), last=terminated(137, "OOMKilled")),
    ],
    ids=["now", "before the restart"],
)
def test_out_of_memory(out_of_memory: client.V1ContainerStatus) -> None:
    """A container that ran out of memory is a failure, also after its restart."""
    said = "pod postgres-0, container postgres: OOMKilled: the node had no more memory for it"
    assert pods.failure(pod(out_of_memory)) == said


@pytest.mark.parametrize(
    ("labels", "owner", "named"),
    [
        ({}, ("ReplicaSet", "web-5d9f"), "web"),
        ({}, ("StatefulSet", "postgres"), "postgres"),
        ({pods.JOB_NAME: "floe-test-runner"}, ("Job", "floe-test-runner"), "runner"),
        ({}, None, "postgres-0"),
    ],
)
def test_out_of_memory_names_the_setting(labels: dict[str, str], owner: tuple[str, str] | None, named: str) -> None:
    """A container that ran out of memory is told with how long it lived, its limit, and the setting that raises it."""
    ended = terminated(137, "OOMKilled")
    ended.terminated.started_at = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    ended.terminated.finished_at = datetime(2026, 1, 1, 12, 0, 41, tzinfo=UTC)
    found = pod(container(ended))
    found.metadata.labels = labels
    if owner:
        kind, name = owner
        found.metadata.owner_references = [
            client.V1OwnerReference(api_version="apps/v1", kind=kind, name=name, uid="1", controller=True)
        ]
    limits = client.V1ResourceRequirements(limits={"memory": "64Mi"})
    found.spec = client.V1PodSpec(containers=[client.V1Container(name="postgres", resources=limits)])
    said = f"OOMKilled after 41 s, limit 64Mi: raise resources.{named}.memory of the tier"
    assert pods.failure(found) == f"pod postgres-0, container postgres: {said}"


def test_pod_of_a_job_tries_again() -> None:
    """A Job's pod in a crash loop is no failure: the Job itself counts how often it may try."""
    crashing = pod(container(waiting("CrashLoopBackOff"), last=terminated(3)))
    crashing.metadata.labels = {pods.JOB_NAME: "migrate"}
    assert pods.failure(crashing) is None


def test_pod_of_a_job_without_image() -> None:
    """A Job's pod that can't have its image is as hopeless as any other."""
    stuck = pod(container(waiting("ImagePullBackOff")))
    stuck.metadata.labels = {pods.JOB_NAME: "migrate"}
    assert pods.failure(stuck) == "pod postgres-0, container postgres: ImagePullBackOff"


def test_restarted_container() -> None:
    """A container that failed once and runs again may still become ready."""
    assert pods.failure(pod(container(running(), last=terminated(1)))) is None


def test_evicted() -> None:
    """An evicted pod has no containers any more, and is a failure with the node's message."""
    evicted = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert pods.failure(evicted) == "pod postgres-0 was evicted: The node was low on resource: memory."


def test_init_container_fails() -> None:
    """A failure of an init container is one of the pod."""
    failing = container(waiting("ImagePullBackOff"), name="init")
    found = pod(container(waiting("PodInitializing")), init_container_statuses=[failing])
    assert pods.failure(found) == "pod postgres-0, container init: ImagePullBackOff"


def test_new_pod_has_not_failed() -> None:
    """A pod that was just made, and has no containers yet, is no failure."""
    assert pods.failure(pod()) is None


def test_init_containers_come_first() -> None:
    """Containers are looked at in the order in which they start."""
    found = pod(container(running()), init_container_statuses=[container(running(), name="init")])
    assert [status.name for status in pods.statuses(found)] == ["init", "postgres"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (container(waiting("ContainerCreating")), "postgres waiting (ContainerCreating)"),
        (container(terminated(2)), "postgres ended with exit code 2"),
        (container(running()), "postgres running, not ready"),
    ],
)
def test_state_of_a_container(status: client.V1ContainerStatus, said: str) -> None:
    """A pod's state says what keeps each container from being ready."""
    assert pods.state(pod(status)) == f"postgres-0: Pending, {said}"


def test_state_leaves_out_what_is_well() -> None:
    """Containers that are ready, or ended well, are not told."""
    found = pod(
        container(terminated(0, "Completed"), name="init"),
        container(running(), name="ready", ready=True),
        container(running(), name="slow"),
    )
    assert pods.state(found) == "postgres-0: Pending, slow running, not ready"


def test_state_of_a_pod_that_fits_nowhere() -> None:
    """A pod that has no container yet says which of its conditions isn't met."""
    found = pod(conditions=[condition("True", "fine"), condition("False", "0/1 nodes are available")])
    assert pods.state(found) == "postgres-0: Pending, 0/1 nodes are available"


def test_state_prefers_containers() -> None:
    """Where a container says what it waits for, that is told, not the condition that follows from it."""
    found = pod(container(waiting("ContainerCreating")), conditions=[condition("False", "not ready")])
    assert pods.state(found) == "postgres-0: Pending, postgres waiting (ContainerCreating)"


def test_state_of_a_new_pod() -> None:
    """A pod about which nothing is known yet says so."""
    assert pods.state(pod(conditions=[condition("False", None)])) == "postgres-0: Pending, no container yet"


def test_state_of_a_pod_that_a_node_refused() -> None:
    """A pod that failed before it had a container says why, rather than which of its conditions isn't met."""
    found = pod(phase="Failed", reason="OutOfcpu", message="not enough", conditions=[condition("False", "not ready")])
    assert pods.state(found) == "postgres-0: Failed, OutOfcpu; not enough"


@pytest.mark.parametrize(
    ("status", "well"),
    [
        (container(running(), ready=True), True),
        (container(running()), False),
        (container(terminated(0, "Completed")), True),
        (container(terminated(1)), False),
        (container(waiting("PodInitializing")), False),
    ],
)
def test_container_is_well(status: client.V1ContainerStatus, well: bool) -> None:  # noqa: FBT001 - a parameter
    """A container is well when it is ready, or has ended with code 0."""
    assert pods.is_well(status) is well


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_ready_by_its_own_word(status: str, ready: bool) -> None:  # noqa: FBT001 - a parameter
    """A pod is ready when its condition of that name is met, whatever others say."""
    conditions = [client.V1PodCondition(type="Ready", status=status), condition("True", None)]
    assert pods.is_ready(pod(conditions=conditions)) is ready
