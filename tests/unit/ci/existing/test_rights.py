"""What a run has to be allowed, and what it tells of what it isn't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.errors import UserError
from floe_ci.existing import rights
from floe_ci.existing.kinds import Kind, Kinds
from floe_ci.existing.rights import Right
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.ci.conftest import ApiServer

RBAC = "rbac.authorization.k8s.io"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DEPLOYMENT = Manifests.parse("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}", "test")
ROLES = Manifests.parse(
    f"""\
apiVersion: {RBAC}/v1
kind: Role
metadata: {{name: own}}
rules: [{{apiGroups: [""], resources: [pods/proxy], verbs: [get]}}]
---
apiVersion: {RBAC}/v1
kind: RoleBinding
metadata: {{name: own}}
roleRef: {{kind: Role, name: own}}
---
apiVersion: {RBAC}/v1
kind: ClusterRole
metadata: {{name: wide}}
rules: [{{apiGroups: [""], resources: [nodes], resourceNames: [one], verbs: [get, list]}}]
---
apiVersion: {RBAC}/v1
kind: ClusterRoleBinding
metadata: {{name: wide}}
roleRef: {{kind: ClusterRole, name: wide}}
---
apiVersion: {RBAC}/v1
kind: RoleBinding
metadata: {{name: of-the-cluster}}
roleRef: {{kind: ClusterRole, name: view}}
""",
    "test",
)
KINDS = Kinds(
    {
        ("apps/v1", "Deployment"): Kind("apps", "deployments", namespaced=True),
        (f"{RBAC}/v1", "Role"): Kind(RBAC, "roles", namespaced=True),
        (f"{RBAC}/v1", "RoleBinding"): Kind(RBAC, "rolebindings", namespaced=True),
        (f"{RBAC}/v1", "ClusterRole"): Kind(RBAC, "clusterroles", namespaced=False),
        (f"{RBAC}/v1", "ClusterRoleBinding"): Kind(RBAC, "clusterrolebindings", namespaced=False),
    }
)
ESCALATE_OWN = Right("ns", RBAC, "roles", "own", "escalate")
BIND_OWN = Right("ns", RBAC, "roles", "own", "bind")
ESCALATE_WIDE = Right("", RBAC, "clusterroles", "wide", "escalate")
BIND_WIDE = Right("", RBAC, "clusterroles", "wide", "bind")
PROXY = Right("ns", "", "pods/proxy", "", "get")
READ_NODE = Right("", "", "nodes", "one", "get")
LIST_NODE = Right("", "", "nodes", "one", "list")


@pytest.fixture
def forbid(api: ApiServer) -> Callable[..., None]:
    """Return what makes a cluster refuse some rights, and give all others."""

    def make(*forbidden: Right) -> None:
        refused = [{key: value for key, value in right.attributes().to_dict().items() if value} for right in forbidden]

        def answer(asked: dict[str, Any]) -> dict[str, Any]:
            attributes = {key: value for key, value in asked["spec"]["resourceAttributes"].items() if value}
            return {**asked, "status": {"allowed": attributes not in refused}}

        api.objects[REVIEWS] = answer

    return make


def missing(api: ApiServer, manifests: Manifests) -> str:
    """Return what a check tells."""
    with pytest.raises(UserError) as raised:
        rights.check(api.apis, "ns", manifests, KINDS)
    return str(raised.value)


@pytest.mark.parametrize("manifests", [DEPLOYMENT, ROLES], ids=["deployment", "roles"])
def test_all_rights(api: ApiServer, forbid: Callable[..., None], manifests: Manifests) -> None:
    """Who may do everything is let through."""
    forbid()
    rights.check(api.apis, "ns", manifests, KINDS)


def test_missing_rights(api: ApiServer, forbid: Callable[..., None]) -> None:
    """Every right that is missing is named in one message, those of the cluster apart from those of the namespace."""
    forbid(
        Right("", "", "namespaces", "", "create"),
        Right("", "", "namespaces", "", "delete"),
        Right("ns", "", "pods/exec", "", "create"),
        Right("ns", "apps", "deployments", "", "patch"),
        Right("ns", "apps", "deployments/status", "", "get"),
    )
    assert missing(api, DEPLOYMENT).splitlines() == [
        "this run needs rights that the context does not have:",
        "  in the cluster as a whole:",
        "    namespaces: create, delete",
        "  in namespace ns:",
        "    pods/exec: create",
        "    deployments.apps: patch",
        "    deployments.apps/status: get",
        "have them granted, or name another context; `kubectl auth can-i --list` shows those that it has",
    ]


@pytest.mark.parametrize(("group", "resource", "verbs"), rights.CLUSTER_WIDE + rights.IN_NAMESPACE)
def test_what_every_run_does(
    api: ApiServer, forbid: Callable[..., None], group: str, resource: str, verbs: tuple[str, ...]
) -> None:
    """Each right that every run needs is asked for."""
    place = "" if (group, resource, verbs) in rights.CLUSTER_WIDE else "ns"
    forbid(*(Right(place, group, resource, "", verb) for verb in verbs))
    what = f"{resource}.{group}" if group else resource
    assert f"    {what}: {', '.join(sorted(verbs))}" in missing(api, Manifests(()))


def test_objects_beside_namespaces(api: ApiServer, forbid: Callable[..., None]) -> None:
    """What belongs to no namespace is found and deleted again, one by one."""
    forbid(*(Right("", RBAC, "clusterroles", "", verb) for verb in ("create", "patch", "list", "delete")))
    assert f"    clusterroles.{RBAC}: create, delete, list, patch" in missing(api, ROLES)


@pytest.mark.parametrize(
    ("forbidden", "lines"),
    [
        ([ESCALATE_OWN, PROXY], ["    pods/proxy: get"]),
        ([BIND_OWN, PROXY], ["    pods/proxy: get"]),
        ([ESCALATE_WIDE, READ_NODE, LIST_NODE], ["    nodes/one: get, list"]),
        ([BIND_WIDE, LIST_NODE], ["    nodes/one: list"]),
    ],
    ids=["make a role", "bind a role", "make a cluster role", "bind a cluster role"],
)
def test_nobody_hands_out_what_they_lack(
    api: ApiServer, forbid: Callable[..., None], forbidden: list[Right], lines: list[str]
) -> None:
    """Who makes or binds a role needs what is in it, or the right to do so all the same."""
    forbid(*forbidden)
    told = missing(api, ROLES).splitlines()
    assert [line for line in told if line.startswith("    ")] == lines


@pytest.mark.parametrize(
    "forbidden",
    [[ESCALATE_OWN, BIND_OWN], [ESCALATE_WIDE, BIND_WIDE], [READ_NODE, LIST_NODE]],
    ids=["has what is in the role", "has what is in the cluster role", "has the waivers"],
)
def test_either_is_enough(api: ApiServer, forbid: Callable[..., None], forbidden: list[Right]) -> None:
    """Who has what is in a role needs no waiver, and who has the waivers needs nothing of it."""
    forbid(*forbidden)
    rights.check(api.apis, "ns", ROLES, KINDS)


def test_role_of_the_cluster(api: ApiServer, forbid: Callable[..., None]) -> None:
    """A binding to a role that the manifests don't bring is left to the cluster to judge."""
    forbid(Right("ns", RBAC, "clusterroles", "view", "bind"))
    rights.check(api.apis, "ns", ROLES, KINDS)


