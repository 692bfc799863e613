"""The pods of an Indexed Job run their parts, each to its own end."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from floe_ci import reporter, shards
from floe_ci.config import Timeouts
from floe_ci.driver import job, order, poll, sharded
from floe_ci.driver.deploy import Given
from floe_ci.driver.pods import JOB_NAME, TESTS_JOB
from floe_ci.driver.room import Room, exceeded, left, needs, needs_of_all, require_room
from floe_ci.driver.sharded import HANDED_FILE, PART_FILE, ShardedTests
from floe_ci.driver.watched import INDEX
from floe_ci.errors import RunError, UserError
from floe_ci.live import LiveTests
from floe_ci.manifests import Manifests, containers
from floe_ci.work_queue import WorkQueue
from kubernetes import client

from tests.unit.ci.conftest import status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conftest import ApiServer
    from floe_ci.driver.execute import Container
    from floe_ci.driver.sharded import ShardEnd
    from floe_ci.driver.spec import RunSpec

RUNNER = Path(__file__).parents[4] / "k8s" / "runner"
MANIFESTS = "\n---\n".join((RUNNER / name).read_text() for name in ("access.yaml", "job.yaml"))
PODS, EVENTS = "/api/v1/namespaces/ns/pods", "/api/v1/namespaces/ns/events"
NOTHING = Manifests(())
RUNNING = client.V1ContainerState(running=client.V1ContainerStateRunning())
PENDING = client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="ContainerCreating"))


def ended(code: int) -> client.V1ContainerState:
    """Return the state of a container that has ended."""
    return client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=code, reason="Error"))


def pod(index: int, runner: client.V1ContainerState, keeper: client.V1ContainerState = RUNNING) -> client.V1Pod:
    """Return the pod of a shard."""
    states = {job.RUNNER: runner, job.KEEPER: keeper}
    statuses = [status(name, state) for name, state in states.items()]
    return client.V1Pod(
        metadata=client.V1ObjectMeta(
            name=f"{TESTS_JOB}-{index}-x",
            uid=str(index),
            resource_version="1",
            labels={JOB_NAME: TESTS_JOB},
            annotations={INDEX: str(index)},
        ),
        spec=client.V1PodSpec(containers=[client.V1Container(name=job.RUNNER)], node_name="worker"),
        status=client.V1PodStatus(phase="Running", container_statuses=statuses),
    )


@pytest.fixture
def spec(run_spec: Callable[..., RunSpec]) -> RunSpec:
    """Return the specification of a run of three shards."""
    return run_spec(
        runner=MANIFESTS,
        runner_image="floe.local/runner:abc",
        timeouts=Timeouts(job=60, services=1),
        shards=3,
        reporter="print(1)\n",
        plugins={reporter.SHARD: "print(2)\n"},
        durations={"a": 1.0},
    )


class Cluster:
    """Three pods that have their orders carried out at once, and what is done with them."""

    def __init__(self, api: ApiServer) -> None:
        """Let all of them wait for their orders."""
        self.api = api
        self.pods = {index: pod(index, RUNNING) for index in range(3)}
        self.then: dict[int, client.V1Pod | None] = {index: pod(index, ended(0)) for index in range(3)}
        self.released: list[list[str]] = []
        self.ends = order.Ends()
        for index in range(4):
            self.ends.take(f"{TESTS_JOB}-{index}-x", order.ENDED)
        api.run = self.run
        api.objects[PODS] = self.listing
        self._sent = 0

    def listing(self) -> client.V1PodList:
        """Return those that are there."""
        metadata = client.V1ListMeta(resource_version="1")
        return client.V1PodList(items=[each for each in list(self.pods.values()) if each], metadata=metadata)

    def run(self, command: list[str]) -> Iterable[tuple[int, bytes]]:
        """Take an order, hand results out, or let a pod end."""
        if "touch" in command:
            self.released.append(command)
        if "tar" in command[0]:
            yield 1, packed({"junit.xml": "<testsuites/>"})
        yield 3, b'{"status": "Success"}'


def packed(files: dict[str, str]) -> bytes:
    """Return a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.fixture
def there(api: ApiServer) -> Cluster:
    """Return a cluster with three pods."""
    return Cluster(api)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch, there: Cluster) -> Iterator[list[tuple[str, Given, dict[str, str]]]]:
    """Yield the orders that pods were given; each has carried it out when it has it."""
    given: list[tuple[str, Given, dict[str, str]]] = []

    def send(
        _apis: object, _spec: object, what: Given, to: client.V1Pod, _stop: object, files: dict[str, str]
    ) -> float:
        given.append((to.metadata.name, what, files))
        index = int(to.metadata.annotations[INDEX])
        if (then := there.then[index]) is None:
            del there.pods[index]
        else:
            there.pods[index] = then
        return time.monotonic()

    monkeypatch.setattr(job, "send_to", send)
    return given


