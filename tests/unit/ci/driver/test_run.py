"""One run on a cluster, in its parts: each has an end, and what there is can be had whatever broke."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver import order
from floe_ci.driver.poll import Stopped
from floe_ci.driver.run import ClusterRun
from floe_ci.errors import RunError, UserError
from kubernetes import client

from tests.unit.ci.driver.test_follow import Files
from tests.unit.ci.driver.test_job import MANIFESTS, packed, pods, state, until_sent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

SERVICES = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: "web:1", env: [{name: P, valueFrom: {secretKeyRef: \
{name: floe-credentials, key: FLOE_WEB_PASSWORD}}}]}]}}}
"""
NAMESPACE = "/api/v1/namespaces"
PODS, EVENTS = f"{NAMESPACE}/ns/pods", f"{NAMESPACE}/ns/events"


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    """Return the API of a cluster of one node, in which a Deployment is ready at once."""
    condition = client.V1NodeCondition(type="Ready", status="True")
    node = client.V1Node(spec=client.V1NodeSpec(), status=client.V1NodeStatus(conditions=[condition]))
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node])
    api.objects[PODS] = client.V1PodList(items=[])
    api.objects[EVENTS] = client.CoreV1EventList(items=[])
    api.objects["/apis/apps/v1/namespaces/ns/deployments/web/status"] = {
        "metadata": {"name": "web", "generation": 1},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 1},
    }
    return api


@pytest.fixture
def make(cluster: ApiServer, run_spec: Callable[..., RunSpec], files: Files) -> Callable[..., ClusterRun]:
    """Return what makes a run in that cluster."""

    def make(stop: threading.Event | None = None, feed: Any = None, **fields: object) -> ClusterRun:  # noqa: ANN401 - any callable
        return ClusterRun(cluster.apis, run_spec(**fields), files, stop or threading.Event(), feed=feed)

    return make


@pytest.fixture
def files() -> Files:
    """Return what keeps the logs."""
    return Files()


def test_story(cluster: ApiServer, make: Callable[..., ClusterRun], files: Files, tmp_path: Path) -> None:
    """A run makes its namespace and its password, has services and tests applied, and its results and logs are had."""
    fed: list[str] = []
    cluster.run = packed
    # Each line with its time, as the API gives it: the log is read anew for as long as the tests' container runs.
    cluster.logs["runner", False] = [b"2026-01-01T00:00:00Z one passed\n"]
    cluster.logs["results", False] = [b"2026-01-01T00:00:00Z {}\n"]
    with make(services=SERVICES, runner=MANIFESTS, feed=fed.append) as run:
        (password,) = run.prepare()
        run.nodes()
        run.services()
        found = pods(state("runner", 1), state("results", None))
        found.items[0].metadata.uid = "1"
        cluster.objects[PODS] = until_sent(cluster, found)
        assert run.tests() == 1
        assert run.collect(tmp_path) == ()
    made = {each["metadata"]["name"]: each for each in cluster.created}
    assert list(made) == ["ns", "floe-credentials"]
    assert made["floe-credentials"]["stringData"] == {"FLOE_WEB_PASSWORD": password}
    assert [each["kind"] for each in cluster.applied][:1] == ["Deployment"]
    assert "Job" in [each["kind"] for each in cluster.applied]
    assert (run.problem, run.notes) == (None, ())
    assert (tmp_path / "junit.xml").exists()
    assert files.text("logs/floe-test-runner-x/runner.log") == ["one passed"]
    assert (fed, list(files.lines)) == (["{}"], ["logs/floe-test-runner-x/runner.log"])


def test_success_is_heard(cluster: ApiServer, make: Callable[..., ClusterRun]) -> None:
    """Tests whose pod tells that they succeeded are over, whatever their node still says; nobody else is told so."""
    fed: list[str] = []
    cluster.run = packed
    cluster.logs["runner", False] = [b"one passed\n"]
    cluster.logs["results", False] = [b"{}\n", b"\n", f"{order.SUCCEEDED}\n".encode()]
    cluster.objects[PODS] = until_sent(cluster, pods(state("runner", None), state("results", None)))
    with make(runner=MANIFESTS, feed=fed.append) as run:
        assert run.tests() == 0
    assert (run.problem, set(fed)) == (None, {"{}", ""})


