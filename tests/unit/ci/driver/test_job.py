"""The runner's Job: what a run changes in its manifest, and how it is waited for."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tarfile
import threading
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver import job, order, poll
from floe_ci.driver.deploy import Given
from floe_ci.driver.pods import JOB_NAME, TESTS_JOB
from floe_ci.driver.poll import Stopped
from floe_ci.driver.problems import OutOfMemory, TimedOut
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests
from kubernetes import client

from tests.unit.ci.conftest import SUCCESS, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

RUNNER = Path(__file__).resolve().parents[4] / "k8s" / "runner"
SERVICES = Manifests.parse(
    """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web-connection, labels: {floe.dev/connection: "true"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web-pages}
""",
    "test",
)
MANIFESTS = "\n---\n".join((RUNNER / name).read_text() for name in ("access.yaml", "job.yaml"))
PODS = "/api/v1/namespaces/ns/pods"
ARGUMENTS = ("tests/integration", "-k", "a b")


@pytest.fixture
def spec(run_spec: Callable[..., RunSpec]) -> RunSpec:
    """Return the specification of a run with tests."""
    return run_spec(
        runner=MANIFESTS,
        runner_image="floe.local/runner:abc",
        timeouts=Timeouts(job=60, services=1),
    )


@pytest.fixture
def prepared(spec: RunSpec) -> dict[str, Any]:
    """Return the Job of a run."""
    documents = job.prepare(spec, SERVICES).documents
    (found,) = [document for document in documents if document["kind"] == "Job"]
    return found


def containers(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the Job's containers by name."""
    return {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}


def state(name: str, exit_code: int | None, reason: str = "Error") -> client.V1ContainerStatus:
    """Return the status of a container that runs, or has ended with a code."""
    if exit_code is None:
        return status(name, client.V1ContainerState(running=client.V1ContainerStateRunning()))
    ended = client.V1ContainerStateTerminated(exit_code=exit_code, reason=reason)
    return status(name, client.V1ContainerState(terminated=ended))


def pods(*statuses: client.V1ContainerStatus, phase: str = "Running", **status: object) -> client.V1PodList:
    """Return the Job's one pod, as a list."""
    found = client.V1Pod(
        metadata=client.V1ObjectMeta(name="floe-test-runner-x", labels={JOB_NAME: TESTS_JOB}),
        spec=client.V1PodSpec(containers=[client.V1Container(name=job.RUNNER)], node_name="worker"),
        status=client.V1PodStatus(phase=phase, container_statuses=list(statuses) or None, **status),
    )
    return client.V1PodList(items=[found])


def test_image(prepared: dict[str, Any]) -> None:
    """Both containers run the image that the run built."""
    assert {each["image"] for each in containers(prepared).values()} == {"floe.local/runner:abc"}


@pytest.mark.requirement("REQ-638.4")
def test_command(spec: RunSpec) -> None:
    """The test process has the arguments for pytest as they are, and is ended when its time is over."""
    assert job.command_of(spec, ARGUMENTS) == [
        "timeout",
        "--kill-after=30",
        "60",
        "pytest",
        "tests/integration",
        "-k",
        "a b",
    ]


def test_job_outlives_the_process(prepared: dict[str, Any]) -> None:
    """The Job's own deadline leaves time for the services, and to collect after the process was ended."""
    assert prepared["spec"]["activeDeadlineSeconds"] >= 1 + 60 + 30 + 60


def test_environment(prepared: dict[str, Any]) -> None:
    """The test process has the services' addresses and the passwords."""
    assert containers(prepared)["runner"]["envFrom"] == [
        {"configMapRef": {"name": "web-connection"}},
        {"secretRef": {"name": "floe-credentials"}},
    ]


def test_keeper_has_no_secrets(prepared: dict[str, Any]) -> None:
    """The container that only keeps the pod alive gets none of the environment."""
    assert "envFrom" not in containers(prepared)["results"]