def run(
    there: Cluster, spec: RunSpec, raw: Path, stop: threading.Event | None = None, queue: WorkQueue | None = None
) -> tuple[ShardedTests, list[ShardEnd]]:
    """Run the shards to their ends."""
    given = Given((), {}, ("tests",), {})
    tests = ShardedTests(there.api.apis, spec, given, raw, there.ends, list, stop, queue)
    return tests, tests.run()


class Late(order.Ends):
    """Is told of the end of a pod's tests when it has been asked for it."""

    def __init__(self) -> None:
        """Count how often that is."""
        super().__init__()
        self.asked: Counter[str] = Counter()

    def is_whole(self, pod: str) -> bool:
        """Answer, and have the pod tell it."""
        is_told = super().is_whole(pod)
        self.asked[pod] += 1
        self.take(pod, order.ENDED)
        return is_told


def prepared(spec: RunSpec) -> dict[str, Any]:
    """Return the Job of a run."""
    (found,) = [each for each in job.prepare(spec, NOTHING).documents if each["kind"] == "Job"]
    return found


def test_what_tests_told_last(
    there: Cluster, spec: RunSpec, tmp_path: Path, orders: list[tuple[str, Given, dict[str, str]]]
) -> None:
    """The results of tests that have ended, as their node says, are fetched when all is here that they told."""
    there.ends = late = Late()
    there.then[1] = pod(1, ended(1))
    _, ends = run(there, spec, tmp_path)
    assert [end.exit_code for end in ends] == [0, 1, 0]
    assert late.asked == {name: 2 for name, *_ in orders}