def test_roles_of_one_name() -> None:
    """Two Roles of one name in two namespaces are told for both, and a binding hands out what its own one has."""
    text = """\
kind: Role
metadata: {name: own, namespace: one}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
kind: Role
metadata: {name: own, namespace: two}
rules: [{apiGroups: [""], resources: [secrets], verbs: [list]}]
---
kind: RoleBinding
metadata: {name: own, namespace: one}
roleRef: {kind: Role, name: own}
"""
    grants = list(rights.granted(lambda each: each["metadata"]["namespace"], Manifests.parse(text, "test")))
    pods, secrets = Right("one", "", "pods", "", "get"), Right("two", "", "secrets", "", "list")
    assert grants == [
        rights.Grant(Right("one", RBAC, "roles", "own", "escalate"), (pods,)),
        rights.Grant(Right("two", RBAC, "roles", "own", "escalate"), (secrets,)),
        rights.Grant(Right("one", RBAC, "roles", "own", "bind"), (pods,)),
    ]


def test_right_as_the_cluster_is_asked() -> None:
    """A right on a part of an object, of one name, is asked for as such."""
    asked = Right("ns", "apps", "deployments/status", "web", "get").attributes()
    assert (asked.group, asked.resource, asked.subresource) == ("apps", "deployments", "status")
    assert (asked.namespace, asked.name, asked.verb) == ("ns", "web", "get")
