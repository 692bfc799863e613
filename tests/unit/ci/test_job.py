"""The runner's Job: what a run changes in its manifest, and how it is waited for."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver import job
from floe_ci.driver.spec import RunSpec
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.unit

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
SPEC = RunSpec(
    run_id="abc",
    tier="integration",
    namespace="ns",
    nodes=1,
    services="",
    runner="\n---\n".join((RUNNER / name).read_text() for name in ("access.yaml", "job.yaml")),
    runner_image="floe.local/runner:abc",
    pytest_args=("tests/integration", "-k", "a b"),
    timeouts=Timeouts(job=60, services=1),
)
PODS = "/api/v1/namespaces/ns/pods"


@pytest.fixture
def prepared() -> dict[str, Any]:
    """Return the Job of a run."""
    documents = job.prepare(SPEC, SERVICES).documents
    (found,) = [document for document in documents if document["kind"] == "Job"]
    return found


def containers(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the Job's containers by name."""
    return {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}


def state(name: str, exit_code: int | None, reason: str = "Error") -> client.V1ContainerStatus:
    """Return the status of a container that runs, or has ended with a code."""
    ended = exit_code is not None
    return client.V1ContainerStatus(
        name=name,
        image="runner",
        image_id="",
        ready=not ended,
        restart_count=0,
        state=client.V1ContainerState(
            running=None if ended else client.V1ContainerStateRunning(),
            terminated=(client.V1ContainerStateTerminated(exit_code=exit_code, reason=reason) if ended else None),
        ),
        last_state=client.V1ContainerState(),
    )


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


def test_rest_of_the_manifests() -> None:
    """What stands beside the Job is left as it is, but for bindings, which name the run's namespace."""
    others = [each for each in job.prepare(SPEC, SERVICES).documents if each["kind"] != "Job"]
    given = [each for each in Manifests.parse(SPEC.runner, "given").documents if each["kind"] != "Job"]
    subjects = [subject for each in others for subject in each.get("subjects", ())]
    assert {subject["namespace"] for subject in subjects} == {SPEC.namespace}
    assert [{**each, "subjects": ()} for each in others] == [{**each, "subjects": ()} for each in given]


@pytest.mark.parametrize("exit_code", [0, 1, 5, 124])
def test_end(api: ApiServer, exit_code: int) -> None:
    """The wait ends with the code of the test process, while the pod lives on."""
    api.objects[PODS] = pods(state("results", None), state("runner", exit_code))
    assert job.wait_for_end(api.apis, SPEC) == exit_code


def test_end_of_the_other_container(api: ApiServer) -> None:
    """The code of the container that keeps the pod is not taken for the tests'."""
    api.objects[PODS] = pods(state("results", 3), state("runner", 0))
    assert job.wait_for_end(api.apis, SPEC) == 0


def test_evicted(api: ApiServer) -> None:
    """A pod that is evicted ends the wait with the node's message."""
    api.objects[PODS] = pods(phase="Failed", reason="Evicted", message="low on memory")
    with pytest.raises(RunError, match="was evicted: low on memory"):
        job.wait_for_end(api.apis, SPEC)


def test_failed_without_containers(api: ApiServer) -> None:
    """A pod that failed before its containers began ends the wait."""
    api.objects[PODS] = pods(phase="Failed", reason="UnexpectedAdmissionError")
    with pytest.raises(RunError, match="floe-test-runner-x: Failed"):
        job.wait_for_end(api.apis, SPEC)


def test_no_pod(api: ApiServer) -> None:
    """A Job that gets no pod is waited for no longer than tests and services may take."""
    api.objects[PODS] = client.V1PodList(items=[])
    brief = SPEC.model_copy(update={"timeouts": Timeouts.model_construct(job=0, services=0)})
    with pytest.raises(RunError, match=r"^tests: not there after 0 s; last seen: the Job has no pod yet$"):
        job.wait_for_end(api.apis, brief)


def test_results_of_a_pod_that_is_gone(api: ApiServer, tmp_path: Path) -> None:
    """Results can't be fetched from a pod that is gone, and the message says so."""
    api.objects[PODS] = client.V1PodList(items=[])
    with pytest.raises(RunError, match="the Job's pod is gone"):
        job.fetch_results(api.apis, SPEC, tmp_path)


def test_results(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod's files are in the folder, and the pod is told that it may end."""
    api.objects[PODS] = pods(state("runner", 0))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "junit.xml").write_text("<testsuites/>")
    script = tmp_path / "kubectl"
    script.write_text(f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
case "$*" in *tar*) exec tar --create --directory {inside} . ;; esac
""")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    target = tmp_path / "results"
    target.mkdir()

    job.fetch_results(api.apis, SPEC, target)

    assert (target / "junit.xml").read_text() == "<testsuites/>"
    fetched, released = (tmp_path / "calls").read_text().splitlines()
    prefix = "exec --namespace ns floe-test-runner-x --container results -- "
    assert fetched == f"{prefix}tar --create --directory /results ."
    assert released == f"{prefix}touch /results/.collected"


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
