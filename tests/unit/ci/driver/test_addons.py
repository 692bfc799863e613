"""Add-ons are put into a cluster in their order, and waited for until what they bring is to be had."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.addons import LABEL, Addons
from floe_ci.driver import addons as driver
from floe_ci.errors import RunError
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.usefixtures("clock")

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kettles.example.com}
spec: {group: example.com, names: {kind: Kettle, plural: kettles}, versions: [{name: v1}, {name: v0, served: false}]}
"""
OPERATOR = f"""\
apiVersion: example.com/v1
kind: Kettle
metadata: {{name: first, namespace: kettles}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: kettles}}
webhooks: [{{name: kettles.example.com, clientConfig: {{service: {{name: operator, namespace: kettles}}}}}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: v1.steam.example.com}}
spec: {{group: steam.example.com, version: v1}}
---
apiVersion: v1
kind: Service
metadata: {{name: operator, namespace: kettles}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: kettles}}
---
{DEFINITION}"""
EXTENSIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kettles.example.com"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/kettles"
SERVED = "/apis/apiregistration.k8s.io/v1/apiservices/v1.steam.example.com"
KETTLE = "/apis/example.com/v1/namespaces/kettles/kettles/first"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/kettles/endpointslices"


def with_conditions(**conditions: str) -> dict[str, Any]:
    """Return an object with conditions."""
    told = [{"type": name, "status": status, "message": "why"} for name, status in conditions.items()]
    return {"kind": "X", "metadata": {"name": "x"}, "status": {"conditions": told}}


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    """Return the API of a cluster that takes everything up at once, and keeps it."""
    kinds = [{"kind": "Kettle", "name": "kettles", "namespaced": True, "verbs": []}]
    api.objects["/apis/example.com/v1"] = {
        "kind": "APIResourceList",
        "groupVersion": "example.com/v1",
        "resources": kinds,
    }
    version = {"groupVersion": "example.com/v1", "version": "v1"}
    group = {"name": "example.com", "versions": [version], "preferredVersion": version}
    listed: Any = api.objects["/apis"]
    listed["groups"].append(group)

    def keep(path: str, **live: Any) -> None:  # noqa: ANN401 - the parts of any object
        def take(sent: dict[str, Any]) -> dict[str, Any]:
            api.objects[path] = {**sent, **live}
            return sent

        api.objects[f"PATCH {path}"] = take

    keep(EXTENSIONS, status=with_conditions(Established="True")["status"])
    keep(SERVED, status=with_conditions(Available="True")["status"])
    service = {"name": "operator", "namespace": "kettles"}
    keep(WEBHOOK, webhooks=[{"name": "kettles.example.com", "clientConfig": {"service": service, "caBundle": "Q0E="}}])
    for path in ("/api/v1/namespaces/kettles", "/api/v1/namespaces/kettles/services/operator", KETTLE):
        keep(path)
    for namespace in ("kettles", "default"):
        api.objects[f"/api/v1/namespaces/{namespace}/pods"] = client.V1PodList(items=[])
    ready = client.V1EndpointConditions(ready=True)
    endpoint = client.V1Endpoint(addresses=["10.0.0.1"], conditions=ready)
    metadata = client.V1ObjectMeta(name="operator-1")
    slices = [client.V1EndpointSlice(address_type="IPv4", endpoints=[endpoint], metadata=metadata)]
    api.objects[SLICES] = client.V1EndpointSliceList(items=slices)
    return api


@pytest.fixture
def install(cluster: ApiServer, run_spec: Callable[..., RunSpec]) -> Callable[..., None]:
    """Return what installs the operator, or another add-on, and waits for it."""

    def install(text: str = OPERATOR, **fields: object) -> None:
        spec, addons = run_spec(**fields), Addons.parse({"operator": text})
        driver.apply(cluster.apis, spec, addons)
        driver.wait(cluster.apis, spec, addons)

    return install


def test_order(cluster: ApiServer, install: Callable[..., None]) -> None:
    """Namespaces and definitions come first, what answers for the cluster then, and at last objects of its kinds."""
    install()
    assert [each["kind"] for each in cluster.applied] == [
        "Namespace",
        "CustomResourceDefinition",
        "Service",
        "ValidatingWebhookConfiguration",
        "APIService",
        "Kettle",
    ]
    assert all("force=True" in change for change in cluster.changes)
    assert not any("floe.dev/run-id" in each["metadata"]["labels"] for each in cluster.applied)


def test_second_run_leaves_it_alone(cluster: ApiServer, install: Callable[..., None]) -> None:
    """An add-on that is there as it is to be is not touched; of one that has changed only that is applied."""
    install()
    cluster.applied.clear()
    install()
    assert cluster.applied == []
    install(
        OPERATOR.replace(
            "name: operator, namespace: kettles}\n---", "name: operator, namespace: kettles, labels: {a: b}}\n---"
        )
    )
    assert [each["kind"] for each in cluster.applied] == ["Service"]


