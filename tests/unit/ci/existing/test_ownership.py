"""What a run owns in somebody else's cluster."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver import deploy
from floe_ci.errors import RunError, UserError
from floe_ci.existing import ownership
from floe_ci.existing.kinds import Kind, Kinds
from floe_ci.manifests import Manifests
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

MANIFESTS = Manifests.parse(
    """\
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: quick}
""",
    "test",
)
KINDS = Kinds(
    {
        ("v1", "Service"): Kind("", "services", namespaced=True),
        ("storage.k8s.io/v1", "StorageClass"): Kind("storage.k8s.io", "storageclasses", namespaced=False),
    }
)
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
SELECTOR = "--selector=floe.dev/run-id=abc,app.kubernetes.io/managed-by=floe-ci"
WHAT = f"namespaces,storageclasses.storage.k8s.io {SELECTOR}"
QUERY = "labelSelector=floe.dev%2Frun-id%3Dabc%2Capp.kubernetes.io%2Fmanaged-by%3Dfloe-ci"


def listed(version: str, kind: str, *names: str) -> dict[str, object]:
    """Return a list of objects."""
    return {"apiVersion": version, "kind": f"{kind}List", "items": [{"metadata": {"name": name}} for name in names]}


@pytest.fixture
def there(api: ApiServer) -> Callable[..., None]:
    """Return what sets the names of the namespaces and of the classes that carry the run's label."""

    def make(namespaces: tuple[str, ...] = (), classes: tuple[str, ...] = ()) -> None:
        api.objects["/api/v1/namespaces"] = listed("v1", "Namespace", *namespaces)
        api.objects[CLASSES] = listed("storage.k8s.io/v1", "StorageClass", *classes)

    make()
    return make


def test_claim(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """The namespace, and what belongs to none, are created with the run's label; nothing else is."""
    ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)
    assert [made["kind"] for made in api.created] == ["Namespace", "StorageClass"]
    assert [made["metadata"] for made in api.created] == [
        {"name": "ns", "labels": deploy.labels("abc")},
        {"name": "quick", "labels": deploy.labels("abc")},
    ]
    assert not api.applied


def test_namespace_of_somebody_else(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A namespace that is there already is refused, and nothing more is made."""
    api.objects["POST /api/v1/namespaces"] = HTTPStatus.CONFLICT
    api.objects["/api/v1/namespaces/ns"] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
    with pytest.raises(RunError, match=r"^Namespace ns: the cluster refused it: "):
        ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)
    assert len(api.created) == 1


def test_object_of_somebody_else(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """An object that is there already is not taken over, though it may be another run's."""
    api.objects[f"POST {CLASSES}"] = HTTPStatus.CONFLICT
    metadata = {"name": "quick", "labels": deploy.labels("other")}
    api.objects[f"{CLASSES}/quick"] = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata}
    with pytest.raises(RunError, match=r"^StorageClass quick: the cluster refused it: "):
        ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)


