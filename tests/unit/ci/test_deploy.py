"""The services of a run: namespace, credentials, and the wait until they are ready."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver import deploy
from floe_ci.driver.spec import RunSpec
from floe_ci.errors import RunError, UserError
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.unit

SERVICES = Manifests.parse(
    """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web-connection, labels: {floe.dev/connection: "true"}}
data: {FLOE_WEB_HOST: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          image: web:1
          env:
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: floe-credentials, key: FLOE_WEB_PASSWORD}}
            - name: OTHER
              valueFrom: {secretKeyRef: {name: of-somebody-else, key: TOKEN}}
""",
    "test",
)
PODS = "/api/v1/namespaces/ns/pods"
WEB = "/apis/apps/v1/namespaces/ns/deployments/web/status"


def spec(**fields: object) -> RunSpec:
    """Return what a driver is told."""
    given: dict[str, Any] = {
        "run_id": "abc",
        "tier": "integration",
        "namespace": "ns",
        "nodes": 1,
        "services": "",
        "runner": "",
        "timeouts": Timeouts(services=1),
    }
    return RunSpec(**given | fields)


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
CRASHING = client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="CrashLoopBackOff"))
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
    return deploy.rollout_state(api.apis.apps, kind, "web", "ns")


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


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_ready(api: ApiServer, kind: str) -> None:
    """A workload waits for all of its pods."""
    ready, updated = DONE[kind]
    found = rolled_out(kind, 2, **{ready: 1, updated: 2})
    assert state_of(api, kind, found) == "web: 1 of 2 ready"


@pytest.mark.parametrize("kind", KINDS)
def test_old_version_is_ready(api: ApiServer, kind: str) -> None:
    """Pods of the version before don't make a workload ready."""
    ready, updated = DONE[kind]
    assert state_of(api, kind, rolled_out(kind, 2, **{ready: 2, updated: 1})) is not None


def test_services_ready(api: ApiServer) -> None:
    """The wait is over when every workload has rolled out."""
    api.objects[PODS] = client.V1PodList(items=[pod(RUNNING, ready=True)])
    api.objects[WEB] = rolled_out("Deployment", 2, **DONE["Deployment"])
    deploy.wait_for_services(api.apis, spec(), SERVICES)


def test_service_that_is_not_ready(api: ApiServer) -> None:
    """A wait that times out says which workload lacks what, and what its pods are at."""
    api.objects[PODS] = client.V1PodList(items=[pod(RUNNING)])
    api.objects[WEB] = rolled_out("Deployment", 2)
    with pytest.raises(RunError) as raised:
        deploy.wait_for_services(api.apis, spec(), SERVICES)
    assert str(raised.value) == (
        "services: not there after 1 s; last seen: web: 0 of 2 ready (web-0: Running, web running, not ready)"
    )


def test_hopeless_service(api: ApiServer) -> None:
    """A pod that can't become ready any more ends the wait at once."""
    api.objects[PODS] = client.V1PodList(items=[pod(CRASHING)])
    with pytest.raises(RunError, match=r"^pod web-0, container web: CrashLoopBackOff$"):
        deploy.wait_for_services(api.apis, spec(timeouts=Timeouts(services=3600)), SERVICES)


def node(*, ready: bool, taint: str | None = None) -> client.V1Node:
    """Return a node."""
    condition = client.V1NodeCondition(type="Ready", status=str(ready))
    taints = [client.V1Taint(key=taint, effect="NoSchedule")] if taint else None
    return client.V1Node(spec=client.V1NodeSpec(taints=taints), status=client.V1NodeStatus(conditions=[condition]))


def test_nodes_ready(api: ApiServer) -> None:
    """The wait for nodes is over when as many as asked for are Ready."""
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node(ready=True)])
    deploy.wait_for_nodes(api.apis.core, spec())


def test_node_that_is_not_ready(api: ApiServer) -> None:
    """A node that is there but not Ready does not count."""
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node(ready=True), node(ready=False)])
    with pytest.raises(RunError, match=r"last seen: 1 of 2 nodes are Ready$"):
        deploy.wait_for_nodes(api.apis.core, spec(nodes=2))


