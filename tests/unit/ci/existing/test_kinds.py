"""What a cluster calls the kinds of objects."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import RunError, UserError
from floe_ci.existing.kinds import Kind, Kinds
from floe_ci.manifests import Manifests

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


def test_kinds(api: ApiServer) -> None:
    """An object's kind is the cluster's own."""
    kinds = Kinds.of(api.apis, MANIFESTS)
    assert [kinds[each] for each in MANIFESTS.documents] == [
        Kind("", "services", namespaced=True),
        Kind("rbac.authorization.k8s.io", "clusterroles", namespaced=False),
        Kind("", "persistentvolumes", namespaced=False),
    ]


def test_cluster_wide(api: ApiServer) -> None:
    """The kinds that belong to no namespace are told by names that no other group has."""
    kinds = Kinds.of(api.apis, MANIFESTS).cluster_wide()
    assert list(map(str, kinds.values())) == ["persistentvolumes", "clusterroles.rbac.authorization.k8s.io"]


def test_unknown_kinds(api: ApiServer) -> None:
    """Every kind that the cluster doesn't have is named at once."""
    with pytest.raises(UserError) as raised:
        Kinds.of(api.apis, UNKNOWN)
    assert str(raised.value).splitlines() == [
        "the cluster does not know: 3 problems",
        "  Lost of no apiVersion",
        "  Thing of nosuch.example.com/v1",
        "  Servce of v1",
    ]


def test_kinds_that_can_not_be_read(api: ApiServer) -> None:
    """A cluster that doesn't say what it has is not taken for one that has nothing."""
    api.objects["/api/v1"] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError, match=r"^the cluster's kinds: the cluster refused it"):
        Kinds.of(api.apis, MANIFESTS)
