"""Add-ons in a cluster of somebody else's: what is refused, with which rights, and how they go with the run."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.addons import Addons
from floe_ci.config import Config, TierConfig
from floe_ci.errors import RunError, UserError
from floe_ci.existing import addons
from floe_ci.existing.kinds import Kinds
from floe_ci.plan import Plan
from floe_ci.request import RunRequest
from kubernetes import client

from tests.unit.ci.driver.test_addons import DEFINITION

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

METRICS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: metrics, namespace: kube-system}
spec: {template: {spec: {containers: [{name: metrics, image: "metrics:1"}]}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: metrics}
rules: [{apiGroups: [""], resources: [nodes/metrics], verbs: [get]}]
"""
KETTLES = f"""\
{DEFINITION}---
apiVersion: example.com/v1
kind: Kettle
metadata: {{name: first, namespace: kube-system}}
"""
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/metrics"
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/metrics"
OURS = {"floe.dev/run-id": "abc", "app.kubernetes.io/managed-by": "floe-ci"}


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    """Return the API of a cluster that allows everything."""
    api.objects[REVIEWS] = lambda asked: {**asked, "status": {"allowed": True}}
    names = ("default", "kube-system")
    found = [client.V1Namespace(metadata=client.V1ObjectMeta(name=name)) for name in names]
    api.objects["/api/v1/namespaces"] = client.V1NamespaceList(items=found)
    return api


def check(api: ApiServer, said: dict[str, str], **texts: str) -> None:
    """Ask the cluster about add-ons, of which the caller has said something."""
    asked = Addons.parse(texts)
    addons.check(api.apis, asked, said, addons.kinds_of(api.apis, asked), "prod")


def there(labels: dict[str, str], kind: str = "Deployment") -> dict[str, Any]:
    """Return an object that is there, with labels."""
    return {"kind": kind, "metadata": {"name": "metrics", "labels": labels}}


def test_nobody_has_asked(cluster: ApiServer) -> None:
    """An add-on that the caller doesn't name is refused, with its objects, what to say, and the rights it needs."""
    with pytest.raises(UserError) as caught:
        check(cluster, {"b": "install"}, a=METRICS, b=KETTLES)
    assert str(caught.value).splitlines() == [
        "add-ons change a cluster for everybody in it, and context prod is somebody's:",
        "  a: Deployment metrics (kube-system), ClusterRole metrics",
        "say --addon a=install to have them made for the run and deleted after it; or =there, if it has one",
        "making them needs these rights:",
        "  in the cluster as a whole:",
        "    customresourcedefinitions.apiextensions.k8s.io: create, delete, get, list, patch",
        "    clusterroles.rbac.authorization.k8s.io: create, delete, get, list, patch",
        "  in namespace kube-system:",
        "    events: list",
        "    pods: list",
        "    pods/log: get",
        "    deployments.apps: create, delete, get, list, patch",
        "    deployments.apps/status: get",
        "    endpointslices.discovery.k8s.io: list",
        "    kettles.example.com: create, delete, get, list, patch",
    ]


def test_asked_for(cluster: ApiServer) -> None:
    """Add-ons that are named, may be made, and aren't there, are let in; nothing is made yet."""
    check(cluster, {"a": "install", "b": "install"}, a=METRICS, b=KETTLES)
    assert cluster.applied == []
    assert cluster.changes == []


def test_rights_are_missing(cluster: ApiServer) -> None:
    """Rights that the caller lacks are named, those that a role of the add-on hands out too."""
    lacking = {"deployments", "nodes", "clusterroles"}

    def review(asked: dict[str, Any]) -> dict[str, Any]:
        attributes = asked["spec"]["resourceAttributes"]
        allowed = attributes["resource"] not in lacking or attributes["verb"] in {"get", "list"}
        return {**asked, "status": {"allowed": allowed and attributes.get("subresource") != "metrics"}}

    cluster.objects[REVIEWS] = review
    with pytest.raises(UserError) as caught:
        check(cluster, {"a": "install"}, a=METRICS)
    assert "    nodes/metrics: get" in str(caught.value).splitlines()
    assert "    deployments.apps: create, delete, patch" in str(caught.value).splitlines()