def test_job_that_has_changed(cluster: ApiServer, install: Callable[..., None]) -> None:
    """A Job of an add-on that has changed is deleted, as the one that was applied before, and made anew."""
    job, path = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: brew}\n",
        "/apis/batch/v1/namespaces/default/jobs/brew",
    )
    there: list[Any] = []

    def take(sent: Any) -> object:  # noqa: ANN401 - any object
        if there:
            return HTTPStatus.UNPROCESSABLE_ENTITY, "Job brew is invalid: spec.template: field is immutable"
        there.append({**sent, "status": with_conditions(Complete="True")["status"]})
        return sent

    cluster.objects[path] = lambda: there[0] if there else HTTPStatus.NOT_FOUND
    cluster.objects[f"PATCH {path}"] = take
    cluster.objects[f"DELETE {path}"] = lambda _: there.clear() or {"kind": "Status"}  # type: ignore[func-returns-value]
    cluster.objects[f"{path}/status"] = lambda: there[0]
    install(job)
    install(job)
    assert [each.partition(" ")[0] for each in cluster.changes] == ["PATCH"]
    install(job.replace("brew}", "brew, annotations: {hot: very}}"))
    assert [each.partition(" ")[0] for each in cluster.changes] == ["PATCH", "PATCH", "DELETE", "PATCH"]
    assert "propagationPolicy=Foreground" in cluster.changes[2]  # no pod of the former one runs beside it
    assert there[0]["metadata"]["annotations"] == {"hot": "very"}


def test_job_of_somebody_else(cluster: ApiServer, install: Callable[..., None]) -> None:
    """A Job of the name that no run has made is not deleted: that it can't be applied is told."""
    path = "/apis/batch/v1/namespaces/default/jobs/brew"
    cluster.objects[path] = {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": "brew"}}
    cluster.objects[f"PATCH {path}"] = (HTTPStatus.UNPROCESSABLE_ENTITY, "spec.template: field is immutable")
    with pytest.raises(RunError, match=r"Job brew: the cluster refused it: .*field is immutable"):
        install("apiVersion: batch/v1\nkind: Job\nmetadata: {name: brew}\n")
    assert [each.partition(" ")[0] for each in cluster.changes] == ["PATCH"]


@pytest.mark.parametrize(
    ("path", "state", "told"),
    [
        (EXTENSIONS, with_conditions(Established="False"), r"kettles.example.com: not established \(why\)"),
        (SERVED, with_conditions(Available="False"), r"APIService v1.steam.example.com: not available \(why\)"),
        (SERVED, {"kind": "X", "metadata": {"name": "x"}}, "APIService v1.steam.example.com: not available$"),
        (SLICES, client.V1EndpointSliceList(items=[]), "Service operator: no ready endpoint"),
        (
            WEBHOOK,
            {
                "kind": "X",
                "metadata": {"name": "x"},
                "webhooks": [{"name": "k", "clientConfig": {"service": {"name": "operator"}}}],
            },
            "ValidatingWebhookConfiguration kettles: nobody has given it a caBundle yet",
        ),
    ],
    ids=["definition", "API service", "API service without a status", "webhook without a pod", "webhook without a CA"],
)
def test_what_does_not_come_up(
    cluster: ApiServer, install: Callable[..., None], path: str, state: object, told: str
) -> None:
    """What does not become ready in time is told with the cluster's reason, and what needs it is not applied."""
    cluster.objects[f"PATCH {path}"] = lambda sent: sent
    cluster.objects[path] = state
    with pytest.raises(RunError, match=told):
        install()
    assert "Kettle" not in [each["kind"] for each in cluster.applied]


def test_kind_that_is_not_known_yet(cluster: ApiServer, install: Callable[..., None]) -> None:
    """A kind is waited for until the cluster lists it too, which may come after its definition is established."""
    resources: Any = cluster.objects["/apis/example.com/v1"]
    answers = iter([{**resources, "resources": []}] * 3)
    cluster.objects["/apis/example.com/v1"] = lambda: next(answers, resources)
    install()
    assert cluster.applied[-1]["kind"] == "Kettle"


def test_in_somebody_elses_cluster(cluster: ApiServer, install: Callable[..., None]) -> None:
    """There every object has the run's labels, by which it is deleted, and takes nothing over by force."""
    install(addons_of_run=True)
    labels = [each["metadata"]["labels"] for each in cluster.applied]
    assert {each["floe.dev/run-id"] for each in labels} == {"abc"}
    assert all(LABEL in each for each in labels)
    assert not any("force=True" in change for change in cluster.changes)


def test_somebody_elses_object(cluster: ApiServer, install: Callable[..., None]) -> None:
    """There an object that is not the run's is left as it is, and the run ends."""
    cluster.objects[EXTENSIONS] = with_conditions(Established="True")
    with pytest.raises(RunError, match=r"^CustomResourceDefinition kettles.example.com is there already, and somebody"):
        install(addons_of_run=True)
    assert [each["kind"] for each in cluster.applied] == ["Namespace"]


def test_manifests_that_define_a_kind(cluster: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """Of other manifests, such as a chart's, definitions come first too, and all have the run's label."""
    own = "apiVersion: example.com/v1\nkind: Kettle\nmetadata: {name: own}\n---\n"
    resources: Any = cluster.objects["/apis/example.com/v1"]
    answers = iter([{**resources, "resources": []}] * 3)
    cluster.objects["/apis/example.com/v1"] = lambda: next(answers, resources)
    driver.apply_others(cluster.apis, run_spec(), Manifests.parse(own + DEFINITION, "chart"))
    assert [each["kind"] for each in cluster.applied] == ["CustomResourceDefinition", "Kettle"]
    assert {each["metadata"]["labels"]["floe.dev/run-id"] for each in cluster.applied} == {"abc"}
