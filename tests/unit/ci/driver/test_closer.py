"""The closer look at pods that a run waits for in vain."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from floe_ci.driver import closer
from kubernetes import client

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

EVENTS = "/api/v1/namespaces/ns/events"
NEXT = "look further with `kubectl --namespace ns describe pod {}`, where --keep has left the cluster"


def event(about: str, message: str, minute: int, kind: str = "Warning") -> client.CoreV1Event:
    """Return an event about a pod."""
    return client.CoreV1Event(
        metadata=client.V1ObjectMeta(name=f"{about}.{minute}"),
        involved_object=client.V1ObjectReference(kind="Pod", name=about),
        type=kind,
        reason="FailedCreatePodSandBox",
        message=message,
        last_timestamp=datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
    )


def new(name: str) -> client.V1Pod:
    """Return a pod that has no container yet."""
    return client.V1Pod(metadata=client.V1ObjectMeta(name=name), status=client.V1PodStatus(phase="Pending"))


def test_last_warning(api: ApiServer) -> None:
    """Of the events the last warning about the pod itself is told: a network that can't be had is told nowhere else."""
    api.objects[EVENTS] = client.CoreV1EventList(
        items=[
            event("web-0", "no address left", 2),
            event("web-0", "no plugin yet", 1),
            event("web-1", "of another", 3),
            event("web-0", "all is well", 4, kind="Normal"),
        ]
    )
    assert closer.look(api.apis, "ns", [new("web-0")]).splitlines() == [
        "web-0, last warning: FailedCreatePodSandBox: no address left",
        NEXT.format("web-0"),
    ]
    assert not api.read


def test_log_of_the_start_that_died(api: ApiServer, crashing: client.V1Pod) -> None:
    """Of a container that waits to be started again, the log is that of its last start."""
    api.objects[EVENTS] = client.CoreV1EventList(items=[])
    api.logs["web", True] = [b"before\n"]
    api.logs["web", False] = [b"not this\n"]
    assert "    before\n" in closer.look(api.apis, "ns", [crashing])
    assert api.read == [("web", True)]


def test_cluster_that_does_not_answer(api: ApiServer, crashing: client.V1Pod) -> None:
    """Where no more can be read, that is said, and hides nothing."""
    api.objects[EVENTS] = HTTPStatus.FORBIDDEN
    first, *_, last = closer.look(api.apis, "ns", [crashing]).splitlines()
    assert first == "web-0: no more could be read: the cluster refused it: no: 403 (403)"
    assert last == NEXT.format("web-0")


def test_many_pods(api: ApiServer) -> None:
    """Of many pods the first three are looked at: they wait for the same thing."""
    api.objects[EVENTS] = client.CoreV1EventList(items=[])
    told = closer.look(api.apis, "ns", [new(f"web-{number}") for number in range(9)])
    assert told.splitlines() == [NEXT.format(f"web-{number}") for number in range(3)]


def test_no_pod(api: ApiServer) -> None:
    """Where no pod waits there is nothing to tell."""
    assert closer.look(api.apis, "ns", []) == ""
