"""What a cluster calls the kinds of objects."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.existing.kinds import Kind, Kinds
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from tests.unit.ci.conftest import ApiServer

MANIFESTS = Manifests.parse(
    """\
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: web}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: web}
""",
    "test",
)
UNKNOWN = Manifests.parse(
    """\
apiVersion: v1
kind: Servce
metadata: {name: web}
---
apiVersion: nosuch.example.com/v1
kind: Thing
metadata: {name: web}
---
kind: Lost
metadata: {name: web}
""",
    "test",
)


def served(**kinds: tuple[str, bool]) -> client.V1APIResourceList:
    """Return the kinds of one version of an API, by name: the plural, and whether they belong to a namespace."""
    resources = [
        client.V1APIResource(kind=kind, name=plural, namespaced=namespaced, singular_name="", verbs=[])
        for kind, (plural, namespaced) in kinds.items()
    ]
    return client.V1APIResourceList(group_version="", resources=resources)


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    """Return the API of a cluster that knows some kinds."""
    parts = client.V1APIResource(kind="Service", name="services/status", namespaced=True, singular_name="", verbs=[])
    core = served(Service=("services", True), PersistentVolume=("persistentvolumes", False))
    core.resources.append(parts)
    api.objects["/api/v1/"] = core
    api.objects["/apis/rbac.authorization.k8s.io/v1"] = served(ClusterRole=("clusterroles", False))
    return api


def test_kinds(cluster: ApiServer) -> None:
    """An object's kind is the cluster's own, not a part of it."""
    kinds = Kinds.of(cluster.apis.core.api_client, MANIFESTS)
    assert [kinds[each] for each in MANIFESTS.documents] == [
        Kind("", "services", namespaced=True),
        Kind("rbac.authorization.k8s.io", "clusterroles", namespaced=False),
        Kind("", "persistentvolumes", namespaced=False),
    ]


def test_cluster_wide(cluster: ApiServer) -> None:
    """The kinds that belong to no namespace are told by names that no other group has."""
    kinds = Kinds.of(cluster.apis.core.api_client, MANIFESTS)
    assert list(map(str, kinds.cluster_wide())) == ["persistentvolumes", "clusterroles.rbac.authorization.k8s.io"]


def test_unknown_kinds(cluster: ApiServer) -> None:
    """Every kind that the cluster doesn't have is named at once."""
    with pytest.raises(UserError) as raised:
        Kinds.of(cluster.apis.core.api_client, UNKNOWN)
    assert str(raised.value).splitlines() == [
        "the cluster does not know: 3 problems",
        "  Lost of no apiVersion",
        "  Thing of nosuch.example.com/v1",
        "  Servce of v1",
    ]


def test_kinds_that_can_not_be_read(api: ApiServer) -> None:
    """A cluster that doesn't say what it has is not taken for one that has nothing."""
    api.objects["/api/v1/"] = HTTPStatus.FORBIDDEN
    with pytest.raises(client.ApiException):
        Kinds.of(api.apis.core.api_client, MANIFESTS)