def test_time_of_the_tests(cluster: ApiServer, make: Callable[..., ClusterRun]) -> None:
    """Tests that were ended for their time are told so, beside their code."""
    cluster.objects[PODS] = until_sent(cluster, pods(state("runner", 124), state("results", None)))
    run = make(runner=MANIFESTS, timeouts=Timeouts(job=60, services=1))
    assert run.tests() == 124
    assert run.problem
    assert (run.problem.kind, run.problem.text) == ("timeout", "the tests took longer than 60 s")


def test_no_log_before_the_passwords(cluster: ApiServer, make: Callable[..., ClusterRun], files: Files) -> None:
    """In a namespace that is there from before, no log is read until the passwords are known."""
    cluster.objects[NAMESPACE] = HTTPStatus.CONFLICT
    cluster.objects[PODS] = pods(state("web", 0))
    with make(services=SERVICES) as run:
        run.prepare()
        run.nodes()
    assert (cluster.read, files.lines) == ([], {})


def test_refusal(cluster: ApiServer, make: Callable[..., ClusterRun]) -> None:
    """An API that refuses the namespace breaks the run with its own words."""
    cluster.objects[NAMESPACE] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError, match=r"^Namespace ns: the cluster refused it: no: 403 \(403\)$"):
        make().prepare()


def test_quota_without_room(cluster: ApiServer, make: Callable[..., ClusterRun]) -> None:
    """Services that a quota has no room for are refused before one of them is there."""
    quota = client.V1ResourceQuota(
        metadata=client.V1ObjectMeta(name="none"), status=client.V1ResourceQuotaStatus(hard={"pods": "0"}, used={})
    )
    cluster.objects[f"{NAMESPACE}/ns/resourcequotas"] = client.V1ResourceQuotaList(items=[quota])
    with pytest.raises(UserError, match="quota none allows 0 of pods, and the services take 1 for one shard already"):
        make(services=SERVICES, runner=MANIFESTS, shards=3).services(follow=False)
    assert cluster.applied == []


def test_wrong_environment(make: Callable[..., ClusterRun]) -> None:
    """An environment of variables that aren't there is the caller's to mend."""
    with pytest.raises(UserError, match="FLOE_WEP_HOST"):
        make(environment={"URL": "${FLOE_WEP_HOST}"}).prepare()


@pytest.mark.usefixtures("clock")
def test_api_that_fails_once(cluster: ApiServer, make: Callable[..., ClusterRun], tmp_path: Path) -> None:
    """One failed answer breaks no part of a run."""
    cluster.run = packed
    found = pods(state("runner", 0), state("results", None))

    def once(path: str) -> None:
        answer = cluster.objects.get(path)
        answers = iter([HTTPStatus.SERVICE_UNAVAILABLE])
        cluster.objects[path] = lambda made=answer: next(answers, made)

    run = make(services=SERVICES, runner=MANIFESTS)
    for path in (NAMESPACE, f"{NAMESPACE}/ns/secrets"):
        answers = iter([HTTPStatus.BAD_GATEWAY])
        cluster.objects[path] = lambda made, answers=answers: next(answers, made)
    once("/api/v1/nodes")
    run.prepare()
    run.nodes()
    once(PODS)
    run.services()
    cluster.objects[PODS] = until_sent(cluster, found)
    assert run.tests() == 0
    cluster.objects[PODS] = found
    once(PODS)
    assert run.collect(tmp_path) == ()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["prepare", "nodes", "services", "tests"])
def test_stopped(make: Callable[..., ClusterRun], part: str) -> None:
    """Each part of a run that was told to stop ends at once, and leaving it takes no long time."""
    stop = threading.Event()
    stop.set()
    with make(stop, services=SERVICES, runner=MANIFESTS) as run, pytest.raises(Stopped):
        getattr(run, part)()


def test_collected_after_it_was_stopped(cluster: ApiServer, make: Callable[..., ClusterRun], tmp_path: Path) -> None:
    """What there is can be had from a run that was told to stop, while its tests still run."""
    stop = threading.Event()
    cluster.run = packed
    cluster.objects[PODS] = lambda: stop.set() or pods(state("runner", None), state("results", None))
    with make(stop, runner=MANIFESTS) as run:
        with pytest.raises(Stopped):
            run.tests()
        run.collect(tmp_path, timeout=10)
        assert run.events() == ""
    assert (tmp_path / "junit.xml").exists()


