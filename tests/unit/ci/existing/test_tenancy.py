"""A run's stay in somebody else's cluster: what it checks, makes and leaves."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import RunError, UserError
from floe_ci.existing.target import Target
from floe_ci.existing.tenancy import Tenancy, check
from kubernetes import client

from tests.unit.ci.driver.test_job import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
NAMESPACES = "/api/v1/namespaces"
ROLES = ("clusterroles", "clusterrolebindings")
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: web}}"
WHAT = (
    "namespaces,clusterrolebindings.rbac.authorization.k8s.io,clusterroles.rbac.authorization.k8s.io "
    "--selector=floe.dev/run-id=abc,app.kubernetes.io/managed-by=floe-ci"
)


@pytest.fixture
def cluster(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """Return the API of a cluster of one node that allows everything."""
    monkeypatch.setattr(Target, "connect", lambda _: api.apis)
    condition = client.V1NodeCondition(type="Ready", status="True")
    node = client.V1Node(spec=client.V1NodeSpec(), status=client.V1NodeStatus(conditions=[condition]))
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node])
    api.objects[NAMESPACES] = {"apiVersion": "v1", "kind": "NamespaceList", "items": []}
    api.objects[f"POST {NAMESPACES}"] = lambda made: made
    for roles in ROLES:
        path = f"/apis/rbac.authorization.k8s.io/v1/{roles}"
        api.objects[path] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleList", "items": []}
        api.objects[f"POST {path}"] = lambda made: made
    api.objects[REVIEWS] = lambda asked: {**asked, "status": {"allowed": True}}
    return api


@pytest.fixture
def checked(cluster: ApiServer, run_spec: Callable[..., RunSpec]) -> Callable[..., Tenancy]:
    """Return what checks a run in that cluster."""
    assert cluster

    def make(services: str = SERVICE, **fields: object) -> Tenancy:
        return check(run_spec(services=services, **fields), Target(None, "prod", "https://prod"))

    return make


def test_check(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """A cluster that can take a run, and lets it in, is told of; nothing has been made in it."""
    assert checked().where == "in namespace ns of context prod, https://prod"
    assert all("resourceAttributes" in made["spec"] for made in cluster.created)
    assert not cluster.changes


def test_missing_rights(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """A run that may not do all it has to is refused before anything is made."""
    cluster.objects[REVIEWS] = lambda asked: {
        **asked,
        "status": {"allowed": asked["spec"]["resourceAttributes"]["resource"] != "services"},
    }
    with pytest.raises(UserError, match="services: create, patch"):
        checked()


def test_rights_of_the_reporter(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """The run asks for the right to make what it brings itself, too."""
    checked(runner=MANIFESTS, runner_image="r", reporter="print(1)")
    asked = [made["spec"]["resourceAttributes"] for made in cluster.created]
    assert ("configmaps", "create") in [(each["resource"], each["verb"]) for each in asked]


def test_too_few_nodes(checked: Callable[..., Tenancy]) -> None:
    """A tier that wants more nodes than there are is refused before anything is made."""
    with pytest.raises(UserError) as raised:
        checked(nodes=3)
    assert str(raised.value) == "tier integration wants 3 nodes that take pods; context prod has 1"


def test_namespace_in_the_manifests(checked: Callable[..., Tenancy]) -> None:
    """Manifests that reach into another namespace are refused before anything is made."""
    with pytest.raises(UserError, match=r"leave it out of Service web \(kube-system\)"):
        checked(SERVICE.replace("name: web", "name: web, namespace: kube-system"))


def test_cluster_that_fails(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """A cluster that fails while it is asked is told by its context, without a traceback."""
    cluster.objects[REVIEWS] = HTTPStatus.NOT_FOUND
    with pytest.raises(UserError, match=r"^context prod: rights: the cluster refused it: no: 404 \(404\)$"):
        checked()


def test_claim(cluster: ApiServer, checked: Callable[..., Tenancy], run_spec: Callable[..., RunSpec]) -> None:
    """The run's namespace is made, and its objects that belong to none."""
    tenancy = checked(runner=MANIFESTS, runner_image="r")
    cluster.created.clear()
    tenancy.claim(run_spec())
    assert [made["kind"] for made in cluster.created] == ["Namespace", "ClusterRole", "ClusterRoleBinding"]


def test_deletion(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """A run that has ended leaves nothing, and has nothing to tell of that."""
    tenancy = checked()
    namespace = {"apiVersion": "v1", "kind": "NamespaceList", "items": [{"metadata": {"name": "ns"}}]}
    answers = iter([namespace, namespace])
    cluster.objects[NAMESPACES] = lambda: next(answers, {**namespace, "items": []})
    assert tenancy.delete() == ()
    assert [change.partition("?")[0] for change in cluster.changes] == [f"DELETE {NAMESPACES}/ns"]
    assert next(answers, None) is None


def test_hurry(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """A run that was told to stop has its namespace deleted without waiting, and tells how to look for the end."""
    tenancy = checked(runner=MANIFESTS, runner_image="r")
    cluster.objects[NAMESPACES] = {
        "apiVersion": "v1",
        "kind": "NamespaceList",
        "items": [{"metadata": {"name": "ns"}}],
    }
    (note,) = tenancy.delete(hurry=True)
    assert note == f"the cluster was told to delete it, and not waited for: kubectl get {WHAT}"
    assert len(cluster.changes) == 1


def test_deletion_that_fails(cluster: ApiServer, checked: Callable[..., Tenancy]) -> None:
    """A cluster that can't be left as it was is told, with what to do."""
    tenancy = checked()
    cluster.objects[NAMESPACES] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError, match=r"^the cluster is not as it was: .*\ndelete what is left with `kubectl delete "):
        tenancy.delete()


def test_kept(checked: Callable[..., Tenancy]) -> None:
    """A run that is to be kept says how to look into it and how to delete it."""
    assert checked(runner=MANIFESTS, runner_image="r").kept() == (
        "it was left for a look: kubectl --namespace ns get all",
        f"to delete it: kubectl delete {WHAT} --ignore-not-found",
    )
