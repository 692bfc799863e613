"""What keeps a namespace from going is named, whatever kind of object it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import pytest
from kubernetes.client import (
    ApiException,
    CoreV1Api,
    V1Namespace,
    V1NamespaceCondition,
    V1NamespaceList,
    V1NamespaceStatus,
    V1ObjectMeta,
)

from floe_testing.cluster import namespaces
from floe_testing.cluster.namespaces import NamespaceStuckError
from floe_testing.isolation.labels import labels, selector

CONTENT = (
    "Some resources are remaining: "
    "configmaps. has 1 resource instances, widgets.shop.example.com has 2 resource instances"
)
HELD = "Some content in the namespace has finalizers remaining: shop.example.com/till in 1 resource instances"


def item(name: str, *finalizers: str) -> dict[str, Any]:
    """Return an object as the API gives it."""
    return {"metadata": {"name": name} | ({"finalizers": list(finalizers)} if finalizers else {})}


class Cluster:
    """A namespace that is told to go and does not, as the API tells of it."""

    def __init__(self, *messages: str, finalizers: tuple[str, ...] = (), readable: bool = True) -> None:
        """Keep what its status says, and whether what is in it may be listed."""
        self.readable = readable
        conditions = [
            V1NamespaceCondition(type="NamespaceContentRemaining", status="True", message=message)
            for message in messages
        ]
        fine = V1NamespaceCondition(type="NamespaceDeletionDiscoveryFailure", status="False", message="all discovered")
        metadata = V1ObjectMeta(
            name="shop",
            finalizers=list(finalizers),
            labels=labels("one"),
            annotations={"floe.dev/test": "test_shop.py::test_sells"},
        )
        self.namespace = V1Namespace(metadata=metadata, status=V1NamespaceStatus(conditions=[*conditions, fine]))
        self.answers = {
            "/api/v1/namespaces/shop/configmaps": {"items": [item("kept", "floe.dev/a", "floe.dev/b")]},
            "/apis/shop.example.com": {"preferredVersion": {"version": "v2"}},
            "/apis/shop.example.com/v2/namespaces/shop/widgets": {"items": [item("slow"), item("held", "x/y")]},
        }
        self.api_client = self

    def read_namespace(self, name: str, **_: object) -> V1Namespace:
        """Return the namespace."""
        assert name == "shop"
        return self.namespace

    def list_namespace(self, label_selector: str, **_: object) -> V1NamespaceList:
        """Return the namespaces of tests."""
        assert label_selector == selector()
        return V1NamespaceList(items=[self.namespace])

    def delete_namespace(self, name: str, **_: object) -> None:
        """Refuse: it is gone, or going already."""
        raise ApiException(status=HTTPStatus[name.upper()], reason=HTTPStatus[name.upper()].phrase)

    def call_api(self, path: str, *_: object, **__: object) -> dict[str, Any]:
        """Return what is at a path."""
        if not self.readable:
            raise ApiException(status=HTTPStatus.FORBIDDEN, reason="Forbidden")
        return self.answers[path]

    def as_api(self) -> CoreV1Api:
        """Return it as the functions take it."""
        return cast("CoreV1Api", self)


def stuck(cluster: Cluster) -> str:
    """Return what is said when the namespace doesn't go."""
    with pytest.raises(NamespaceStuckError) as refused:
        namespaces.wait_until_gone(cluster.as_api(), ["shop", "gone"], timeout=1)
    return str(refused.value).splitlines()[-1]


def test_objects_and_finalizers_are_named() -> None:
    """Each object that is left is named with what it waits for: of the core, and of a group of its own."""
    assert stuck(Cluster(CONTENT, HELD)) == (
        "namespace shop, made by test_shop.py::test_sells: "
        "configmaps/kept waits for its finalizer floe.dev/a, floe.dev/b; "
        "widgets/slow has not ended yet; widgets/held waits for its finalizer x/y"
    )


def test_finalizer_of_the_namespace_is_named() -> None:
    """A namespace may be held by a finalizer of its own."""
    assert stuck(Cluster(finalizers=("shop.example.com/lease",))).endswith(
        "namespace/shop waits for its finalizer shop.example.com/lease"
    )


def test_status_is_told_where_nothing_is_known() -> None:
    """Where the status names no object, what it says is told."""
    assert stuck(Cluster(HELD)).endswith(HELD)
    assert stuck(Cluster()).endswith("no reason given")


def test_what_may_not_be_listed_is_told() -> None:
    """Where the objects may not be listed, the refusal is told beside what the status says."""
    said = stuck(Cluster(CONTENT, HELD, readable=False))
    assert "Forbidden" in said
    assert HELD in said


@pytest.mark.parametrize("status", ["not_found", "conflict"])
def test_namespace_that_is_going_is_deleted(status: str) -> None:
    """To delete what is gone or on its way is no error."""
    namespaces.delete(Cluster().as_api(), status)


def test_refused_deletion_is_an_error() -> None:
    """A refusal is one, which says in a line what the cluster said, and what is needed."""
    with pytest.raises(namespaces.NamespaceRefusedError, match=r"is told to go: Forbidden\. The tests' account needs"):
        namespaces.delete(Cluster().as_api(), "forbidden")
