"""The main job on a real cluster: this repository's own integration tier, and what it leaves behind."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)


@pytest.mark.requirement("REQ-639", "T025")
@pytest.mark.requirement("REQ-640", "REQ-647.1")
def test_passes_on_real_services(integration_results: Path) -> None:
    """Every integration test passes in the cluster, and the exit code says so."""
    suites = JUnitXml.fromfile(str(integration_results / "junit.xml"))
    assert [suite.name for suite in suites] == ["integration"]
    assert suites.tests >= 20
    assert suites.failures + suites.errors + suites.skipped == 0
    assert (integration_results / "exit-code").read_text() == "0\n"


@pytest.mark.requirement("REQ-644", "REQ-639.6", "REQ-644.1")
def test_always_holds_its_files(integration_results: Path) -> None:
    """The results hold JUnit, coverage, logs, events, timings, a summary and the exit code."""
    names = {path.name for path in integration_results.iterdir()}
    assert names >= {
        "junit.xml",
        "coverage.xml",
        "logs",
        "events.txt",
        "timings.json",
        "summary.md",
        "exit-code",
        "report.html",
        "history.jsonl",
    }


@pytest.mark.requirement("REQ-644", "REQ-644.2")
def test_coverage_is_measured_in_the_cluster(integration_results: Path) -> None:
    """The coverage is that of the framework as the tests in the cluster used it."""
    coverage = ET.parse(integration_results / "coverage.xml").getroot()  # noqa: S314 - our own run wrote it
    assert int(coverage.attrib["lines-covered"]) > 100


@pytest.mark.requirement("REQ-644", "T018", "T019", "T021", "REQ-640.1")
@pytest.mark.parametrize("pod", ["postgres-0", "minio-0", "dagster-webserver", "dagster-daemon", "dagster-code"])
def test_every_service_left_its_log(integration_results: Path, pod: str) -> None:
    """The log of each service's pod is there, and says something."""
    logs = [log for log in (integration_results / "logs").glob(f"{pod}*/*.log") if log.stat().st_size]
    assert logs


@pytest.mark.requirement("REQ-644", "REQ-639.5", "REQ-644.3")
def test_job_left_its_log(integration_results: Path) -> None:
    """The log of the Job's pod is there, with what pytest has said at its end."""
    (log,) = (integration_results / "logs").glob("floe-test-runner-*/runner.log")
    assert re.search(r"=+ \d+ passed.* in .* =+$", log.read_text(), re.MULTILINE)


@pytest.mark.requirement("REQ-644", "REQ-649.1")
def test_log_of_a_deleted_pod_is_kept(integration_results: Path) -> None:
    """A test deletes the PostgreSQL pod; the log of the pod that is gone still shows it starting and stopping."""
    log = (integration_results / "logs" / "postgres-0" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "shut down" in log


@pytest.mark.requirement("REQ-649", "REQ-649.4")
def test_events_name_the_job(integration_results: Path) -> None:
    """The events tell how the Job's pod came to run."""
    assert "Job/floe-test-runner SuccessfulCreate" in (integration_results / "events.txt").read_text()


@pytest.mark.requirement("REQ-650", "REQ-640.6")
def test_every_step_is_timed_in_order(integration_results: Path) -> None:
    """Each step of the pipeline has its duration, in the order in which they began."""
    timings = json.loads((integration_results / "timings.json").read_text())
    names = [step["name"] for step in timings["steps"]]
    story = ["configure", "build runner", "create cluster", "namespace", "services ready", "tests", "collect"]
    assert [name for name in names if name in story] == story
    assert all(step["seconds"] > 0 for step in timings["steps"])
    assert 0 < timings["time_to_first_test_seconds"] < timings["total_seconds"]


@pytest.mark.requirement("REQ-637.3")
def test_images_are_at_hand_before_services_start(integration_results: Path) -> None:
    """Images are loaded beside the nodes, and are all there before the services are waited for."""
    steps = json.loads((integration_results / "timings.json").read_text())["steps"]
    (waited,) = (step["started_seconds"] for step in steps if step["name"] == "services ready")
    loaded = [step["started_seconds"] + step["seconds"] for step in steps if step["name"] == "load images"]
    assert loaded
    assert max(loaded) <= waited


@pytest.mark.requirement("T074")
def test_cluster_is_ready_within_three_minutes(integration_results: Path) -> None:
    """From nothing to a cluster whose nodes are ready is less than three minutes.

    How long its services and the first test take is measured in `benchmarks/`, where nothing else runs.
    """
    steps = json.loads((integration_results / "timings.json").read_text())["steps"]
    ready = next(step for step in steps if step["name"] == "nodes ready")
    assert ready["started_seconds"] + ready["seconds"] < 180


def test_no_password_is_written_down(integration_results: Path) -> None:
    """No generated password stands in a file of the results, where a connection string would show it."""
    text = "".join(path.read_text(errors="replace") for path in integration_results.rglob("*") if path.is_file())
    assert "password=" not in text.replace("password=***", "")