def test_events_that_cannot_be_read(cluster: ApiServer, make: Callable[..., ClusterRun]) -> None:
    """Where the events can't be read, that is said instead."""
    cluster.objects[EVENTS] = HTTPStatus.FORBIDDEN
    assert make().events() == "the events could not be read: the cluster refused it: no: 403 (403)\n"


def test_events_of_an_api_that_says_nothing(cluster: ApiServer, make: Callable[..., ClusterRun]) -> None:
    """Events of an API that doesn't answer are not waited for."""
    over = threading.Event()
    cluster.objects[EVENTS] = lambda: over.wait(60) or HTTPStatus.FORBIDDEN
    assert make().events(timeout=0.1) == "the events could not be read: no answer within 0.1 s\n"
    over.set()


@pytest.mark.timeout(30)
def test_api_that_hangs_at_the_end(
    cluster: ApiServer, make: Callable[..., ClusterRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is left in a few seconds, also while the API says nothing."""
    monkeypatch.setattr("floe_ci.driver.run.LAST_LINES", 0.2)
    over, asked = threading.Event(), threading.Event()
    with make() as run:
        run.services()
        cluster.objects[PODS] = lambda: asked.set() or over.wait(60) or client.V1PodList(items=[])
        assert asked.wait(30)
    over.set()


ADDON = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: kettles}
---
apiVersion: v1
kind: Namespace
metadata: {name: kettles}
"""
WEBHOOK = """\
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: kettles}
webhooks: []
"""
KETTLES = f"{NAMESPACE}/kettles"


@pytest.fixture
def add_on(cluster: ApiServer) -> ApiServer:
    """Return the API of that cluster, with an add-on whose pod says something and was started twice."""
    pod = pods(state("server", None)).items[0]
    pod.metadata = client.V1ObjectMeta(name="operator-1", uid="2")
    pod.status.container_statuses[0].restart_count = 1
    cluster.objects[f"{KETTLES}/pods"] = client.V1PodList(items=[pod])
    about = client.V1ObjectReference(kind="Pod", name="operator-1")
    metadata = client.V1ObjectMeta(name="e", namespace="kettles")
    said = client.CoreV1Event(
        metadata=metadata,
        involved_object=about,
        reason="Pulled",
        message="there",
        type="Normal",
        last_timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )
    cluster.objects[f"{KETTLES}/events"] = client.CoreV1EventList(items=[said])
    cluster.logs["server", True] = [b"2026-01-01T00:00:00Z failed\n"]
    cluster.logs["server", False] = [b"2026-01-01T00:00:00Z watching\n"]
    ready = cluster.objects["/apis/apps/v1/namespaces/ns/deployments/web/status"]
    cluster.objects["/apis/apps/v1/namespaces/kettles/deployments/operator/status"] = ready
    return cluster


def test_add_ons_are_seen(add_on: ApiServer, make: Callable[..., ClusterRun], files: Files) -> None:
    """Of add-ons there are the logs, under their namespace; what the cluster says of it; and pods that are not well."""
    add_on.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    with make(addons={"operator": ADDON}, services=SERVICES) as run:
        run.services()
    assert files.text("logs/kettles.operator-1/server.log")[:1] == ["failed"]
    assert files.text("logs/kettles.operator-1/server.1.log")[:1] == ["watching"]
    assert run.events().endswith("Pod/operator-1 Pulled: there\n")
    assert sorted(run.unwell()) == ["pods/nodes.txt", "pods/operator-1.txt"]


@pytest.mark.parametrize(("addon", "first"), [(ADDON, False), (ADDON + WEBHOOK, True)], ids=["unconcerned", "webhook"])
def test_services_wait_for_add_ons(
    add_on: ApiServer,
    make: Callable[..., ClusterRun],
    addon: str,
    first: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Services wait for an add-on that may have a say in them, and not for another; it is waited for in any case."""
    webhook = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/kettles"
    add_on.objects[webhook] = {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "kettles"}}
    path = "/apis/apps/v1/namespaces/kettles/deployments/operator/status"
    ready = add_on.objects[path]
    there: list[bool] = []

    def look() -> object:
        there.append(any(each["metadata"]["name"] == "web" for each in add_on.applied))
        return ready

    add_on.objects[path] = look
    with make(addons={"operator": addon}, services=SERVICES) as run:
        run.services()
    assert there[0] is not first