def test_bindings_name_the_runs_namespace(spec: RunSpec) -> None:
    """Each binding is for the account in the run's own namespace."""
    documents = job.prepare(spec, SERVICES).documents
    subjects = [subject for each in documents for subject in each.get("subjects", ())]
    assert [subject["namespace"] for subject in subjects] == ["ns", "ns"]


def test_two_runs_do_not_meet(spec: RunSpec) -> None:
    """What belongs to no namespace carries the run's namespace in its name, and is bound under that."""
    documents = job.prepare(spec, SERVICES).documents
    names = {each["kind"]: each["metadata"]["name"] for each in documents}
    bound = {each["kind"]: each["roleRef"]["name"] for each in documents if "roleRef" in each}
    assert names["ClusterRole"] == names["ClusterRoleBinding"] == "floe-test-runner-ns"
    assert names["Role"] == names["RoleBinding"] == names["ServiceAccount"] == "floe-test-runner"
    assert bound == {"ClusterRoleBinding": "floe-test-runner-ns", "RoleBinding": "floe-test-runner"}


def reporting(spec: RunSpec) -> dict[str, dict[str, Any]]:
    """Return the containers of a run whose tests report, by name, and the Job's pod under an empty one."""
    documents = job.prepare(spec.model_copy(update={"reporter": "print(1)\n"}), SERVICES).documents
    (found,) = [document for document in documents if document["kind"] == "Job"]
    return containers(found) | {"": found["spec"]["template"]["spec"]}


@pytest.fixture
def waiting(spec: RunSpec) -> RunSpec:
    """Return a run beside others, whose pod waits for its tests."""
    return spec.model_copy(update={"suffix": "-r2", "tests": b"tests", "reporter": "x"})


def test_names_beside_other_runs(waiting: RunSpec) -> None:
    """In a namespace that other runs use too, all that is this run's alone has names of its own."""
    documents = job.prepare(waiting, SERVICES).documents
    names = {document["metadata"]["name"] for document in documents if document["kind"] in {"Job", "ConfigMap"}}
    assert names == {"floe-test-runner-r2", "floe-reporter-r2"}
    (found,) = [document for document in documents if document["kind"] == "Job"]
    assert "'floe-reporter-r2'" in str(found)


def test_pod_that_is_ahead(waiting: RunSpec) -> None:
    """A pod that is made ahead knows nothing of its run, has all the time, and can't write where its tests will be."""
    ahead = waiting.model_copy(update={"is_ahead": True, "tests": b""})
    (found,) = [each for each in job.prepare(ahead, SERVICES).documents if each["kind"] == "Job"]
    assert "activeDeadlineSeconds" not in found["spec"]
    assert "tests/integration" not in str(found)
    runner = containers(found)["runner"]
    assert {mount["mountPath"]: mount.get("readOnly", False) for mount in runner["volumeMounts"]}["/app"]


def until_sent(api: ApiServer, then: client.V1PodList) -> Callable[[], client.V1PodList]:
    """Return what answers with the pod as it waits, until it has been sent its tests, and as it is then."""
    waiting = pods(running(job.RUNNER), running(job.KEEPER))
    waiting.items[0].metadata = then.items[0].metadata
    return lambda: then if api.given else waiting


def running(name: str) -> client.V1ContainerStatus:
    """Return the status of a container that runs."""
    return status(name, client.V1ContainerState(running=client.V1ContainerStateRunning()))


def test_order(api: ApiServer, waiting: RunSpec) -> None:
    """The tests are sent, with the command and the variables that the pod doesn't say itself."""
    found = pods(running(job.RUNNER), running(job.KEEPER))
    found.items[0].spec.containers[0].env = [client.V1EnvVar(name="HOME", value="/home/runner")]
    api.objects[PODS] = found
    job.send(api.apis, waiting, Given((), {"HOME": "/elsewhere", "PRICE": "5 €"}, ARGUMENTS))
    assert api.given.startswith(b"tests")
    order = json.loads(api.given.removeprefix(b"tests"))
    assert order["environment"] == {"PRICE": "5 €"}
    assert order["command"][-5:] == ["60", "pytest", "tests/integration", "-k", "a b"]


