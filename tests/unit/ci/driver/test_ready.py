"""The wait until the services are ready: rolled out, reachable, and their Jobs done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver import ready
from floe_ci.errors import LastingError, RunError
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.usefixtures("clock")

SERVICES = Manifests.parse(
    """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: example.com}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
""",
    "test",
)
PODS = "/api/v1/namespaces/ns/pods"
WEB = "/apis/apps/v1/namespaces/ns/deployments/web/status"
MIGRATE = "/apis/batch/v1/namespaces/ns/jobs/migrate/status"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices"


def rolled_out(kind: str, generation: int = 1, **status: int | None) -> object:
    """Return a workload that wants two pods."""
    selector = client.V1LabelSelector(match_labels={"a": "b"})
    template = client.V1PodTemplateSpec(spec=client.V1PodSpec(containers=[client.V1Container(name="web")]))
    metadata = client.V1ObjectMeta(name="web", generation=2)
    if kind == "DaemonSet":
        numbers = {"current_number_scheduled": 0, "number_misscheduled": 0, "number_ready": 0} | status
        return client.V1DaemonSet(
            metadata=metadata,
            spec=client.V1DaemonSetSpec(selector=selector, template=template),
            status=client.V1DaemonSetStatus(observed_generation=generation, desired_number_scheduled=2, **numbers),
        )
    if kind == "StatefulSet":
        return client.V1StatefulSet(
            metadata=metadata,
            spec=client.V1StatefulSetSpec(replicas=2, selector=selector, template=template, service_name="web"),
            status=client.V1StatefulSetStatus(observed_generation=generation, **{"replicas": 2} | status),
        )
    return client.V1Deployment(
        metadata=metadata,
        spec=client.V1DeploymentSpec(replicas=2, selector=selector, template=template),
        status=client.V1DeploymentStatus(observed_generation=generation, **status),
    )


def pod(state: client.V1ContainerState, *, ready: bool = False) -> client.V1Pod:
    """Return a pod of one container."""
    status = client.V1ContainerStatus(
        name="web",
        image="web:1",
        image_id="",
        ready=ready,
        restart_count=0,
        state=state,
        last_state=client.V1ContainerState(),
    )
    condition = client.V1PodCondition(type="Ready", status=str(ready))
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name="web-0"),
        status=client.V1PodStatus(phase="Running", container_statuses=[status], conditions=[condition]),
    )


RUNNING = client.V1ContainerState(running=client.V1ContainerStateRunning())
DONE = {
    "Deployment": {"ready_replicas": 2, "updated_replicas": 2},
    "StatefulSet": {"ready_replicas": 2, "updated_replicas": 2},
    "DaemonSet": {"number_ready": 2, "updated_number_scheduled": 2},
}
KINDS = sorted(DONE)
PATHS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


def state_of(api: ApiServer, kind: str, found: object) -> str | None:
    """Return what a workload lacks, asked from the API."""
    api.objects[f"/apis/apps/v1/namespaces/ns/{PATHS[kind]}/web/status"] = found
    return ready.rollout_state(api.apis, kind, "web", "ns")


@pytest.mark.parametrize("kind", KINDS)
def test_rolled_out(api: ApiServer, kind: str) -> None:
    """A workload whose pods are all new and ready lacks nothing."""
    assert state_of(api, kind, rolled_out(kind, 2, **DONE[kind])) is None


@pytest.mark.parametrize("kind", KINDS)
def test_not_seen_yet(api: ApiServer, kind: str) -> None:
    """Numbers from before the controller saw the newest version don't count."""
    found = rolled_out(kind, 1, **DONE[kind])
    assert state_of(api, kind, found) == "web: not seen by its controller yet"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_started(api: ApiServer, kind: str) -> None:
    """A workload that has only been seen has no pod ready."""
    assert state_of(api, kind, rolled_out(kind, 2)) == "web: 0 of 2 ready"


def test_pods_that_a_quota_forbids(api: ApiServer) -> None:
    """A workload of which the cluster makes no pods is told with the cluster's reason."""
    found = rolled_out("Deployment", 2)
    said = "pods is forbidden: exceeded quota: few"
    refusal = client.V1DeploymentCondition(type="ReplicaFailure", status="True", message=said)
    over = client.V1DeploymentCondition(type="ReplicaFailure", status="False", message="over")
    found.status.conditions = [over, refusal]
    assert state_of(api, "Deployment", found) == f"web: 0 of 2 ready ({said})"


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_ready(api: ApiServer, kind: str) -> None:
    """A workload waits for all of its pods."""
    ready, updated = DONE[kind]
    found = rolled_out(kind, 2, **{ready: 1, updated: 2})
    assert state_of(api, kind, found) == "web: 1 of 2 ready"


