"""The runner's Job: what a run changes in its manifest, and how it is waited for."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver import job
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

RUNNER = Path(__file__).resolve().parents[3] / "k8s" / "runner"
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


@pytest.fixture
def spec(run_spec: Callable[..., RunSpec]) -> RunSpec:
    """Return the specification of a run with tests."""
    return run_spec(
        runner=MANIFESTS,
        runner_image="floe.local/runner:abc",
        pytest_args=("tests/integration", "-k", "a b"),
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


def status(name: str, state: client.V1ContainerState) -> client.V1ContainerStatus:
    """Return the status of a container that is ready for as long as it runs."""
    return client.V1ContainerStatus(
        name=name,
        image="runner",
        image_id="",
        ready=state.running is not None,
        restart_count=0,
        state=state,
        last_state=client.V1ContainerState(),
    )


def state(name: str, exit_code: int | None, reason: str = "Error") -> client.V1ContainerStatus:
    """Return the status of a container that runs, or has ended with a code."""
    if exit_code is None:
        return status(name, client.V1ContainerState(running=client.V1ContainerStateRunning()))
    ended = client.V1ContainerStateTerminated(exit_code=exit_code, reason=reason)
    return status(name, client.V1ContainerState(terminated=ended))


def pods(*statuses: client.V1ContainerStatus, phase: str = "Running", **status: object) -> client.V1PodList:
    """Return the Job's one pod, as a list."""
    found = client.V1Pod(
        metadata=client.V1ObjectMeta(name="floe-test-runner-x"),
        status=client.V1PodStatus(phase=phase, container_statuses=list(statuses) or None, **status),
    )
    return client.V1PodList(items=[found])


def test_image(prepared: dict[str, Any]) -> None:
    """Both containers run the image that the run built."""
    assert {each["image"] for each in containers(prepared).values()} == {"floe.local/runner:abc"}


def test_arguments(prepared: dict[str, Any]) -> None:
    """The arguments for pytest reach it as they are."""
    assert containers(prepared)["runner"]["args"] == ["tests/integration", "-k", "a b"]


def test_process_ends_itself(prepared: dict[str, Any]) -> None:
    """The test process is ended when its time is over."""
    command = containers(prepared)["runner"]["command"]
    assert command == ["timeout", "--kill-after=30", "60", "pytest"]


def test_job_outlives_the_process(prepared: dict[str, Any]) -> None:
    """The Job's own deadline leaves time to collect after the process was ended."""
    assert prepared["spec"]["activeDeadlineSeconds"] >= 60 + 30 + 60


def test_environment(prepared: dict[str, Any]) -> None:
    """The test process has the services' addresses, the passwords, and what the configuration asks for."""
    assert containers(prepared)["runner"]["envFrom"] == [
        {"configMapRef": {"name": "web-connection"}},
        {"secretRef": {"name": "floe-credentials"}},
        {"secretRef": {"name": "floe-environment"}},
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


@pytest.mark.parametrize("exit_code", [0, 1, 5, 124])
def test_end(api: ApiServer, spec: RunSpec, exit_code: int) -> None:
    """The wait ends with the code of the test process, while the pod lives on."""
    api.objects[PODS] = pods(state("results", None), state("runner", exit_code))
    assert job.wait_for_end(api.apis, spec) == exit_code


def test_end_of_the_other_container(api: ApiServer, spec: RunSpec) -> None:
    """The code of the container that keeps the pod is not taken for the tests'."""
    api.objects[PODS] = pods(state("results", 3), state("runner", 0))
    assert job.wait_for_end(api.apis, spec) == 0


def test_results_can_not_be_had_yet(api: ApiServer, spec: RunSpec) -> None:
    """Tests that are over before the container with their results has started are waited for."""
    starting = status("results", client.V1ContainerState(waiting=client.V1ContainerStateWaiting()))
    over = state("runner", 0)
    answers = iter([pods(over, starting), pods(over, starting), pods(over, state("results", None))])
    api.objects[PODS] = lambda: next(answers)
    assert job.wait_for_end(api.apis, spec) == 0
    assert next(answers, None) is None


def test_evicted(api: ApiServer, spec: RunSpec) -> None:
    """A pod that is evicted ends the wait with the node's message."""
    api.objects[PODS] = pods(phase="Failed", reason="Evicted", message="low on memory")
    with pytest.raises(RunError, match="was evicted: low on memory"):
        job.wait_for_end(api.apis, spec)


def test_failed_without_containers(api: ApiServer, spec: RunSpec) -> None:
    """A pod that failed before its containers began ends the wait."""
    api.objects[PODS] = pods(phase="Failed", reason="UnexpectedAdmissionError")
    with pytest.raises(RunError, match="floe-test-runner-x: Failed"):
        job.wait_for_end(api.apis, spec)


def test_no_pod(api: ApiServer, spec: RunSpec) -> None:
    """A Job that gets no pod is waited for no longer than tests and services may take."""
    api.objects[PODS] = client.V1PodList(items=[])
    brief = spec.model_copy(update={"timeouts": Timeouts.model_construct(job=0, services=0)})
    with pytest.raises(RunError, match=r"^tests: not there after 0 s; last seen: the Job has no pod yet$"):
        job.wait_for_end(api.apis, brief)


def test_results_of_a_pod_that_is_gone(api: ApiServer, spec: RunSpec, tmp_path: Path) -> None:
    """Results can't be fetched from a pod that is gone, and the message says so."""
    api.objects[PODS] = client.V1PodList(items=[])
    with pytest.raises(RunError, match="the Job's pod is gone"):
        job.fetch_results(api.apis, spec, tmp_path)


def test_results(
    api: ApiServer,
    spec: RunSpec,
    stand_in: Callable[[str], None],
    calls: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    """The pod's files are in the folder, and the pod is told that it may end."""
    api.objects[PODS] = pods(state("runner", 0))
    inside, target = tmp_path / "inside", tmp_path / "results"
    inside.mkdir()
    target.mkdir()
    (inside / "junit.xml").write_text("<testsuites/>")
    stand_in(f'case "$*" in *tar*) exec tar --create --directory {inside} . ;; esac')

    job.fetch_results(api.apis, spec, target)

    assert (target / "junit.xml").read_text() == "<testsuites/>"
    prefix = "exec --namespace ns floe-test-runner-x --container results -- "
    assert calls() == [f"{prefix}tar --create --directory /results .", f"{prefix}touch /results/.collected"]


def test_unpacking_leaves_out_what_leaves_the_folder(tmp_path: Path) -> None:
    """Of an archive with a link and a climbing name, the plain files inside the folder are kept."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("logs/plain.txt", "../climbs.txt"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"ok"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    target = tmp_path / "results"
    target.mkdir()
    job.unpack(packed.getvalue(), target)
    kept = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert kept == ["results/logs/plain.txt"]


@pytest.mark.parametrize("length", [0, 300, 512 + 1000])
def test_results_that_are_cut_off(tmp_path: Path, length: int) -> None:
    """An archive that ends too early is a problem of the run, not a traceback."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("junit.xml")
        member.size = 4000
        archive.addfile(member, io.BytesIO(b"x" * 4000))
    with pytest.raises(RunError, match=f"did not come whole: .*, after {length} bytes"):
        job.unpack(packed.getvalue()[:length], tmp_path)


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
        job.wait_for_end(api.apis, spec)
    assert str(raised.value).splitlines() == [
        "pod floe-test-runner-x, container runner: ImagePullBackOff",
        "floe-test-runner-x, last warning: Failed: manifest unknown",
        "look further with `kubectl --namespace ns describe pod floe-test-runner-x`, where --keep has left the cluster",
    ]