def gone() -> client.V1PodList:
    """Return a pod that is being deleted."""
    found = pods(running(job.RUNNER), running(job.KEEPER))
    found.items[0].metadata.deletion_timestamp = datetime(2026, 1, 1, tzinfo=UTC)
    return found


@pytest.mark.parametrize(
    "left",
    [client.V1PodList(items=[]), gone(), pods(state(job.RUNNER, 143), running(job.KEEPER))],
    ids=["none", "deleted", "ended"],
)
def test_pod_that_does_not_wait_any_more(api: ApiServer, waiting: RunSpec, left: client.V1PodList) -> None:
    """A pod that was made ahead, and is gone when its tests come, is made anew."""
    api.objects[PODS] = left
    with pytest.raises(job.NotStarted, match="the pod that waited for tests is gone"):
        job.send(api.apis, waiting.model_copy(update={"is_ahead": True}), Given())


@pytest.mark.usefixtures("clock")
def test_order_that_is_sent_again(api: ApiServer, waiting: RunSpec) -> None:
    """An API that is away for a moment, when the tests are to be sent, ends nothing: they are sent once it is back."""
    api.objects[PODS] = pods(running(job.RUNNER), running(job.KEEPER))
    answers = iter([HTTPStatus.SERVICE_UNAVAILABLE])
    api.objects[f"{PODS}/floe-test-runner-x/exec"] = lambda: next(answers, None)
    job.send(api.apis, waiting, Given())
    assert len(api.commands) == 2
    assert api.given.startswith(b"tests")


def test_order_that_is_not_taken(api: ApiServer, waiting: RunSpec) -> None:
    """Where the tests don't come through, nothing of them has run, and the pod is made anew."""
    api.objects[PODS] = pods(running(job.RUNNER), running(job.KEEPER))
    causes = [{"reason": "ExitCode", "message": "2"}]
    failed = json.dumps({"status": "Failure", "details": {"causes": causes}}).encode()
    api.run = lambda _: [(2, b"tar: no space"), (3, failed)]
    with pytest.raises(
        job.NotStarted, match="could not be sent to their pod: it ended with exit code 2: tar: no space"
    ):
        job.send(api.apis, waiting, Given())


def test_reporter(spec: RunSpec) -> None:
    """The reporter comes in a ConfigMap of the run's, which only the tests have."""
    first, *_ = job.prepare(spec.model_copy(update={"reporter": "print(1)\n"}), SERVICES).documents
    assert (first["kind"], first["data"]) == ("ConfigMap", {"floe_ci_reporter.py": "print(1)\n"})
    found = reporting(spec)
    assert {"name": "floe-reporter", "configMap": {"name": first["metadata"]["name"]}} in found[""]["volumes"]
    mount = {"name": "floe-reporter", "mountPath": "/floe-reporter", "readOnly": True}
    assert mount in found["runner"]["volumeMounts"]
    assert mount not in found["results"]["volumeMounts"]


def test_no_reporter(spec: RunSpec, prepared: dict[str, Any]) -> None:
    """Without a reporter, nothing of it is in the manifests."""
    assert "reporter" not in str(job.prepare(spec, SERVICES).documents)
    assert "/app" not in str(containers(prepared)["runner"]["volumeMounts"]), "the image has the tests"