@pytest.mark.parametrize("kind", KINDS)
def test_old_version_is_ready(api: ApiServer, kind: str) -> None:
    """Pods of the version before don't make a workload ready, and the message says that it is they."""
    ready, updated = DONE[kind]
    found = rolled_out(kind, 2, **{ready: 2, updated: 1})
    assert state_of(api, kind, found) == "web: 1 of 2 are of the newest version"


def test_former_version_answers(api: ApiServer) -> None:
    """A pod of the version before that waits for its successor doesn't make that ready."""
    found = rolled_out("Deployment", 2, ready_replicas=2, updated_replicas=2, replicas=3)
    assert state_of(api, "Deployment", found) == "web: 1 of the version before are still there"


def finished(condition: str = "", message: str = "") -> client.V1Job:
    """Return a Job with a condition that is met, or with none."""
    met = [client.V1JobCondition(type=condition, status="True", message=message)] if condition else None
    template = client.V1PodTemplateSpec()
    return client.V1Job(
        spec=client.V1JobSpec(template=template, completions=1), status=client.V1JobStatus(conditions=met)
    )


def behind(readiness: Iterable[bool | None]) -> client.V1EndpointSliceList:
    """Return the slices of a Service with an endpoint for each of these words on its readiness."""
    endpoints = [
        client.V1Endpoint(addresses=["10.0.0.1"], conditions=client.V1EndpointConditions(ready=ready))
        for ready in readiness
    ]
    return client.V1EndpointSliceList(items=[client.V1EndpointSlice(address_type="IPv4", endpoints=endpoints)])


@pytest.fixture
def well(api: ApiServer) -> ApiServer:
    """Return an API where everything is ready."""
    api.objects[PODS] = client.V1PodList(items=[pod(RUNNING, ready=True)])
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    api.objects[WEB] = rolled_out("Deployment", 2, **DONE["Deployment"])
    api.objects[MIGRATE] = finished("Complete")
    api.objects[SLICES] = behind([False, True])
    return api


def waited(api: ApiServer, spec: RunSpec) -> str:
    """Return the message of a wait that fails."""
    return waited_for(api, spec, SERVICES)


def waited_for(api: ApiServer, spec: RunSpec, services: Manifests) -> str:
    """Return the message of a wait for some services that fails."""
    with pytest.raises(RunError) as raised:
        ready.wait_for_services(api.apis, spec, services)
    return str(raised.value)


