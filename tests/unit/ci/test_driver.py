"""A run that breaks still leaves a report, and what there is to collect."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver.__main__ import drive
from floe_ci.driver.spec import RunSpec
from kubernetes import client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.ci.conftest import ApiServer

pytestmark = pytest.mark.unit

SPEC = RunSpec(
    run_id="abc",
    tier="integration",
    namespace="ns",
    nodes=1,
    services="",
    runner="",
    timeouts=Timeouts(services=1),
)


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """Return the API of a cluster of one node, with a kubectl that agrees to everything."""
    condition = client.V1NodeCondition(type="Ready", status="True")
    node = client.V1Node(spec=client.V1NodeSpec(), status=client.V1NodeStatus(conditions=[condition]))
    api.objects["/api/v1/nodes"] = client.V1NodeList(items=[node])
    api.objects["/api/v1/namespaces/ns/pods"] = client.V1PodList(items=[])
    api.objects["/api/v1/namespaces/ns/events"] = client.CoreV1EventList(items=[])
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text("#!/bin/sh\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(kubectl.parent), prepend=":")
    return api


@pytest.mark.usefixtures("cluster")
def test_without_tests(tmp_path: Path) -> None:
    """A run of services alone has no exit code, no problem, and its steps in order."""
    report = drive(SPEC, tmp_path)
    assert (report.exit_code, report.problem) == (None, None)
    assert [step.name for step in report.steps] == ["namespace", "nodes ready", "apply", "services ready"]


@pytest.mark.usefixtures("cluster")
def test_events_are_written(tmp_path: Path) -> None:
    """A run writes the events of its namespace, also where there is none."""
    drive(SPEC, tmp_path)
    assert (tmp_path / "events.txt").read_text() == ""


def test_problem_is_reported(cluster: ApiServer, tmp_path: Path) -> None:
    """What breaks a run is in its report, and on the step that broke."""
    cluster.objects["/api/v1/nodes"] = client.V1NodeList(items=[])
    report = drive(SPEC, tmp_path)
    problem = "nodes: not there after 1 s; last seen: 0 of 1 nodes are Ready"
    assert report.problem == problem
    assert {step.name: step.error for step in report.steps} == {
        "namespace": None,
        "nodes ready": f"RunError: {problem}",
    }


def test_refusal_is_reported(cluster: ApiServer, tmp_path: Path) -> None:
    """An API that refuses a request is a problem of the run, not an exception."""
    cluster.objects["/api/v1/namespaces"] = HTTPStatus.FORBIDDEN
    assert "the cluster's API failed: (403)" in str(drive(SPEC, tmp_path).problem)


def test_events_that_cannot_be_read(cluster: ApiServer, tmp_path: Path) -> None:
    """Where the events can't be read, their file says why, and the run is not blamed for it."""
    cluster.objects["/api/v1/namespaces/ns/events"] = HTTPStatus.FORBIDDEN
    assert drive(SPEC, tmp_path).problem is None
    assert (tmp_path / "events.txt").read_text().startswith("the events could not be read: (403)")


def test_kept_namespace(cluster: ApiServer, tmp_path: Path) -> None:
    """A namespace that is there from before is no obstacle: its manifests are applied again."""
    cluster.objects["/api/v1/namespaces"] = HTTPStatus.CONFLICT
    assert drive(SPEC, tmp_path).problem is None
    assert "floe-credentials" in [made["metadata"]["name"] for made in cluster.created]