def test_indexed_job(spec: RunSpec) -> None:
    """Shards are the indexes of one Job with one deadline, and one that fails ends no other."""
    found = prepared(spec)["spec"]
    assert (found["completions"], found["parallelism"], found["completionMode"]) == (3, 3, "Indexed")
    assert found["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in found
    assert found["activeDeadlineSeconds"] == 361
    alone = prepared(spec.model_copy(update={"shards": 1}))["spec"]
    assert (alone["backoffLimit"], "completions" in alone) == (0, False)


def test_fewer_at_once(spec: RunSpec) -> None:
    """Where a quota leaves room for fewer pods, the Job makes the others as those end."""
    found = prepared(spec.model_copy(update={"at_once": 2}))["spec"]
    assert (found["completions"], found["parallelism"]) == (3, 2)


def test_plugins_are_there(spec: RunSpec) -> None:
    """What splits the tests is beside what tells of them."""
    first, *_ = job.prepare(spec, NOTHING).documents
    assert first["data"] == {"floe_ci_reporter.py": "print(1)\n", "floe_ci_shard.py": "print(2)\n"}


def test_each_has_its_part(spec: RunSpec, there: Cluster, orders: list[Any], tmp_path: Path) -> None:
    """Each pod is told its part, under a run id of its own, and what it leaves is in a folder of its own."""
    _, ends = run(there, spec, tmp_path)
    assert [end.exit_code for end in ends] == [0, 0, 0]
    parts = {name: json.loads(files[PART_FILE]) for name, _, files in orders}
    assert {name: (part["index"], part["count"]) for name, part in parts.items()} == {
        f"{TESTS_JOB}-{index}-x": (index, 3) for index in range(3)
    }
    assert sorted(given.environment["FLOE_RUN_ID"] for _, given, _ in orders) == ["abc-1", "abc-2", "abc-3"]
    assert {given.arguments[:2] for _, given, _ in orders} == {("-p", reporter.SHARD)}
    assert sorted(path.parent.name for path in tmp_path.glob("shards/*/junit.xml")) == ["1", "2", "3"]


def test_one_stays_for_coverage(
    spec: RunSpec, there: Cluster, orders: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pods but one are let go when their results are here: that one makes the report of what all covered."""
    monkeypatch.setattr(sharded, "LINGERING", 0.0)
    tests, _ = run(there, spec, tmp_path)
    assert len(orders) == 3

    def observe() -> str | None:
        return None if len(there.released) == 2 else f"{len(there.released)} are let go"

    poll.wait_until("two pods that are let go", observe, timeout=10, interval=0.01)
    assert tests.kept()
    assert tests.rest(timeout=10) == ()
    assert len(there.released) == 3


@pytest.mark.usefixtures("orders")
def test_pods_that_end_together(spec: RunSpec, there: Cluster, tmp_path: Path) -> None:
    """Pods that end at the same time are let go when all results are here."""
    tests, _ = run(there, spec, tmp_path)
    assert there.released == []
    assert tests.rest(timeout=10) == ()
    assert len(there.released) == 3


def test_pod_that_is_deleted(spec: RunSpec, there: Cluster, orders: list[Any], tmp_path: Path) -> None:
    """A pod that is deleted while its tests run is lost, and the others come to their ends."""
    there.then[1] = pod(1, RUNNING)
    there.then[1].metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    _, ends = run(there, spec, tmp_path)
    assert [end.exit_code for end in ends] == [0, None, 0]
    assert "was deleted while its tests ran" in ends[1].lost
    assert len(orders) == 3


@pytest.mark.parametrize(("code", "told"), [(143, None), (0, 0), (1, 1)])
def test_pod_that_is_evicted(  # noqa: PLR0913, PLR0917 - what ends how, and where
    spec: RunSpec, there: Cluster, orders: list[Any], tmp_path: Path, code: int, told: int | None
) -> None:
    """A shard whose tests a signal ended is lost if its node evicts the pod, as it says later; others have ended."""
    there.then[1], out = pod(1, ended(code)), pod(1, ended(code))
    out.status.phase, out.status.reason = "Failed", "Evicted"

    def listing() -> client.V1PodList:
        found = there.listing()
        if there.pods[1] is there.then[1]:
            there.pods[1] = out
        return found

    there.api.objects[PODS] = listing
    _, ends = run(there, spec, tmp_path)
    assert [end.exit_code for end in ends] == [0, told, 0]
    assert ("was evicted" in ends[1].lost) == (told is None)
    assert len(orders) == 3


def test_end_of_time(spec: RunSpec, there: Cluster, orders: list[Any], tmp_path: Path) -> None:
    """A shard that ran out of its time is told so, and one whose tests failed has its code alone."""
    there.then |= {1: pod(1, ended(1)), 2: pod(2, ended(124))}
    _, ends = run(there, spec, tmp_path)
    assert [end.exit_code for end in ends] == [0, 1, 124]
    assert [end.problem.kind if end.problem else None for end in ends] == [None, None, "timeout"]
    assert len(orders) == 3


def test_pod_that_cannot_start(spec: RunSpec, there: Cluster, orders: list[Any], tmp_path: Path) -> None:
    """A shard whose pod the node could not start has another one, which the Job is asked for."""
    job_path = "PATCH /apis/batch/v1/namespaces/ns/jobs/floe-test-runner"
    broken = client.V1ContainerStateTerminated(exit_code=128, reason="StartError", message="no runtime")
    there.pods[1] = pod(1, client.V1ContainerState(terminated=broken))
    there.then[3] = pod(3, ended(0))

    def make(change: Any) -> dict[str, Any]:  # noqa: ANN401 - a patch
        there.pods[3] = pod(3, RUNNING)
        return {"kind": "Job", "metadata": {}, "spec": change["spec"] | {"template": {}}}

    there.api.objects[job_path] = make
    tests, ends = run(there, spec, tmp_path)
    assert [end.exit_code for end in ends] == [0, 0, 0]
    assert there.api.applied[-1] == {"spec": {"completions": 4, "parallelism": 4}}
    assert "tried again: the node could not start the tests' pod: no runtime" in ends[1].notes[0]
    assert tests.shard_of(3) == 1
    assert len(orders) == 3


def test_pods_that_cannot_begin(spec: RunSpec, there: Cluster, tmp_path: Path) -> None:
    """Where no pod can begin, that is why the run broke."""
    waiting = client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="ImagePullBackOff"))
    there.pods = {index: pod(index, waiting) for index in range(3)}
    with pytest.raises(RunError, match=r"no shard could begin: pod .* ImagePullBackOff"):
        run(there, spec, tmp_path)


def test_pods_that_wait_for_ever(spec: RunSpec, there: Cluster, tmp_path: Path) -> None:
    """Pods that nothing makes room for are given up when their time is over."""
    there.pods = {index: pod(index, PENDING, PENDING) for index in range(3)}
    with pytest.raises(RunError, match="no shard could begin: its pod did not begin in 1 s"):
        run(there, spec, tmp_path)


def test_status_that_is_late(
    spec: RunSpec, there: Cluster, tmp_path: Path, orders: list[tuple[str, Given, dict[str, str]]]
) -> None:
    """A pod has its tests when its node says that it has started it: in the pod's status that stands a second later."""
    there.pods = {index: pod(index, PENDING, PENDING) for index in range(3)}
    about = [
        client.V1ObjectReference(kind="Pod", uid=str(index), field_path=f"spec.containers{{{job.KEEPER}}}")
        for index in range(3)
    ]
    metadata = client.V1ObjectMeta(name="started", namespace="ns", resource_version="1")
    events = [client.CoreV1Event(metadata=metadata, involved_object=each, reason="Started") for each in about]
    there.api.objects[EVENTS] = client.CoreV1EventList(items=events)
    _, ends = run(there, spec, tmp_path)
    assert [(end.exit_code, end.lost, end.notes) for end in ends] == [(0, "", ())] * 3
    assert len(orders) == 3


def test_told_to_stop(spec: RunSpec, there: Cluster, tmp_path: Path) -> None:
    """Shards end when the run is told to stop."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(poll.Stopped):
        run(there, spec, tmp_path, stop)


class HandedOut:
    """Pods that run what they are handed, and end when there is no more."""

    def __init__(self, there: Cluster, slices: int) -> None:
        """Let each pod run on when it has its order."""
        self.there, self.slices = there, slices
        self.live = LiveTests()
        self.queue = WorkQueue([self.live.part(is_handed_out=True) for _ in range(3)])
        self.has: dict[int, list[int]] = {index: [] for index in range(3)}
        self.refusing: set[int] = set()
        there.then = {index: pod(index, RUNNING) for index in range(3)}

    def begin(self) -> None:
        """Have all of them say that they are there."""
        for index in range(3):
            self.queue.hear(index, json.dumps({"event": "queue", "slices": self.slices, "of": "all"}))
            self.queue.hear(index, json.dumps({"event": "wants"}))

    def take(self, keeper: Container, _command: object, text: bytes, **_limits: object) -> None:
        """Take what a pod is handed, and run it at once."""
        index = int(keeper.pod.removeprefix(f"{TESTS_JOB}-").partition("-")[0])
        if index in self.refusing:
            del self.there.pods[index]
            msg = "the pod is gone"
            raise RunError(msg)
        told = json.loads(text)
        if told.get("over"):
            self.there.pods[index] = pod(index, ended(0))
        else:
            self.has[index].append(told["slice"])
            self.queue.hear(index, json.dumps({"event": "begins", "number": told["number"]}))
            self.queue.hear(index, json.dumps({"event": "wants"}))


@pytest.fixture
def handed_out(there: Cluster, orders: list[Any], monkeypatch: pytest.MonkeyPatch) -> HandedOut:
    """Return three pods to which ten slices are handed out."""
    assert not orders
    found = HandedOut(there, 10)
    monkeypatch.setattr(sharded, "run", found.take)
    return found


def test_handed_out(spec: RunSpec, there: Cluster, handed_out: HandedOut, orders: list[Any], tmp_path: Path) -> None:
    """Where tests are handed out, each slice goes to one pod, and all are told when there are no more."""
    handed_out.begin()
    _, ends = run(there, spec, tmp_path, queue=handed_out.queue)
    assert [end.exit_code for end in ends] == [0, 0, 0]
    assert sorted(number for has in handed_out.has.values() for number in has) == list(range(10))
    assert {json.loads(files[PART_FILE])["handed"] for _, _, files in orders} == {HANDED_FILE}


def test_pod_that_takes_nothing_any_more(spec: RunSpec, there: Cluster, handed_out: HandedOut, tmp_path: Path) -> None:
    """What was meant for a pod that can't be handed anything goes to the others, and that one is lost."""
    handed_out.refusing.add(1)
    handed_out.begin()
    _, ends = run(there, spec, tmp_path, queue=handed_out.queue)
    assert [end.exit_code for end in ends] == [0, None, 0]
    assert ends[1].lost
    handed_out.queue.hear(1, json.dumps({"event": "collected", "count": 3}))
    assert handed_out.live.total is None  # what a lost one tells doesn't count
    assert sorted(number for has in handed_out.has.values() for number in has) == list(range(10))


def quota(hard: dict[str, str], used: dict[str, str]) -> client.V1ResourceQuota:
    """Return a quota."""
    return client.V1ResourceQuota(
        metadata=client.V1ObjectMeta(name="small"), status=client.V1ResourceQuotaStatus(hard=hard, used=used)
    )


@pytest.mark.parametrize(
    ("hard", "used", "room"),
    [
        ({"pods": "10"}, {"pods": "7"}, 3),
        ({"requests.cpu": "1"}, {"requests.cpu": "450m"}, 5),
        ({"limits.memory": "10Gi"}, {}, 4),
        ({"limits.memory": "1Gi"}, {"limits.memory": "2Gi"}, 0),
        ({"services": "1"}, {"services": "1"}, shards.MOST),
    ],
)
def test_room_in_a_quota(spec: RunSpec, hard: dict[str, str], used: dict[str, str], room: int) -> None:
    """A quota leaves room for as many pods as what is left of it has for what one of them takes."""
    assert left([quota(hard, used)], needs(prepared(spec)), {})[0] == room


SERVICES = Manifests.parse(
    """
{kind: Deployment, apiVersion: apps/v1, metadata: {name: web}, spec: {replicas: 3, template: {spec: {containers: [
  {name: web, resources: {requests: {cpu: 100m}, limits: {cpu: "1", memory: 1Gi}}}, {name: beside}]}}}}
---
{kind: ConfigMap, apiVersion: v1, metadata: {name: web}}
""",
    "services",
)
"""Three pods, which take 3 GiB."""


def test_services_take_of_a_quota() -> None:
    """What services ask for, or may take where they ask for nothing, counts once for each of their pods."""
    gibibytes = 3 * 2**30
    expected = {"requests.cpu": Decimal("0.3"), "cpu": Decimal("0.3"), "limits.cpu": 3, "pods": 3, "count/pods": 3}
    memory = dict.fromkeys(("memory", "requests.memory", "limits.memory"), gibibytes)
    assert needs_of_all(SERVICES) == {**expected, **memory}


def test_services_that_are_yet_to_come(spec: RunSpec) -> None:
    """Pods of services take of a quota whether they are counted already or not; of one for tests they take nothing."""
    needed, taken = needs(prepared(spec)), needs_of_all(SERVICES)
    rooms = [left([quota({"pods": "10"}, {"pods": used})], needed, taken)[0] for used in ("0", "3", "5")]
    assert rooms == [7, 7, 5]
    of_tests = quota({"pods": "10"}, {"pods": "0"})
    of_tests.spec = client.V1ResourceQuotaSpec(scopes=["Terminating"])
    assert left([of_tests], needed, taken)[0] == 10
    assert exceeded([of_tests], taken) == []


@pytest.mark.parametrize(
    ("of_one", "told"),
    [
        ("", "3072Mi for one shard already: limit them in `resources` of the tier"),
        (
            SERVICES.to_yaml().replace("replicas: 3", "replicas: 2"),
            (
                "3072Mi with so many shards: "
                "ask for fewer, in the tier's table too, or limit the services in its `resources`"
            ),
        ),
    ],
)
def test_services_that_a_quota_has_no_room_for(api: ApiServer, of_one: str, told: str) -> None:
    """Services that take more than a quota allows are refused with what would do: for one shard they may do too."""
    api.objects["/api/v1/namespaces/ns/resourcequotas"] = client.V1ResourceQuotaList(
        items=[quota({"limits.memory": "2Gi", "pods": "3"}, {})]
    )
    with pytest.raises(UserError) as caught:
        require_room(api.apis, "ns", SERVICES, of_one)
    assert str(caught.value) == f"quota small allows 2Gi of limits.memory, and the services take {told}"


@pytest.mark.parametrize("replicas", ["replicas: null", 'replicas: "3"', "paused: false"])
def test_pods_that_are_not_counted(replicas: str) -> None:
    """Where a manifest gives no number of pods there is one, and what it says of amounts is what is no null."""
    limits = "{limits: {memory: null, cpu: 1GHz}, requests: {memory: 1Gi}}"
    text = SERVICES.to_yaml().replace("replicas: 3", replicas)
    manifests = Manifests.parse(text, "services")
    next(containers(manifests.documents))["resources"] = yaml.safe_load(limits)
    memory = dict.fromkeys(("memory", "requests.memory"), 2**30)
    assert needs_of_all(manifests) == {"pods": 1, "count/pods": 1, **memory}


def test_auto() -> None:
    """As many shards as whole processors, and no more than a quota takes; which one does is told."""
    assert [(room.wanted, room.at_once(room.wanted)) for room in (Room(8, 1000), Room(8, 3), Room(0, 0))] == [
        (8, 8),
        (8, 3),
        (1, 1),
    ]
    room = Room(8, 3, "quota small (pods)")
    assert room.told(4) == "quota small (pods) leaves room for 3 of the 4 pods of tests: the others begin as those end"
    assert (room.told(3), room.at_once(4)) == ("", 3)
    told = "quota small (pods) leaves room for 3 of the 4 pods of tests: there are no more"
    assert room.told(4, is_fixed=False) == told
