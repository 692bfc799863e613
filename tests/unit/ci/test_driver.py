"""A run that breaks still leaves a report, and what there is to collect."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.drive import drive
from floe_ci.steps import Timings
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.usefixtures("clock")

SERVICES = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: "web:1", env: [{name: P, valueFrom: {secretKeyRef: \
{name: floe-credentials, key: FLOE_WEB_PASSWORD}}}]}]}}}
"""


@pytest.fixture
def cluster(api: ApiServer, stand_in: Callable[[str], None]) -> ApiServer:
    """Return the API of a cluster of one node, with a kubectl that agrees to everything."""
    condition = client.V1NodeCondition(type="Ready", status="True")
    node = client.V1Node(spec=client.V1NodeSpec(), status=client.V1NodeStatus(conditions=[condition]))
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node])
    api.objects["/api/v1/namespaces/ns/pods"] = client.V1PodList(items=[])
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    stand_in("")
    return api


def test_without_tests(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """A run of services alone has no exit code, no problem, and its steps in order."""
    report = drive(cluster.apis, run_spec(), tmp_path, Timings())
    assert (report.exit_code, report.problem) == (None, None)
    assert [step.name for step in report.steps] == ["namespace", "nodes ready", "apply", "services ready"]


def test_events_are_written(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """A run writes the events of its namespace, also where there is none."""
    drive(cluster.apis, run_spec(), tmp_path, Timings())
    assert (tmp_path / "events.txt").read_text() == ""


def test_problem_is_reported(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """What breaks a run is in its report, and on the step that broke."""
    cluster.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    report = drive(cluster.apis, run_spec(), tmp_path, Timings())
    problem = (
        "nodes: not there after 1 s; last seen: 0 of 1 nodes are Ready\nlook further with `kubectl describe nodes`"
    )
    assert report.problem == problem
    assert {step.name: step.error for step in report.steps} == {
        "namespace": None,
        "nodes ready": f"RunError: {problem}",
    }


def test_refusal_is_reported(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """An API that refuses a request is a problem of the run, not an exception."""
    cluster.objects["/api/v1/namespaces"] = HTTPStatus.FORBIDDEN
    assert "the cluster's API failed: (403)" in str(drive(cluster.apis, run_spec(), tmp_path, Timings()).problem)


def test_events_that_cannot_be_read(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """Where the events can't be read, their file says why, and the run is not blamed for it."""
    cluster.objects["/api/v1/namespaces/ns/events"] = HTTPStatus.FORBIDDEN
    assert drive(cluster.apis, run_spec(), tmp_path, Timings()).problem is None
    assert (tmp_path / "events.txt").read_text().startswith("the events could not be read: (403)")


def test_kept_namespace(cluster: ApiServer, run_spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """A namespace that is there from before is no obstacle: its manifests are applied again."""
    cluster.objects["/api/v1/namespaces"] = HTTPStatus.CONFLICT
    assert drive(cluster.apis, run_spec(), tmp_path, Timings()).problem is None
    assert "floe-credentials" in [made["metadata"]["name"] for made in cluster.created]


def test_log_with_a_password(
    cluster: ApiServer, crashing: client.V1Pod, run_spec: Callable[..., RunSpec], tmp_path: Path
) -> None:
    """The log of a service that breaks a run is told without the password in it, in the report and on the step."""
    cluster.objects["/api/v1/namespaces/ns/pods"] = client.V1PodList(items=[crashing])

    def log() -> Iterator[bytes]:
        (credentials,) = (made for made in cluster.created if made["metadata"]["name"] == "floe-credentials")
        yield f"no entry for {credentials['stringData']['FLOE_WEB_PASSWORD']}\n".encode()

    cluster.logs["web", True] = log()
    report = drive(cluster.apis, run_spec(services=SERVICES), tmp_path, Timings())
    (step,) = [step for step in report.steps if step.error]
    assert "no entry for ***" in str(report.problem)
    assert "no entry for ***" in str(step.error)
