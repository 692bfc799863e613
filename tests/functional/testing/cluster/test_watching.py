"""A pod that fails while tests run ends their waits, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.cluster.watching import PodFailedError, PodWatcher
from floe_testing.waiting.polling import interruptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.functional.testing.answering import Answers

    MakePod = Callable[..., client.V1Pod]

pytestmark = pytest.mark.requirement("REQ-642")

PODS = "/api/v1/namespaces/ns/pods"
CRASHING: dict[str, Any] = {"waiting": {"reason": "CrashLoopBackOff"}, "labels": {"app.kubernetes.io/name": "web"}}
ENDED: dict[str, Any] = {"exit_code": 137, "reason": "OOMKilled", "finished_at": datetime(2026, 1, 2, tzinfo=UTC)}
LONG = PollingConfig(timeout=30.0, interval=0.1)


def killed(second: int) -> dict[str, Any]:
    """Return the fields of a pod whose container was killed for its memory, at a second, and runs again."""
    ended = {"exit_code": 137, "reason": "OOMKilled", "finished_at": datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC)}
    return {"ready": True, "last_terminated": ended}


@pytest.fixture
def watcher(server: Answers, pod: MakePod) -> Iterator[PodWatcher]:
    """Yield a watcher of a namespace with one pod, which is well; it looks when it is told to."""
    server.put_pods("ns", pod("web-0", ready=True))
    with PodWatcher(server.kube, "ns", interval=3600) as watcher:
        yield watcher


def reasons(watcher: PodWatcher) -> list[str]:
    """Look, and return what is wrong."""
    watcher.try_look()
    return [each.failure.reason for each in watcher.troubles()]


def test_failure_ends_a_wait(server: Answers, pod: MakePod) -> None:
    """While a test waits, a pod that starts to fail ends the wait, which does not time out."""
    server.put_pods("ns", pod("web-0"))
    looks: list[int] = []

    def condition() -> bool:
        looks.append(1)
        if len(looks) == 3:
            server.put_pods("ns", pod("web-0", **CRASHING))
        return False

    with PodWatcher(server.kube, "ns", interval=0.1), pytest.raises(PodFailedError, match="CrashLoopBackOff"):
        wait_for_condition(condition, LONG)
    assert len(looks) >= 3


def test_message_has_log_and_events(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """The message says which container of which pod failed, how its log ends, and what Kubernetes said of it."""
    server.put_pods("ns", pod("web-0", **CRASHING, last_terminated={"exit_code": 1}))
    server.logs["web-0", True] = "starting\nno such table: orders\n"
    event = client.CoreV1Event(
        metadata=client.V1ObjectMeta(name="e"),
        involved_object=client.V1ObjectReference(),
        type="Warning",
        reason="BackOff",
        message="restarting failed container",
    )
    server.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[event])
    watcher.try_look()
    with pytest.raises(PodFailedError) as failure:
        watcher.check()
    assert str(failure.value).splitlines() == [
        "pod web-0, container web: CrashLoopBackOff in namespace ns (web-0: Running, web waiting (CrashLoopBackOff))",
        "its log ends:",
        "  starting",
        "  no such table: orders",
        "its events:",
        "  Warning BackOff: restarting failed container",
    ]
    assert any("fieldSelector=involvedObject.uid%3Dweb-0" in each for each in server.asked)


def test_log_of_a_container_that_was_never_replaced(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """Where no container came after, the log is this one's; that there is no log or no event is said."""
    server.logs["web-0", False] = ""
    server.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    server.put_pods("ns", pod("web-0", terminated=ENDED), pod("web-1", waiting={"reason": "ErrImagePull"}))
    watcher.try_look()
    with pytest.raises(PodFailedError) as failure:
        watcher.check()
    lines = str(failure.value).splitlines()
    assert [line for line in lines if line.startswith("  ")] == [
        "  (it is empty)",
        "  (there are none)",
        "  (there is none)",
        "  (there are none)",
    ]


def shown_log(watcher: PodWatcher) -> list[str]:
    """Look, and return the lines of the log in the message."""
    watcher.try_look()
    (trouble,) = watcher.troubles()
    lines = trouble.report.splitlines()
    return lines[lines.index("its log ends:") + 1 : lines.index("its events:")]


