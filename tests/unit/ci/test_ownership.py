"""What a run owns in somebody else's cluster."""

from __future__ import annotations

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
    from pathlib import Path

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
WHAT = (
    "namespaces,storageclasses.storage.k8s.io "
    "--selector=floe.dev/run-id=abc,app.kubernetes.io/managed-by=floe-ci --ignore-not-found"
)


def test_claim(
    api: ApiServer,
    run_spec: Callable[..., RunSpec],
    stand_in: Callable[[str], None],
    calls: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    """The namespace, and what belongs to none, are created with the run's label; nothing else is."""
    stand_in(f"cat > {tmp_path}/input")
    ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)
    assert [made["metadata"] for made in api.created] == [{"name": "ns", "labels": deploy.labels("abc")}]
    assert calls() == ["create --field-manager=floe-ci --filename -"]
    (made,) = Manifests.parse((tmp_path / "input").read_text(), "created").documents
    assert made["metadata"] == {"name": "quick", "labels": deploy.labels("abc")}


def test_claim_of_a_namespace_alone(
    api: ApiServer, run_spec: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every object belongs to a namespace, kubectl has nothing to create."""
    monkeypatch.setenv("PATH", "")
    ownership.claim(api.apis, run_spec(), Manifests(MANIFESTS.documents[:1]), KINDS)
    assert len(api.created) == 1


def test_namespace_of_somebody_else(
    api: ApiServer, run_spec: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namespace that is there already is refused, and nothing more is asked of the cluster."""
    monkeypatch.setenv("PATH", "")
    api.objects["/api/v1/namespaces"] = HTTPStatus.CONFLICT
    with pytest.raises(RunError, match=r"^namespace ns is there already, and not this run's"):
        ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)


def test_object_of_somebody_else(
    api: ApiServer, run_spec: Callable[..., RunSpec], stand_in: Callable[[str], None]
) -> None:
    """An object that is there already is not taken over: kubectl refuses to create it, and so does the run."""
    stand_in('echo "storageclasses \\"quick\\" already exists" >&2; exit 1')
    with pytest.raises(RunError, match='storageclasses "quick" already exists'):
        ownership.claim(api.apis, run_spec(), MANIFESTS, KINDS)


def test_namespace_that_can_not_be_made(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """A cluster that refuses a namespace is not taken for one that has it."""
    api.objects["/api/v1/namespaces"] = HTTPStatus.FORBIDDEN
    with pytest.raises(client.ApiException):
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
        "the manifests name a namespace, and the run has one of its own: leave it out of Service web (kube-system)"
    )


def test_manifests_without_a_namespace() -> None:
    """Manifests that leave the namespace to the run are let through."""
    ownership.refuse_other_namespaces(MANIFESTS, KINDS)


def test_deletion(api: ApiServer, stand_in: Callable[[str], None], calls: Callable[[], list[str]]) -> None:
    """What carries the run's label is deleted, of the kinds that belong to no namespace, and not waited for."""
    stand_in("")
    ownership.delete(api.apis, "abc", KINDS)
    assert calls() == [f"delete {WHAT} --wait=false"]


def test_deletion_that_is_refused(api: ApiServer, stand_in: Callable[[str], None]) -> None:
    """A cluster that doesn't delete is told of, with the command that does it by hand."""
    stand_in("echo 'no connection' >&2; exit 1")
    with pytest.raises(RunError) as raised:
        ownership.delete(api.apis, "abc", KINDS)
    first, last = str(raised.value).splitlines()
    assert first.startswith("the cluster is not as it was: ")
    assert first.endswith("failed: no connection")
    assert last == f"delete what is left with `kubectl delete {WHAT}`"


def test_end(api: ApiServer, stand_in: Callable[[str], None], calls: Callable[[], list[str]], tmp_path: Path) -> None:
    """The wait is over when nothing with the run's label is left."""
    left = tmp_path / "left"
    left.touch()
    stand_in(f"if rm {left} 2>/dev/null; then echo namespace/ns; fi")
    ownership.wait_until_gone(api.apis, "abc", KINDS)
    assert calls() == [f"get {WHAT} --output name"] * 2


def test_moment_without_an_answer(
    api: ApiServer, stand_in: Callable[[str], None], calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    """A cluster that doesn't answer once while it is waited for is asked again."""
    failing = tmp_path / "failing"
    failing.touch()
    stand_in(f"if rm {failing} 2>/dev/null; then echo 'TLS handshake timeout' >&2; exit 1; fi")
    ownership.wait_until_gone(api.apis, "abc", KINDS)
    assert len(calls()) == 2


def test_namespace_that_does_not_end(
    api: ApiServer, stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namespace that stays is told with what the cluster says holds it, and with the command that deletes it."""
    monkeypatch.setattr(ownership, "GONE", 0)
    stand_in("echo namespace/ns")
    held = client.V1NamespaceCondition(
        type="NamespaceFinalizersRemaining", status="True", message="held by a finalizer"
    )
    well = client.V1NamespaceCondition(type="NamespaceDeletionDiscoveryFailure", status="False", message="all found")
    found = client.V1Namespace(
        metadata=client.V1ObjectMeta(name="ns"), status=client.V1NamespaceStatus(conditions=[held, well])
    )
    api.objects["/api/v1/namespaces"] = client.V1NamespaceList(items=[found])
    with pytest.raises(RunError) as raised:
        ownership.wait_until_gone(api.apis, "abc", KINDS)
    state = "the end of what the run made: not there after 0 s; last seen: there still is namespace/ns"
    assert str(raised.value).splitlines() == [
        f"the cluster is not as it was: {state}",
        "held by a finalizer",
        f"delete what is left with `kubectl delete {WHAT}`",
    ]