@pytest.mark.parametrize("path", [None, "/app/lib:/app/more lib"])
def test_command_that_reports(spec: RunSpec, tmp_path: Path, path: str | None) -> None:
    """The tests find the reporter before what the tier's environment names, and their arguments stay as they are."""
    runner = reporting(spec)["runner"]
    command = job.command_of(spec.model_copy(update={"reporter": "print(1)\n"}), ARGUMENTS)
    there = tmp_path / "timeout"
    there.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    there.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"} | ({"PYTHONPATH": path} if path else {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    first, *rest = done.stdout.splitlines()
    assert first == (f"/floe-reporter:{path}" if path else "/floe-reporter")
    assert rest == ["--kill-after=30", "60", "pytest", "tests/integration", "-k", "a b"]
    assert {"name": "FLOE_CI_EVENTS", "value": "/results/.floe-events.jsonl"} in runner["env"]


@pytest.fixture
def keeper(spec: RunSpec, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a keeper that runs on this machine, with a results folder of the test's."""
    command = [each.replace("/results", str(tmp_path)) for each in reporting(spec)["results"]["command"]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as running:
        yield running
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


def told(keeper: subprocess.Popen[str], count: int) -> list[str]:
    """Return the next lines of a keeper."""
    assert keeper.stdout
    return [keeper.stdout.readline().rstrip() for _ in range(count)]


def test_keeper_tells_what_is_reported(keeper: subprocess.Popen[str], tmp_path: Path) -> None:
    """The keeper tells each line that the reporter writes, from the first on, also where it comes late."""
    events = tmp_path / ".floe-events.jsonl"
    events.write_text("one\ntwo\n")
    assert told(keeper, 2) == ["one", "two"]
    with events.open("a") as more:
        more.write("three\n")
    assert told(keeper, 1) == ["three"]


def test_keeper_ends_when_the_results_are_out(keeper: subprocess.Popen[str], tmp_path: Path) -> None:
    """The keeper ends well when the results have been collected, and leaves no process."""
    (tmp_path / ".floe-events.jsonl").write_text("one\n")
    assert told(keeper, 1) == ["one"]
    (tmp_path / ".collected").touch()
    assert keeper.wait(timeout=30) == 0
    assert told(keeper, 1) == [""]


def test_keeper_that_is_told_to_end(keeper: subprocess.Popen[str], tmp_path: Path) -> None:
    """The keeper of a pod that is deleted ends, and leaves no process."""
    (tmp_path / ".floe-events.jsonl").write_text("one\n")
    assert told(keeper, 1) == ["one"]
    keeper.terminate()
    assert keeper.wait(timeout=30) == 0
    assert told(keeper, 1) == [""]


@pytest.mark.parametrize("exit_code", [0, 1, 5, 124])
def test_end(api: ApiServer, spec: RunSpec, exit_code: int) -> None:
    """The wait ends with the test process, while the pod lives on."""
    api.objects[PODS] = pods(state("results", None), state("runner", exit_code))
    found = job.wait_for_end(api.apis, spec, order.Ends())
    assert job.end_of(found, spec, (), 1).exit_code == exit_code


@pytest.mark.usefixtures("clock")
def test_cluster_that_answers_no_more(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A cluster that stops answering while tests run ends the wait for them long before their time is over."""
    answers = iter([pods(state("results", None), state("runner", None))])
    api.objects[PODS] = lambda: next(answers, HTTPStatus.SERVICE_UNAVAILABLE)
    began = job.time.monotonic()
    with pytest.raises(RunError) as raised:
        job.wait_for_end(api.apis, run_spec(timeouts=Timeouts(job=3600, services=1)), order.Ends())
    assert raised.value.kind == "infrastructure"
    assert job.time.monotonic() - began < poll.PATIENCE + 10


def test_success_that_the_pod_tells(api: ApiServer, spec: RunSpec) -> None:
    """Tests that told of their success are not waited for until their node has noticed; those that did not are."""
    ends, running = order.Ends(), pods(state("results", None), state("runner", None))
    looks = iter(range(3))

    def look() -> client.V1PodList:
        if next(looks) == 1:
            assert ends.take(running.items[0].metadata.name, order.SUCCEEDED)
        return running

    api.objects[PODS] = look
    found = job.wait_for_end(api.apis, spec, ends)
    assert job.end_of(found, spec, (), 1) == job.TestsEnd(0)
    assert len(list(looks)) == 1


def test_what_tests_told_last(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """Tests that have ended, as their node says, are waited for until all is here that they told."""
    ends, ended = order.Ends(), pods(state("results", None), state("runner", 1))
    looks = iter(range(3))

    def look() -> client.V1PodList:
        if next(looks) == 1:
            assert ends.take(ended.items[0].metadata.name, order.ENDED)
        return ended

    api.objects[PODS] = look
    assert job.wait_for_end(api.apis, run_spec(reporter="print(1)\n"), ends).exit_code == 1
    assert len(list(looks)) == 1


def test_tests_that_can_tell_no_more(
    api: ApiServer, run_spec: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner that was killed before it told of the end is not waited for without end."""
    monkeypatch.setattr(order, "HEARD", 0.1)
    api.objects[PODS] = pods(state("results", None), state("runner", 3))
    assert job.wait_for_end(api.apis, run_spec(reporter="print(1)\n"), order.Ends()).exit_code == 3


def test_end_of_the_other_container(api: ApiServer, spec: RunSpec) -> None:
    """The code of the container that keeps the pod is not taken for the tests'."""
    api.objects[PODS] = pods(state("results", 3), state("runner", 0))
    assert job.end_of(job.wait_for_end(api.apis, spec, order.Ends()), spec, (), 1).exit_code == 0


def test_results_can_not_be_had_yet(api: ApiServer, spec: RunSpec) -> None:
    """Tests that are over before the container with their results has started are waited for."""
    starting = status("results", client.V1ContainerState(waiting=client.V1ContainerStateWaiting()))
    over = state("runner", 0)
    answers = iter([pods(over, starting), pods(over, starting), pods(over, state("results", None))])
    api.objects[PODS] = lambda: next(answers)
    job.wait_for_end(api.apis, spec, order.Ends())
    assert next(answers, None) is None


def test_evicted(api: ApiServer, spec: RunSpec) -> None:
    """A pod that is evicted ends the wait with the node's message; for memory, that is whose affair it is."""
    api.objects[PODS] = pods(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    with pytest.raises(OutOfMemory, match="was evicted: The node was low on resource: memory"):
        job.wait_for_end(api.apis, spec, order.Ends())
    api.objects[PODS] = pods(phase="Failed", reason="Evicted", message="The node was low on resource: disk.")
    with pytest.raises(RunError, match="was evicted") as raised:
        job.wait_for_end(api.apis, spec, order.Ends())
    assert raised.value.kind == "infrastructure"


def test_failed_without_containers(api: ApiServer, spec: RunSpec) -> None:
    """A pod that failed before its containers began ends the wait."""
    api.objects[PODS] = pods(phase="Failed", reason="UnexpectedAdmissionError")
    with pytest.raises(RunError, match="floe-test-runner-x: Failed"):
        job.wait_for_end(api.apis, spec, order.Ends())


def test_deadline_of_the_pod(api: ApiServer, spec: RunSpec) -> None:
    """A pod that ran into its deadline took too long."""
    api.objects[PODS] = pods(phase="Failed", reason="DeadlineExceeded", message="Pod was active too long")
    with pytest.raises(TimedOut, match="Pod was active too long") as raised:
        job.wait_for_end(api.apis, spec, order.Ends())
    assert raised.value.kind == "timeout"


@pytest.mark.parametrize(("reason", "kind"), [("DeadlineExceeded", TimedOut), ("BackoffLimitExceeded", RunError)])
def test_pod_that_is_deleted(api: ApiServer, spec: RunSpec, reason: str, kind: type[RunError]) -> None:
    """A pod that was there and is gone ends the wait, with what its Job says and how it was seen last."""
    answers = iter([pods(state("runner", None))])
    api.objects[PODS] = lambda: next(answers, client.V1PodList(items=[]))
    failed = client.V1JobCondition(type="Failed", status="True", reason=reason, message="so it was")
    api.objects["/apis/batch/v1/namespaces/ns/jobs/floe-test-runner/status"] = client.V1Job(
        status=client.V1JobStatus(conditions=[failed])
    )
    with pytest.raises(
        RunError, match=r"pod is gone \(so it was\); it was last seen as floe-test-runner-x: Running"
    ) as raised:
        job.wait_for_end(api.apis, spec, order.Ends())
    assert type(raised.value) is kind


@pytest.mark.parametrize("code", [143, 137])
def test_pod_that_is_being_deleted(api: ApiServer, spec: RunSpec, code: int) -> None:
    """Tests that a signal ended because somebody deletes their pod are blamed on that, and not on themselves."""
    going = pods(state("runner", code))
    going.items[0].metadata.deletion_timestamp = datetime(2026, 1, 1, tzinfo=UTC)
    api.objects[PODS] = going
    path = "/apis/batch/v1/namespaces/ns/jobs/floe-test-runner/status"
    api.objects[path] = client.V1Job(status=client.V1JobStatus())
    with pytest.raises(RunError, match=r"^the Job's pod was deleted; it was last seen as floe-test-runner-x"):
        job.wait_for_end(api.apis, spec, order.Ends())
    late = client.V1JobCondition(type="FailureTarget", status="True", reason=job.DEADLINE, message="too long")
    api.objects[path] = client.V1Job(status=client.V1JobStatus(conditions=[late]))
    assert job.wait_for_end(api.apis, spec, order.Ends()).exit_code == code


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("code", [143, 137])
def test_pod_that_is_evicted(api: ApiServer, spec: RunSpec, code: int) -> None:
    """Tests that a signal ended because their node evicts the pod are blamed on that, though the pod says it later."""
    going, out = (pods(state("runner", code), running(job.KEEPER)) for _ in range(2))
    out.items[0].status.phase, out.items[0].status.reason = "Failed", "Evicted"
    out.items[0].status.message = "the node was low on resource: ephemeral-storage"
    answers = iter([going, going, out])
    api.objects[PODS] = lambda: next(answers, out)
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    with pytest.raises(RunError, match=r"^pod floe-test-runner-x was evicted: the node was low on") as raised:
        job.wait_for_end(api.apis, spec, order.Ends())
    assert raised.value.kind == "infrastructure"


@pytest.mark.usefixtures("clock")
def test_signal_that_nobody_tells_of(api: ApiServer, spec: RunSpec) -> None:
    """Tests that a signal ended for a reason of their own have their exit code, when no more is said of their pod."""
    api.objects[PODS] = pods(state("runner", 143), running(job.KEEPER))
    assert job.wait_for_end(api.apis, spec, order.Ends()).exit_code == 143


def test_no_pod(api: ApiServer, spec: RunSpec) -> None:
    """A Job that gets no pod is waited for no longer than it may take; that is not the tests' affair."""
    api.objects[PODS] = client.V1PodList(items=[])
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    brief = spec.model_copy(update={"timeouts": Timeouts.model_construct(job=0, services=0)})
    with pytest.raises(RunError, match=r"^tests: not there after 0 s; last seen: the Job has no pod yet$") as raised:
        job.wait_for_end(api.apis, brief, order.Ends())
    assert raised.value.kind == "infrastructure"


def test_no_pod_for_a_quota(api: ApiServer, spec: RunSpec) -> None:
    """Where the cluster makes no pod of the Job, what it says of that stands in the message."""
    api.objects[PODS] = client.V1PodList(items=[])
    about = client.V1ObjectReference(kind="Job", name=job.name_of(spec))
    said = client.CoreV1Event(
        metadata=client.V1ObjectMeta(name="a"), involved_object=about, type="Warning", reason="FailedCreate",
        message="exceeded quota: few", last_timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[said])
    brief = spec.model_copy(update={"timeouts": Timeouts.model_construct(job=0, services=0)})
    with pytest.raises(RunError, match=r"the Job has no pod yet \(FailedCreate: exceeded quota: few\)"):
        job.wait_for_end(api.apis, brief, order.Ends())


def test_tests_that_do_not_end(api: ApiServer, spec: RunSpec) -> None:
    """Tests that outlive all deadlines took too long."""
    api.objects[PODS] = pods(state("runner", None))
    brief = spec.model_copy(update={"timeouts": Timeouts.model_construct(job=0, services=0)})
    with pytest.raises(TimedOut):
        job.wait_for_end(api.apis, brief, order.Ends())


@pytest.mark.usefixtures("clock")
def test_lost_node(api: ApiServer, spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod whose node is lost is given up, and the message says what became of the node."""
    monkeypatch.setattr("floe_ci.driver.nodes.LOST", 0)
    api.objects[PODS] = pods(state("runner", None), conditions=[client.V1PodCondition(type="Ready", status="False")])
    condition = client.V1NodeCondition(type="Ready", status="Unknown", message="Kubelet stopped posting node status.")
    node = client.V1Node(
        metadata=client.V1ObjectMeta(name="worker"), status=client.V1NodeStatus(conditions=[condition])
    )
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node])
    with pytest.raises(RunError, match="was lost with its node: node worker is not Ready: Kubelet stopped posting"):
        job.wait_for_end(api.apis, spec, order.Ends())


def test_stop(api: ApiServer, spec: RunSpec) -> None:
    """A run that is told to stop waits for no test."""
    stop = threading.Event()
    api.objects[PODS] = lambda: stop.set() or pods(state("runner", None))
    with pytest.raises(Stopped):
        job.wait_for_end(api.apis, spec, order.Ends(), stop)


def ended(code: int, reason: str = "Error") -> job.TestsPod:
    """Return the tests' pod after their process has ended."""
    end = client.V1ContainerStateTerminated(exit_code=code, reason=reason)
    return job.TestsPod(pods(status("runner", client.V1ContainerState(terminated=end))).items[0], code)


def service(reason: str) -> client.V1Pod:
    """Return the pod of a service that ended once, and runs again."""
    again = status("web", client.V1ContainerState(running=client.V1ContainerStateRunning()))
    again.last_state = client.V1ContainerState(
        terminated=client.V1ContainerStateTerminated(exit_code=137, reason=reason)
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name="web-0"), status=client.V1PodStatus(container_statuses=[again])
    )


@pytest.mark.parametrize(
    ("tests", "others", "took", "kind"),
    [
        (ended(1), [], 1, None),
        (ended(0), [service("Error")], 1, None),
        (ended(124), [], 1, "timeout"),
        (ended(137), [], 90, "timeout"),
        (ended(137), [], 1, None),
        (ended(137, "OOMKilled"), [], 1, "memory"),
        (ended(1, "OOMKilled"), [], 1, "memory"),
        (ended(1), [service("OOMKilled")], 1, "memory"),
        (ended(1), [service("Error")], 1, None),
    ],
)
def test_what_ended_the_tests(
    spec: RunSpec, tests: job.TestsPod, others: list[client.V1Pod], took: float, kind: str | None
) -> None:
    """Time and memory are told from the tests' own verdict, of the tests and of services beside tests that failed."""
    found = job.end_of(tests, spec, others, took).problem
    assert (found and found.kind) == kind


def test_memory_of_a_service_beside_tests_that_passed(spec: RunSpec) -> None:
    """Tests that passed all the same have passed, and it is noted."""
    end = job.end_of(ended(0), spec, [service("OOMKilled")], 1)
    assert end.problem is None
    assert end.notes == ("pod web-0, container web: OOMKilled: the node had no more memory for it",)


def test_results_of_a_pod_that_is_gone(api: ApiServer, spec: RunSpec, tmp_path: Path) -> None:
    """Results can't be fetched from a pod that is gone, and the message says so."""
    api.objects[PODS] = client.V1PodList(items=[])
    with pytest.raises(RunError, match="the Job's pod is gone"):
        job.fetch_results(api.apis, spec, tmp_path)


def packed(command: list[str]) -> Iterator[tuple[int, bytes]]:
    """Answer `tar` with an archive of one file, and anything else with its end."""
    if command[0] == "tar":
        into = io.BytesIO()
        with tarfile.open(fileobj=into, mode="w") as archive:
            member = tarfile.TarInfo("./junit.xml")
            member.size = 13
            archive.addfile(member, io.BytesIO(b"<testsuites/>"))
        yield 1, into.getvalue()
    yield SUCCESS


def test_results(api: ApiServer, spec: RunSpec, tmp_path: Path) -> None:
    """The pod's files are in the folder, but for the run's own, and the pod is told that it may end."""
    api.objects[PODS] = pods(state("runner", 0))
    api.run = packed
    assert job.fetch_results(api.apis, spec, tmp_path) == ()
    assert (tmp_path / "junit.xml").read_text() == "<testsuites/>"
    own = tuple(f"--exclude=./{name}" for name in (".collected", ".floe-events.jsonl", ".floe-handed.jsonl"))
    assert api.commands == [["tar", "--create", "--directory", "/results", *own, "."], ["touch", "/results/.collected"]]


def test_pod_that_can_not_be_told(api: ApiServer, spec: RunSpec, tmp_path: Path) -> None:
    """Results that are there stay, where the pod can't be told to end; that is only noted."""
    api.objects[PODS] = pods(state("runner", 0))
    api.run = lambda command: (
        packed(command) if command[0] == "tar" else [(3, b'{"status": "Failure", "message": "no"}')]
    )
    (note,) = job.fetch_results(api.apis, spec, tmp_path)
    assert note == "the pod with the results could not be told to end: the cluster could not run the command: no"
    assert (tmp_path / "junit.xml").exists()


def test_end_of_a_pod_that_can_not_start(api: ApiServer, spec: RunSpec) -> None:
    """A runner that can't start ends the wait with what Kubernetes warns of, and what to type next."""
    waiting = client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="ImagePullBackOff"))
    api.objects[PODS] = pods(status("runner", waiting))
    about = client.V1ObjectReference(kind="Pod", name="floe-test-runner-x")
    warning = client.CoreV1Event(
        metadata=client.V1ObjectMeta(name="e"),
        involved_object=about,
        type="Warning",
        reason="Failed",
        message="manifest unknown",
        last_timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[warning])
    with pytest.raises(RunError) as raised:
        job.wait_for_end(api.apis, spec, order.Ends())
    assert str(raised.value).splitlines() == [
        "pod floe-test-runner-x, container runner: ImagePullBackOff",
        "floe-test-runner-x, last warning: Failed: manifest unknown",
        "look further with `kubectl --namespace ns describe pod floe-test-runner-x`, where --keep has left the cluster",
    ]


@pytest.mark.parametrize("container", [job.RUNNER, job.KEEPER])
def test_container_that_a_node_could_not_start(api: ApiServer, spec: RunSpec, container: str) -> None:
    """A container that its node's runtime failed to start ends the wait at once, and may be tried again."""
    ended = client.V1ContainerStateTerminated(exit_code=128, reason="StartError", message="unable\nto freeze")
    found = pods(state(job.RUNNER, None), state(job.KEEPER, None))
    for each in found.items[0].status.container_statuses:
        if each.name == container:
            each.state = client.V1ContainerState(terminated=ended)
    api.objects[PODS] = found
    with pytest.raises(job.NotStarted, match="could not start the tests' pod: unable to freeze"):
        job.wait_for_end(api.apis, spec, order.Ends())