@pytest.mark.requirement("REQ-642.1")
def test_services_ready(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The wait is over when workloads have rolled out, Jobs are complete, and Services have a pod."""
    ready.wait_for_services(well.apis, run_spec(), SERVICES)


@pytest.mark.requirement("REQ-642.1")
def test_service_that_is_not_ready(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A wait that times out says which workload lacks what, what its pods are at and say, and what to type next."""
    well.objects[PODS] = client.V1PodList(items=[pod(RUNNING)])
    well.objects[WEB] = rolled_out("Deployment", 2)
    well.logs["web", False] = [b"2 of 3 tables made\n", b"waiting for the third\n"]
    assert waited(well, run_spec()).splitlines() == [
        "services: not there after 1 s; last seen: web: 0 of 2 ready (web-0: Running, web running, not ready)",
        "web-0, container web, last lines of its log:",
        "    2 of 3 tables made",
        "    waiting for the third",
        "look further with `kubectl --namespace ns describe pod web-0`, where --keep has left the cluster",
    ]


@pytest.mark.requirement("REQ-642.5")
def test_hopeless_service(well: ApiServer, crashing: client.V1Pod, run_spec: Callable[..., RunSpec]) -> None:
    """A pod that can't become ready any more ends the wait at once, with the last lines of the start that died."""
    well.objects[PODS] = client.V1PodList(items=[crashing])
    well.logs["web", True] = [b"no such database\n"]
    with pytest.raises(LastingError) as raised:
        ready.wait_for_services(well.apis, run_spec(timeouts=Timeouts(services=3600)), SERVICES)
    assert str(raised.value).startswith(
        "pod web-0, container web: CrashLoopBackOff; it last ended with exit code 1 (Error)\n"
        "web-0, container web, last lines of its log:\n    no such database\n"
    )


def test_pod_that_is_being_deleted(well: ApiServer, crashing: client.V1Pod, run_spec: Callable[..., RunSpec]) -> None:
    """A pod that is on its way out, such as that of a Job that was made anew, ends no wait by what it lacks."""
    crashing.metadata.deletion_timestamp = datetime.now(UTC)
    well.objects[PODS] = client.V1PodList(items=[crashing])
    ready.wait_for_services(well.apis, run_spec(), SERVICES)


def test_slice_that_has_no_endpoint_yet(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A Service whose slice is there before any endpoint is waited for, as one without a slice is."""
    well.objects[SLICES] = {"kind": "EndpointSliceList", "items": [{"addressType": "IPv4", "endpoints": None}]}
    assert waited(well, run_spec()) == "services: not there after 1 s; last seen: Service web: no ready endpoint"


@pytest.mark.parametrize("readiness", [[], [False]], ids=["no pod", "no ready pod"])
def test_service_without_endpoint(
    well: ApiServer, run_spec: Callable[..., RunSpec], readiness: list[bool | None]
) -> None:
    """A Service that selects no ready pod is not ready, though every workload has rolled out."""
    well.objects[SLICES] = behind(readiness)
    assert waited(well, run_spec()) == "services: not there after 1 s; last seen: Service web: no ready endpoint"


def test_endpoint_that_does_not_say(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """An endpoint whose readiness is unknown counts as ready, as the API says that it should."""
    well.objects[SLICES] = behind([None])
    ready.wait_for_services(well.apis, run_spec(), SERVICES)


ALONE = Manifests.parse("{apiVersion: v1, kind: Pod, metadata: {name: web-0}}", "test")


@pytest.mark.parametrize(("phase", "is_ready"), [("Running", True), ("Succeeded", False)])
def test_pod_of_its_own_that_is_up(
    well: ApiServer, run_spec: Callable[..., RunSpec], phase: str, *, is_ready: bool
) -> None:
    """A pod of the manifests that nothing keeps running is waited for until it is ready, or has ended well."""
    found = pod(RUNNING, ready=is_ready)
    found.status.phase = phase
    well.objects[PODS] = client.V1PodList(items=[found])
    ready.wait_for_services(well.apis, run_spec(), ALONE)


def test_pod_of_its_own_that_never_starts(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A pod that is not there, or waits for a volume, ends the wait with its time, and is named."""
    well.objects[PODS] = client.V1PodList(items=[])
    assert waited_for(well, run_spec(), ALONE) == "services: not there after 1 s; last seen: pod web-0: not there"
    unbound = client.V1PodCondition(type="PodScheduled", status="False", message="pod has unbound claims")
    pending = client.V1Pod(
        metadata=client.V1ObjectMeta(name="web-0"), status=client.V1PodStatus(phase="Pending", conditions=[unbound])
    )
    well.objects[PODS] = client.V1PodList(items=[pending])
    told = "services: not there after 1 s; last seen: pod web-0: not ready (web-0: Pending, pod has unbound claims)"
    assert waited_for(well, run_spec(), ALONE).startswith(told)


def test_pod_of_its_own_that_fails(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A pod that failed, and that nobody starts again, ends the wait at once, with the last lines of its log."""
    ended = client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=3, reason="Error"))
    failed = pod(ended)
    failed.status.phase = "Failed"
    well.objects[PODS] = client.V1PodList(items=[failed])
    well.logs["web", False] = [b"no such table\n"]
    message = waited_for(well, run_spec(timeouts=Timeouts(services=3600)), ALONE)
    assert message.startswith("pod web-0: Failed, web ended with exit code 3\n")
    assert "    no such table\n" in message


def test_job_that_is_not_done(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A Job of the manifests is waited for until it is complete."""
    well.objects[MIGRATE] = finished()
    assert waited(well, run_spec()) == "services: not there after 1 s; last seen: Job migrate: 0 of 1 complete"


def test_job_that_failed(well: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A Job that failed ends the wait at once, with what Kubernetes says and the last lines of its log."""
    well.objects[MIGRATE] = finished("Failed", "Job has reached the specified backoff limit")
    ended = client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=3, reason="Error"))
    well.objects[PODS] = client.V1PodList(items=[pod(ended)])
    well.logs["web", False] = [b"column is gone\n"]
    message = waited(well, run_spec(timeouts=Timeouts(services=3600)))
    assert message.startswith("Job migrate failed: Job has reached the specified backoff limit\n")
    assert "    column is gone\n" in message


def test_dns_of_a_new_cluster(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The wait for the cluster's DNS is over when a pod of it is ready, and says what to look at if none is."""
    place = SLICES.replace("/ns/", "/kube-system/")
    api.objects[place] = behind([False])
    with pytest.raises(RunError, match=r"^the cluster's DNS: not there after .* no ready endpoint\n.* kube-system "):
        ready.wait_for_dns(api.apis, run_spec())
    api.objects[place] = behind([False, True])
    ready.wait_for_dns(api.apis, run_spec())
