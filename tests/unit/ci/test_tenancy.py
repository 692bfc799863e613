"""A run's stay in somebody else's cluster: what it checks, and what it leaves."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.config import Config, TierConfig
from floe_ci.errors import UserError
from floe_ci.existing.kinds import Kinds
from floe_ci.existing.plan import Plan
from floe_ci.existing.target import Target
from floe_ci.existing.tenancy import Tenancy
from floe_ci.manifests import Manifests
from floe_ci.request import RunRequest
from floe_ci.steps import Step, Timings
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from floe_ci.driver.spec import DriverReport, RunSpec

    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.usefixtures("clock")

DELETE = "delete namespaces --selector=floe.dev/run-id=abc,app.kubernetes.io/managed-by=floe-ci --ignore-not-found"
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: web}}"


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.notes: list[str] = []

    def note(self, line: str) -> None:
        """Keep a line."""
        self.notes.append(line)

    def begin(self, step: str) -> None:
        """Pass over a step that begins."""

    def end(self, step: Step) -> None:
        """Pass over a step that has ended."""


@pytest.fixture
def cluster(api: ApiServer, stand_in: Callable[[str], None]) -> ApiServer:
    """Return the API of a cluster of one node that allows everything, with a kubectl that agrees to everything."""
    condition = client.V1NodeCondition(type="Ready", status="True")
    node = client.V1Node(spec=client.V1NodeSpec(), status=client.V1NodeStatus(conditions=[condition]))
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node])
    api.objects["/api/v1/namespaces"] = lambda made: made
    api.objects["/api/v1/namespaces/ns/pods"] = client.V1PodList(items=[])
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    api.objects["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = lambda asked: {
        **asked,
        "status": {"allowed": True},
    }
    service = client.V1APIResource(kind="Service", name="services", namespaced=True, singular_name="", verbs=[])
    api.objects["/api/v1/"] = client.V1APIResourceList(group_version="v1", resources=[service])
    stand_in("")
    return api


@pytest.fixture
def stay(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> Callable[..., DriverReport]:
    """Return what has a run of nothing stay in the cluster, and returns its report."""

    def make(listener: Listener | None = None, timings: Timings | None = None, **options: bool) -> DriverReport:
        tenancy = Tenancy(cluster.apis, "abc", "ns", "in ns", Manifests(()), Kinds({}))
        return tenancy.stay(run_spec(), tmp_path / "results", timings or Timings(), listener or Listener(), **options)

    return make


def test_stay(stay: Callable[..., DriverReport], calls: Callable[[], list[str]]) -> None:
    """A run that has ended leaves nothing, and its results say where it was."""
    report = stay()
    assert (report.problem, report.notes) == (None, ("in ns",))
    assert calls() == [f"{DELETE} --wait=false", f"get{DELETE.removeprefix('delete')} --output name"]


def test_steps(stay: Callable[..., DriverReport]) -> None:
    """What is made and deleted is timed, around what every run does."""
    timings = Timings()
    stay(timings=timings)
    names = [step.name for step in timings.steps]
    assert names == ["claim", "namespace", "nodes ready", "apply", "services ready", "leave the cluster"]


def test_broken_run_leaves_nothing(
    cluster: ApiServer, stay: Callable[..., DriverReport], calls: Callable[[], list[str]]
) -> None:
    """A run that breaks is deleted like any other, and is reported."""
    cluster.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    assert str(stay().problem).startswith("nodes: not there after 1 s")
    assert f"{DELETE} --wait=false" in calls()


def test_defect_leaves_nothing(
    stay: Callable[..., DriverReport], calls: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where this program itself fails, the cluster is left as it was."""
    monkeypatch.setattr("floe_ci.existing.tenancy.drive", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stay()
    assert f"{DELETE} --wait=false" in calls()


def test_deletion_that_fails(stay: Callable[..., DriverReport], stand_in: Callable[[str], None]) -> None:
    """A cluster that can't be left as it was is a problem of a run that passed, and an error of that step."""
    stand_in("echo 'no connection' >&2; exit 1")
    timings = Timings()
    assert str(stay(timings=timings).problem).startswith("the cluster is not as it was: ")
    assert timings.steps[-1].error


def test_both_problems(cluster: ApiServer, stay: Callable[..., DriverReport], stand_in: Callable[[str], None]) -> None:
    """A run that broke, and could not be deleted, tells both."""
    cluster.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    stand_in("exit 1")
    problem = str(stay().problem)
    assert "nodes: not there after 1 s" in problem
    assert "the cluster is not as it was: " in problem


def test_kept(
    cluster: ApiServer, stay: Callable[..., DriverReport], calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    """A failed run that is to be kept is left, and its results say how to look into it and how to delete it."""
    cluster.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    assert stay(keep_failed=True).notes == (
        "in ns",
        "it was left for a look: kubectl --namespace ns get all",
        f"to delete it: kubectl {DELETE}",
    )
    assert not (tmp_path / "calls").exists(), calls()


def test_passed_run_is_not_kept(stay: Callable[..., DriverReport], calls: Callable[[], list[str]]) -> None:
    """Only a failed run is kept for a look."""
    stay(keep_failed=True)
    assert f"{DELETE} --wait=false" in calls()


def test_services_that_stay(stay: Callable[..., DriverReport], tmp_path: Path) -> None:
    """Services that came up are left where that was asked for."""
    assert stay(keep_passed=True).problem is None
    assert not (tmp_path / "calls").exists()


def test_services_that_did_not_come_up(
    cluster: ApiServer, stay: Callable[..., DriverReport], calls: Callable[[], list[str]]
) -> None:
    """Services that were to stay and did not come up are deleted."""
    cluster.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    stay(keep_passed=True)
    assert f"{DELETE} --wait=false" in calls()


def test_interrupted(
    cluster: ApiServer,
    run_spec: Callable[..., RunSpec],
    stand_in: Callable[[str], None],
    calls: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    """A run that is told to stop has its namespace deleted without waiting for the end, and still has a report."""
    # It reads its input first: a signal in the middle of a process's start is another matter.
    stand_in('case "$*" in apply*) cat >&2; kill -TERM $PPID; exec tail -f /dev/null ;; esac')
    tenancy = Tenancy(cluster.apis, "abc", "ns", "in ns", Manifests(()), Kinds({}))
    report = tenancy.stay(run_spec(services=SERVICE), tmp_path / "results", Timings(), Listener())
    assert report.problem == "the run was interrupted by SIGTERM"
    assert calls()[1:] == [f"{DELETE} --wait=false"]
    assert report.notes[1].startswith("the cluster was told to delete it, and not waited for: kubectl get namespaces ")
    assert (tmp_path / "results" / "events.txt").exists()


def test_interrupted_clean_up(
    cluster: ApiServer,
    run_spec: Callable[..., RunSpec],
    stand_in: Callable[[str], None],
    calls: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    """A signal while the cluster is being left as it was stops nothing: whoever sent it is told what goes on."""
    stand_in('case "$*" in delete*) cat >&2; kill -TERM $PPID ;; esac')
    tenancy, listener = Tenancy(cluster.apis, "abc", "ns", "in ns", Manifests(()), Kinds({})), Listener()
    report = tenancy.stay(run_spec(), tmp_path / "results", Timings(), listener)
    assert report.problem is None
    assert len(calls()) == 2
    assert listener.notes == ["SIGTERM: what the run made in the cluster is being deleted; this takes a moment"]


def checked(api: ApiServer, monkeypatch: pytest.MonkeyPatch, services: str = SERVICE, **tier: Any) -> Tenancy:  # noqa: ANN401 - a tier's fields
    """Return what a check of a plan with some services gives."""
    monkeypatch.setattr(Target, "connect", lambda _: api.apis)
    plan = Plan(RunRequest(), Config(), TierConfig(**tier), Manifests.parse(services, "test"), Manifests(()))
    return Tenancy.check(plan, Target(None, "prod", "https://prod"), "abc")


def test_check(cluster: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that can take a run, and lets it in, is told of; nothing has been made in it."""
    tenancy = checked(cluster, monkeypatch)
    assert tenancy.where == "in namespace floe-integration-abc of context prod, https://prod"
    assert all("resourceAttributes" in made["spec"] for made in cluster.created)


def test_missing_rights(cluster: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that may not do all it has to is refused before anything is made."""
    cluster.objects["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = lambda asked: {
        **asked,
        "status": {"allowed": asked["spec"]["resourceAttributes"]["resource"] != "services"},
    }
    with pytest.raises(UserError, match="services: create, patch"):
        checked(cluster, monkeypatch)


def test_too_few_nodes(cluster: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier that wants more nodes than there are is refused before anything is made."""
    with pytest.raises(UserError) as raised:
        checked(cluster, monkeypatch, nodes=3)
    assert str(raised.value) == "tier integration wants 3 nodes that take pods; context prod has 1"


def test_namespace_in_the_manifests(cluster: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests that reach into another namespace are refused before anything is made."""
    elsewhere = SERVICE.replace("name: web", "name: web, namespace: kube-system")
    with pytest.raises(UserError, match=r"leave it out of Service web \(kube-system\)"):
        checked(cluster, monkeypatch, elsewhere)


def test_cluster_that_fails(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that fails while it is asked is told by its context, without a traceback."""
    api.objects["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = HTTPStatus.NOT_FOUND
    with pytest.raises(UserError, match=r"^context prod: the cluster's API failed: \(404\)"):
        checked(api, monkeypatch, "")