def test_node_that_takes_no_pods_yet(api: ApiServer) -> None:
    """A Ready node that Kubernetes still keeps pods from does not count; a control plane's own taint is no matter."""
    control_plane = node(ready=True, taint="node-role.kubernetes.io/control-plane")
    worker = node(ready=True, taint="node.kubernetes.io/not-ready")
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[control_plane, worker])
    with pytest.raises(RunError, match=r"last seen: 1 of 2 nodes are Ready$"):
        deploy.wait_for_nodes(api.apis.core, spec(nodes=2))


def test_namespace_is_made(api: ApiServer) -> None:
    """The run's namespace carries the labels of what the run made."""
    deploy.make_namespace(api.apis.core, spec())
    (made,) = api.created
    assert made["metadata"] == {"name": "ns", "labels": deploy.labels(spec())}


def test_namespace_is_there(api: ApiServer) -> None:
    """A namespace that is there, in a cluster that was kept, is taken as it is."""
    api.objects["/api/v1/namespaces"] = HTTPStatus.CONFLICT
    deploy.make_namespace(api.apis.core, spec())
    assert [made["metadata"]["name"] for made in api.created] == ["ns"]


def test_password_that_is_there_stays(api: ApiServer) -> None:
    """A password that a service was set up with, in a cluster that was kept, is not made anew."""
    kept = {"data": {"FLOE_WEB_PASSWORD": base64.b64encode(b"as it was").decode()}}
    api.objects["/api/v1/namespaces/ns/secrets/floe-credentials"] = kept
    assert deploy.make_secrets(api.apis.core, spec(), SERVICES) == ("as it was",)


def test_namespace_is_refused(api: ApiServer) -> None:
    """A namespace that can't be made is an error."""
    api.objects["/api/v1/namespaces"] = HTTPStatus.FORBIDDEN
    with pytest.raises(client.ApiException):
        deploy.make_namespace(api.apis.core, spec())


def secrets(api: ApiServer) -> dict[str, dict[str, str]]:
    """Return the Secrets that were made, by name."""
    return {made["metadata"]["name"]: made["stringData"] for made in api.created}


def test_password_for_each_key(api: ApiServer) -> None:
    """The run's Secret has a value for each key that a manifest takes from it, and for no other."""
    values = deploy.make_secrets(api.apis.core, spec(), SERVICES)
    assert secrets(api)["floe-credentials"] == {"FLOE_WEB_PASSWORD": values[0]}


def test_passwords_differ(api: ApiServer) -> None:
    """No two runs have the same password."""
    first, second = (deploy.make_secrets(api.apis.core, spec(), SERVICES) for _ in range(2))
    assert first != second


def test_environment(api: ApiServer) -> None:
    """The configured environment may refer to addresses and to passwords, and says which run it is."""
    told = spec(environment={"URL": "http://u:${FLOE_WEB_PASSWORD}@${FLOE_WEB_HOST}"})
    (password,) = deploy.make_secrets(api.apis.core, told, SERVICES)
    assert secrets(api)["floe-environment"] == {
        "URL": f"http://u:{password}@web",
        "FLOE_RUN_ID": "abc",
        "FLOE_TIER": "integration",
        "FLOE_NAMESPACE": "ns",
        "FLOE_RESULTS_DIR": "/results",
    }


def test_environment_of_unknown_variables(api: ApiServer) -> None:
    """A variable that the run doesn't have is the caller's to mend, and no Secret is made."""
    with pytest.raises(UserError, match="FLOE_WEP_HOST"):
        deploy.make_secrets(api.apis.core, spec(environment={"URL": "${FLOE_WEP_HOST}"}), SERVICES)
    assert not api.created


def test_tier_without_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier without services applies nothing, and asks for no kubectl."""
    monkeypatch.setenv("PATH", "")
    deploy.apply(spec(), Manifests.parse("", "nothing"))
