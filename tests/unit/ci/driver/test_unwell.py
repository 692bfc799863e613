"""What there is to know of pods that are not well."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver import unwell
from kubernetes import client

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

PODS = "/api/v1/namespaces/ns/pods"
EVENTS = "/api/v1/namespaces/ns/events"
NODES = "/api/v1/nodes"


def pod(name: str, *, ready: bool, restarts: int = 0) -> client.V1Pod:
    """Return a running pod of one container, which has a variable."""
    status = client.V1ContainerStatus(
        name="web",
        image="web:1",
        image_id="",
        ready=ready,
        restart_count=restarts,
        state=client.V1ContainerState(running=client.V1ContainerStateRunning()),
        last_state=client.V1ContainerState(),
    )
    variable = client.V1EnvVar(name="TOKEN", value="hunter2")
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1PodSpec(node_name="one", containers=[client.V1Container(name="web", env=[variable])]),
        status=client.V1PodStatus(
            phase="Running",
            container_statuses=[status],
            conditions=[client.V1PodCondition(type="Ready", status=str(ready))],
        ),
    )


def event(about: str, reason: str, minute: int) -> client.CoreV1Event:
    """Return a warning about a pod."""
    return client.CoreV1Event(
        metadata=client.V1ObjectMeta(name=reason),
        involved_object=client.V1ObjectReference(kind="Pod", name=about),
        type="Warning",
        reason=reason,
        message="said",
        last_timestamp=datetime(2026, 1, 1, 12, minute, tzinfo=UTC),
    )


def given(api: ApiServer, *found: client.V1Pod) -> dict[str, str]:
    """Return what is told of these pods."""
    api.objects[PODS] = client.V1PodList(items=[*found])
    later, earlier, other = event("bad", "Later", 5), event("bad", "Earlier", 1), event("good", "Other", 2)
    api.objects[EVENTS] = client.CoreV1EventList(items=[later, earlier, other])
    pressure = client.V1NodeCondition(type="DiskPressure", status="True", message="the disk is full")
    node = client.V1Node(
        metadata=client.V1ObjectMeta(name="one"),
        spec=client.V1NodeSpec(),
        status=client.V1NodeStatus(conditions=[pressure]),
    )
    api.objects[NODES] = client.V1NodeList(items=[node])
    return unwell.reports(api.apis.core, "ns")


def test_all_is_well(api: ApiServer) -> None:
    """Where every pod is as it should be, nothing is told."""
    assert given(api, pod("good", ready=True)) == {}


@pytest.mark.parametrize(("code", "is_told"), [(0, False), (1, True)])
def test_pod_of_tests(api: ApiServer, code: int, *, is_told: bool) -> None:
    """The pod of tests that passed, which lives on to give its results, is well, and that of others isn't."""
    tests = pod("tests", ready=False)
    (keeper,) = tests.status.container_statuses
    keeper.ready = True
    ended = client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=code))
    runner = client.V1ContainerStatus(
        name="runner", image="web:1", image_id="", ready=False, restart_count=0, state=ended
    )
    tests.status.container_statuses = [runner, keeper]
    assert ("pods/tests.txt" in given(api, tests)) == is_told


def test_pod_of_a_lost_node(api: ApiServer) -> None:
    """A pod whose node is lost is told of, though its container was ready when that was last heard of."""
    lost = pod("lost", ready=True)
    lost.status.conditions[0].status = "False"
    assert "pods/lost.txt" in given(api, lost)


def test_pod_that_is_not_well(api: ApiServer) -> None:
    """A pod that isn't ready has a file with its status and its own events in order, without its variables."""
    told = given(api, pod("good", ready=True), pod("bad", ready=False))
    assert {*told} == {"pods/bad.txt", "pods/nodes.txt"}
    page = told["pods/bad.txt"]
    assert "nodeName: one" in page
    assert "hunter2" not in page
    assert page.index("Earlier: said") < page.index("Later: said")
    assert "Other" not in page
    assert "the disk is full" in told["pods/nodes.txt"]


def test_pod_that_was_started_again(api: ApiServer) -> None:
    """A pod that is ready, and has been started again, is told of as well."""
    assert "pods/bad.txt" in given(api, pod("bad", ready=True, restarts=1))
