"""What the workflow promises, read from its file."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOBS: dict[str, Any] = WORKFLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]

pytestmark = [pytest.mark.unit, pytest.mark.requirement("REQ-647")]


def commands(job: str) -> str:
    """Return what a job runs."""
    return "\n".join(step["run"] for step in JOBS[job]["steps"] if "run" in step)


def test_every_change_is_checked() -> None:
    """The workflow runs on each push to the main branch and on each pull request; YAML reads `on` as true."""
    assert WORKFLOW[True] == {"push": {"branches": ["main"]}, "pull_request": None}


@pytest.mark.requirement("T053")
def test_all_tiers_run_side_by_side() -> None:
    """Each tier has a job of its own, and one that fails does not stop the others."""
    assert JOBS["tiers"]["strategy"] == {"fail-fast": False, "matrix": {"tier": ["unit", "integration", "e2e"]}}
    assert commands("tiers").splitlines()[0] == "make test-${{ matrix.tier }}"
    assert "needs" not in JOBS["tiers"]


@pytest.mark.requirement("REQ-644")
@pytest.mark.parametrize("job", ["check", "tiers"])
def test_results_are_kept_whatever_the_verdict(job: str) -> None:
    """Results are uploaded after success and failure alike, and kept for 90 days."""
    (upload,) = [step for name, step in STEPS if name == job and "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"
    assert upload["with"]["retention-days"] == 90
    assert upload["with"]["name"].startswith("results-")


@pytest.mark.requirement("T052")
def test_vulnerabilities_are_looked_for() -> None:
    """A job of its own looks at this code and at what it depends on."""
    assert re.search(r"bandit==\S+ --recursive ci/src testing", commands("security"))
    assert re.search(r"pip-audit==\S+ --requirement", commands("security"))


@pytest.mark.requirement("T054")
def test_success_needs_every_job() -> None:
    """The last job fails unless all the others succeeded."""
    last = JOBS["ci-success"]
    assert sorted(last["needs"]) == sorted(JOBS.keys() - {"ci-success"})
    assert last["if"] == "always()"
    assert "contains(needs.*.result, 'failure')" in commands("ci-success")
    assert "contains(needs.*.result, 'cancelled')" in commands("ci-success")


@pytest.mark.requirement("T055", "T076")
def test_requirements_are_traced_over_all_results() -> None:
    """Once all tests have run, their results must verify every requirement."""
    assert JOBS["trace"]["needs"] == ["check", "tiers"]
    (download,) = [step for name, step in STEPS if name == "trace" and "download-artifact" in step.get("uses", "")]
    assert download["with"] == {"pattern": "results-*", "path": "results"}
    assert commands("trace") == "make trace"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "floe-testing trace --spec REQ-636-650 --threshold 100" in makefile
    assert "--results %,$(wildcard results/*/junit.xml)" in makefile


@pytest.mark.requirement("REQ-646")
def test_every_job_that_runs_tests_has_a_limit() -> None:
    """No job waits for ever on something that hangs."""
    assert all(job["timeout-minutes"] <= 90 for name, job in JOBS.items() if name != "ci-success")


def test_workflow_may_only_read() -> None:
    """The workflow's token can't write, unless a job says so."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
