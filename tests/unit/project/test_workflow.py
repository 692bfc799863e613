"""What the workflow promises, read from its file."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SOURCE = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(SOURCE)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]

pytestmark = pytest.mark.requirement("REQ-647")


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
    """A job of its own looks at this code and at what it depends on, by what `make check` runs too."""
    assert commands("security") == "make security vulnerabilities"


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
    assert "floe-testing trace --all --threshold 100" in makefile
    assert "--results %,$(shell find results -name junit.xml 2>/dev/null)" in makefile


@pytest.mark.requirement("REQ-646")
def test_every_job_that_runs_tests_has_a_limit() -> None:
    """No job waits for ever on something that hangs."""
    assert all(job["timeout-minutes"] <= 90 for name, job in JOBS.items() if name != "ci-success")


def test_workflow_may_only_read() -> None:
    """The workflow's token can't write; the job that shows findings may, and runs no tests."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    own = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert own == {"audit": {"contents": "read", "security-events": "write"}}
    assert "make check" not in commands("audit")


def test_findings_are_shown_in_the_pull_request() -> None:
    """The audit's findings are uploaded as SARIF, from the file that the audit wrote."""
    assert "floe-testing audit --format sarif --output results/audit.sarif --fail-on never" in commands("audit")
    (upload,) = [step for name, step in STEPS if name == "audit" and "upload-sarif" in step.get("uses", "")]
    assert upload["with"]["sarif_file"] == "results/audit.sarif"


def test_actions_are_pinned() -> None:
    """Each action is named by its commit, which nobody can move, and its version; by the same one everywhere."""
    lines = [line.partition("uses: ")[2] for line in SOURCE.splitlines() if "uses: " in line]
    assert len(lines) == sum("uses" in step for _, step in STEPS)
    assert [line for line in lines if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    assert len(set(lines)) == len({line.partition("@")[0] for line in lines})