def test_log_is_not_the_earlier_containers(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """Where a container was killed that was itself a second one, the log is that one's."""
    server.put_pods("ns", pod("web-0", terminated=ENDED, last_terminated={"exit_code": 0}))
    server.logs |= {("web-0", False): "the second", ("web-0", True): "the first"}
    assert shown_log(watcher) == ["  the second"]


@pytest.mark.parametrize("successors", ["", "unable to retrieve container logs for containerd://1a2b"])
def test_log_of_a_container_that_is_replaced_meanwhile(
    server: Answers, pod: MakePod, watcher: PodWatcher, successors: str
) -> None:
    """Where another container is started while the log is asked for, it is still the log of the one that failed."""
    server.put_pods("ns", pod("web-0", terminated=ENDED))
    server.objects[f"{PODS}/web-0"] = pod("web-0", last_terminated=ENDED)
    server.logs |= {("web-0", False): successors, ("web-0", True): "starting"}
    assert shown_log(watcher) == ["  starting"]


def test_log_that_comes_late(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A log that is not there at once is asked for again, and what the kubelet says instead is not taken for it."""
    server.put_pods("ns", pod("web-0", last_terminated=ENDED))
    refusal = "unable to retrieve container logs for containerd://1a2b"
    server.logs["web-0", True] = [refusal, "", "starting"]
    assert shown_log(watcher) == ["  starting"]


def test_log_that_never_comes(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A log that the kubelet has no more is said not to be there."""
    server.put_pods("ns", pod("web-0", last_terminated=ENDED))
    server.logs["web-0", True] = "unable to retrieve container logs for containerd://1a2b"
    assert shown_log(watcher) == ["  (there is none)"]


def test_failure_from_before_is_not_told(server: Answers, pod: MakePod) -> None:
    """What had failed when the watch began is none of its business, however often it is seen again."""
    server.put_pods("ns", pod("web-0", **CRASHING), pod("web-1", **killed(1)))
    with PodWatcher(server.kube, "ns", interval=3600) as watcher:
        assert not reasons(watcher)
        server.put_pods("ns", pod("web-0", ready=True), pod("web-1", **killed(1)))
        assert not reasons(watcher)
        server.put_pods("ns", pod("web-0", **CRASHING), pod("web-1", **killed(1)))
        assert not reasons(watcher)
        server.put_pods("ns", pod("web-0", **CRASHING), pod("web-1", **killed(2)))
        assert reasons(watcher) == ["OOMKilled"]


def test_deleted_pod_is_no_failure(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A test that deletes a pod, to see what comes after, is not disturbed."""
    server.put_pods("ns", pod("web-0", deleted=True, **CRASHING))
    assert not reasons(watcher)
    server.put_pods("ns", pod("web-1"))
    assert not reasons(watcher)
    watcher.check()


def test_failure_is_told_once(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A container is told of once, for what it failed of first, though the next looks see it again and otherwise."""
    server.put_pods("ns", pod("web-0", waiting={"reason": "ErrImagePull"}))
    assert reasons(watcher) == ["ErrImagePull"]
    server.put_pods("ns", pod("web-0", waiting={"reason": "ImagePullBackOff"}))
    assert reasons(watcher) == ["ErrImagePull"]


def test_next_test_is_spared_what_is_over(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A pod that is ready again concerns the test in which it failed, and not the next, until it fails again."""
    server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]
    server.put_pods("ns", pod("web-0", ready=True))
    assert reasons(watcher) == ["CrashLoopBackOff"]
    watcher.begin_test()
    assert not reasons(watcher)
    server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]


def test_killed_twice_is_told_twice(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A container that runs again after a kill concerns one test for each kill."""
    server.put_pods("ns", pod("web-0", **killed(1)))
    assert reasons(watcher) == ["OOMKilled"]
    watcher.begin_test()
    assert not reasons(watcher)
    server.put_pods("ns", pod("web-0", **killed(2)))
    assert reasons(watcher) == ["OOMKilled"]


def test_next_test_is_told_what_lasts(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A pod that still fails concerns the next test as well."""
    server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]
    watcher.begin_test()
    assert reasons(watcher) == ["CrashLoopBackOff"]


@pytest.mark.parametrize(
    ("successor", "over"),
    [
        ({"ready": True, "owner": "rs"}, True),
        ({"ready": False, "owner": "rs"}, False),
        ({"ready": True, "owner": "another"}, False),
        ({"ready": True, "owner": "rs", "deleted": True}, False),
    ],
)
def test_evicted_pod_is_replaced(
    server: Answers,
    pod: MakePod,
    watcher: PodWatcher,
    successor: dict[str, Any],
    over: bool,  # noqa: FBT001 - a parameter
) -> None:
    """An evicted pod stays in the list: it is over when its controller has another one ready."""
    evicted = pod("web-0", phase="Failed", reason="Evicted", no_containers=True, owner="rs")
    server.put_pods("ns", evicted)
    assert reasons(watcher) == ["Evicted"]
    server.put_pods("ns", evicted, pod("web-1", **successor))
    reasons(watcher)
    watcher.begin_test()
    assert bool(watcher.troubles()) is not over


def test_pod_that_is_gone_is_over(server: Answers, watcher: PodWatcher, pod: MakePod) -> None:
    """A pod that failed and was removed doesn't concern the next test."""
    server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]
    server.put_pods("ns")
    reasons(watcher)
    watcher.begin_test()
    assert not watcher.troubles()


@pytest.mark.parametrize("services", [(), ("web",), ("db", "web")])
def test_expected_failure(server: Answers, pod: MakePod, watcher: PodWatcher, services: tuple[str, ...]) -> None:
    """A test that lets a pod fail says so, and neither it nor a later one is disturbed by that pod."""
    with watcher.expecting(*services):
        # Seen by no look but the last one of the block.
        server.put_pods("ns", pod("web-0", **CRASHING))
    assert not reasons(watcher)
    server.put_pods("ns", pod("web-0", **CRASHING | killed(1) | {"ready": False}))
    assert not reasons(watcher)


def test_other_failure_than_expected(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A failure of a service that no test spoke of is told."""
    with watcher.expecting("db"):
        server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]


def test_failure_after_the_block(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """A failure that begins after the block in which it was expected is told."""
    with watcher.expecting():
        pass
    server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]


@pytest.mark.parametrize(
    ("services", "found"), [({"web"}, 1), ({"shop"}, 1), ({"shop-web"}, 1), ({"db"}, 0), (set(), 0), (None, 1)]
)
def test_troubles_of_a_service(
    server: Answers, pod: MakePod, watcher: PodWatcher, services: set[str] | None, found: int
) -> None:
    """A service's troubles are those of the pods labelled with its name, or with its name and a part of it."""
    name = "web" if services == {"web"} else "shop-web"
    server.put_pods("ns", pod("web-0", **CRASHING | {"labels": {"app.kubernetes.io/name": name}}))
    watcher.try_look()
    assert len(watcher.troubles(services)) == found


def test_api_that_is_away(server: Answers, pod: MakePod, watcher: PodWatcher) -> None:
    """An API that doesn't answer for a while is no failure of a pod, and the watch goes on after."""
    server.objects[PODS] = HTTPStatus.SERVICE_UNAVAILABLE
    assert not reasons(watcher)
    server.put_pods("ns", pod("web-0", **CRASHING))
    assert reasons(watcher) == ["CrashLoopBackOff"]


def test_watch_that_may_not_look(server: Answers) -> None:
    """A watch that may not list the pods does not begin, and leaves nothing behind."""
    server.objects[PODS] = HTTPStatus.FORBIDDEN
    with pytest.raises(client.ApiException, match="403"), PodWatcher(server.kube, "ns"):
        pass
    assert not interruptions


def test_watch_ends(server: Answers, pod: MakePod) -> None:
    """When the watch is over, no wait asks it any more."""
    server.put_pods("ns", pod("web-0"))
    with PodWatcher(server.kube, "ns", interval=3600):
        assert len(interruptions) == 1
    assert not interruptions