def test_namespace_that_can_not_be_made(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A cluster that refuses a namespace is not taken for one that has it."""
    api.objects["/api/v1/namespaces"] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError, match="403"):
        ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)


def test_other_namespaces() -> None:
    """Manifests that name a namespace are refused, by each object; one that belongs to none may say what it likes."""
    text = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: kube-system}
---
apiVersion: v1
kind: Service
metadata: {name: here}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: quick, namespace: nowhere}
"""
    with pytest.raises(UserError) as raised:
        ownership.refuse_other_namespaces(Manifests.parse(text, "test"), KINDS)
    assert str(raised.value) == (
        "the manifests name a namespace, and the run has one of its own: leave it out of Service web (kube-system), "
        "or have the files of add-ons in the tier's addons"
    )
    # What a chart was rendered for is the run's own.
    ownership.refuse_other_namespaces(Manifests.parse(text, "test"), KINDS, "kube-system")


def test_manifests_without_a_namespace() -> None:
    """Manifests that leave the namespace to the run are let through."""
    ownership.refuse_other_namespaces(MANIFESTS, KINDS)


def test_deletion(api: ApiServer, there: Callable[..., None]) -> None:
    """What carries the run's label is deleted, of the kinds that belong to no namespace, and waited for."""
    there(("ns", "ns-of-a-test"), ("quick",))
    gone = threading.Event()
    api.objects[f"DELETE {CLASSES}/quick"] = lambda _: gone.set() or there() or {"kind": "Status"}
    ownership.delete(api.apis, "abc", KINDS)
    assert gone.is_set()
    assert [change.partition("?")[0] for change in api.changes] == [
        "DELETE /api/v1/namespaces/ns",
        "DELETE /api/v1/namespaces/ns-of-a-test",
        f"DELETE {CLASSES}/quick",
    ]


def test_only_what_is_labelled(api: ApiServer, there: Callable[..., None]) -> None:
    """The cluster is asked for what carries the run's label, and for nothing else."""
    there(("ns",), ("quick",))
    ownership.delete(api.apis, "abc", KINDS, hurry=True)
    lists = [path for path in api.asked if path.partition("?")[0] in {"/api/v1/namespaces", CLASSES}]
    assert [QUERY in path for path in lists] == [True, True]


def test_hurry(api: ApiServer, there: Callable[..., None]) -> None:
    """A cluster that is only told to delete is not waited for."""
    there(("ns",))
    ownership.delete(api.apis, "abc", KINDS, hurry=True)
    assert [change.partition("?")[0] for change in api.changes] == ["DELETE /api/v1/namespaces/ns"]


def test_deletion_that_is_refused(api: ApiServer, there: Callable[..., None]) -> None:
    """A cluster that doesn't delete is told of, with the command that does it by hand."""
    there(("ns",))
    api.objects["DELETE /api/v1/namespaces/ns"] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError) as raised:
        ownership.delete(api.apis, "abc", KINDS)
    assert str(raised.value).splitlines() == [
        "the cluster is not as it was: what the run made: the cluster refused it: no: 403 (403)",
        f"delete what is left with `kubectl delete {WHAT} --ignore-not-found`",
    ]


@pytest.mark.usefixtures("clock", "there")
def test_moment_without_an_answer(api: ApiServer) -> None:
    """An API that fails for a moment, while it is waited for, ends nothing."""
    answers = iter([listed("v1", "Namespace", "ns"), HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
    api.objects["/api/v1/namespaces"] = lambda: next(answers, listed("v1", "Namespace"))
    ownership.delete(api.apis, "abc", KINDS)
    assert next(answers, None) is None


@pytest.mark.usefixtures("clock")
def test_namespace_that_does_not_end(api: ApiServer, there: Callable[..., None]) -> None:
    """What is left is told with what holds it, and with the command that deletes it."""
    there()
    held = client.V1NamespaceCondition(
        type="NamespaceFinalizersRemaining", status="True", message="held by a finalizer"
    )
    well = client.V1NamespaceCondition(type="NamespaceDeletionDiscoveryFailure", status="False", message="all found")
    found = client.V1Namespace(
        metadata=client.V1ObjectMeta(name="ns"), status=client.V1NamespaceStatus(conditions=[held, well])
    )
    api.objects["/api/v1/namespaces"] = client.V1NamespaceList(api_version="v1", kind="NamespaceList", items=[found])
    with pytest.raises(RunError) as raised:
        ownership.delete(api.apis, "abc", KINDS, timeout=3)
    state = "the end of what the run made: not there after 3 s; last seen: there still is namespaces ns"
    assert str(raised.value).splitlines() == [
        f"the cluster is not as it was: {state}",
        "held by a finalizer",
        f"delete what is left with `kubectl delete {WHAT} --ignore-not-found`",
    ]


def test_commands(api: ApiServer) -> None:
    """What is left can be looked at, and deleted, with a command that is told."""
    assert ownership.look_command(api.apis, "abc", KINDS) == f"kubectl get {WHAT}"
    assert ownership.delete_command(api.apis, "abc", KINDS) == f"kubectl delete {WHAT} --ignore-not-found"
