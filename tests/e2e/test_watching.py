"""A pod that fails ends a wait with its reason, instead of a timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes import client

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.base_classes.policies import own_pod
from floe_testing.cluster.watching import PodFailedError, PodWatcher
from floe_testing.conditions import pod_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubernetes.client import CoreV1Api

pytestmark = [pytest.mark.requirement("REQ-642"), pytest.mark.timeout(540)]

WAIT = PollingConfig(timeout=240, interval=0.5)
"""The kubelet measures what a container has written every ten seconds, and evicts a moment later."""


@pytest.fixture
def watcher(kube: CoreV1Api, namespace: str) -> Iterator[PodWatcher]:
    """Yield a watcher of the test's own namespace."""
    with PodWatcher(kube, namespace, interval=0.5) as watcher:
        yield watcher


def start(kube: CoreV1Api, namespace: str, script: str, *, image: str = "") -> None:
    """Start a pod that runs a shell script, with 64 MiB of memory and 4 MiB of disk."""
    own = own_pod(kube)
    container = client.V1Container(
        name="web",
        image=image or own.spec.containers[0].image,
        image_pull_policy="IfNotPresent",
        command=["sh", "-c", script],
        # What it may use is bounded; what it asks for is little, or a node of two cores has no room for it.
        resources=client.V1ResourceRequirements(
            requests={"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "1Mi"},
            limits={"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "4Mi"},
        ),
    )
    spec = client.V1PodSpec(containers=[container], node_name=own.spec.node_name, termination_grace_period_seconds=0)
    kube.create_namespaced_pod(namespace, client.V1Pod(metadata=client.V1ObjectMeta(name="web"), spec=spec))


@pytest.mark.requirement("REQ-642.2")
@pytest.mark.journey("watching")
@pytest.mark.usefixtures("watcher")
@pytest.mark.parametrize(
    ("script", "image", "reason", "told"),
    [
        ("echo no such table; exit 3", "", "CrashLoopBackOff", "no such table"),
        ("true", "floe.local/nothing:dev", "(ErrImagePull|ImagePullBackOff)", "Failed to pull image"),
        pytest.param(
            "head -c 9000000 /dev/zero > /tmp/file; sleep 300", "", "Evicted", "exceed", marks=pytest.mark.long
        ),
        ("echo starting; exec python -c 'print(len(bytes([1]) * 300_000_000))'", "", "OOMKilled", "starting"),
    ],
    ids=["crash", "image", "disk", "memory"],
)
def test_failure_ends_the_wait(  # noqa: PLR0913, PLR0917 - a case is four
    kube: CoreV1Api, namespace: str, script: str, image: str, reason: str, told: str
) -> None:
    """Whatever a pod fails of, the wait for it ends with that reason, and with what its log or its events say."""
    start(kube, namespace, script, image=image)
    with pytest.raises(PodFailedError, match=reason) as failure:
        wait_for_condition(lambda: False, WAIT)
    assert told in str(failure.value)


def test_deletion_is_no_failure(kube: CoreV1Api, namespace: str, watcher: PodWatcher) -> None:
    """A pod that a test deletes disturbs no wait, though its container is killed."""
    start(kube, namespace, "sleep 300")
    wait_for_condition(pod_ready(kube, namespace, "web"), WAIT)
    kube.delete_namespaced_pod("web", namespace)
    wait_for_condition(~pod_ready(kube, namespace, "web"), WAIT)
    watcher.try_look()
    watcher.check()


def test_run_is_watched(pod_watcher: PodWatcher) -> None:
    """The run's own namespace is watched, and nothing has failed in it."""
    pod_watcher.try_look()
    assert pod_watcher.troubles() == []