def test_there_already(cluster: ApiServer) -> None:
    """An object that the cluster has is told with the way out, and is not taken over."""
    cluster.objects[DEPLOYMENT] = there({})
    with pytest.raises(UserError, match=r"Deployment metrics \(kube-system\) is there already") as caught:
        check(cluster, {"a": "install"}, a=METRICS)
    assert "--addon NAME=there" in str(caught.value)


def test_namespace_that_is_not_there(cluster: ApiServer) -> None:
    """A namespace that neither the cluster nor the add-on has is told before anything is made."""
    with pytest.raises(UserError, match="add-ons name namespaces that are not there: monitoring"):
        check(cluster, {"a": "install"}, a=METRICS.replace("kube-system", "monitoring"))


def test_removal(cluster: ApiServer) -> None:
    """What has the run's labels is deleted, last first, and waited for; what hasn't stays."""
    gone = iter([there(OURS)])
    cluster.objects[DEPLOYMENT] = lambda: next(gone, HTTPStatus.NOT_FOUND)
    cluster.objects[ROLE] = there({**OURS, "floe.dev/run-id": "other"}, "ClusterRole")
    addons.remove(cluster.apis, "abc", Addons.parse({"a": METRICS, "b": KETTLES}))
    assert [each.partition("?")[0] for each in cluster.changes] == [f"DELETE {DEPLOYMENT}"]


@pytest.mark.usefixtures("clock")
def test_removal_that_does_not_end(cluster: ApiServer) -> None:
    """What stays is named; in a hurry it is not waited for."""
    cluster.objects[DEPLOYMENT] = there(OURS)
    asked = Addons.parse({"a": METRICS})
    with pytest.raises(RunError, match=r"there still is Deployment metrics \(kube-system\)"):
        addons.remove(cluster.apis, "abc", asked)
    addons.remove(cluster.apis, "abc", asked, hurry=True)


def test_no_add_ons_ask_for_no_rights(cluster: ApiServer) -> None:
    """Without add-ons the cluster is asked for nothing on their behalf, so that an account may do little."""
    cluster.objects.clear()
    addons.check(cluster.apis, Addons(), {}, Kinds({}), "prod")


def test_delete_command(cluster: ApiServer) -> None:
    """What is left in namespaces that stay is deleted by a command that names its kinds and the run."""
    asked = Addons.parse({"a": METRICS})
    (command,) = addons.delete_commands(cluster.apis, "abc", asked, addons.kinds_of(cluster.apis, asked))
    assert command == (
        "kubectl delete deployments.apps --all-namespaces "
        "--selector=floe.dev/run-id=abc,app.kubernetes.io/managed-by=floe-ci --ignore-not-found"
    )


def plan(**said: str) -> Plan:
    """Return the plan of a tier with two add-ons, of which the caller has said something."""
    config = Config(tiers={"integration": TierConfig(addons=("a", "b"))})
    made = Plan.of(RunRequest(addons=said), config)
    return replace(made, addons=Addons.parse({"a": METRICS, "b": KETTLES}))


def test_add_on_that_the_cluster_has() -> None:
    """An add-on that is said to be there is no part of the run."""
    assert list(addons.answered(plan(a="there", b="install")).addons.manifests) == ["b"]


def test_wrong_answers() -> None:
    """An add-on that the tier does not have, and a word that means nothing, are told at once."""
    with pytest.raises(UserError) as caught:
        addons.answered(plan(c="install", a="yes"))
    assert str(caught.value).splitlines() == [
        "--addon: 2 problems",
        "  c=install: the tier has no such add-on; known: a, b",
        "  a=yes: must be a=install or a=there",
    ]
