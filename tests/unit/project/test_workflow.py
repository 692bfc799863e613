"""What the workflows promise, read from their files; `tests/functional/project` runs what they run."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from floe_ci.cli.test import MOST_ATTEMPTS
from floe_ci.contract import TIMEOUTS

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".github" / "workflows"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yml")}
ACTION_SOURCE = (ROOT / "action" / "action.yml").read_text(encoding="utf-8")
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(source) for name, source in SOURCES.items()}
CI = WORKFLOWS["ci.yml"]
JOBS: dict[str, Any] = CI["jobs"]
TESTS: dict[str, Any] = WORKFLOWS["tests.yml"]["jobs"]["test"]
ACTION: dict[str, Any] = yaml.safe_load(ACTION_SOURCE)
ALL_JOBS = {f"{file}: {name}": job for file, workflow in WORKFLOWS.items() for name, job in workflow["jobs"].items()}
STEPS = [step for job in ALL_JOBS.values() for step in job.get("steps", ())] + ACTION["runs"]["steps"]
CALL = "$/.github/workflows/tests.yml"

pytestmark = pytest.mark.requirement("REQ-647")


def named(steps: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the step of this name."""
    (step,) = [step for step in steps if step["name"] == name]
    return step


def test_every_change_is_checked() -> None:
    """The workflow runs on each push to the main branch and on each pull request; YAML reads `on` as true."""
    assert CI[True] == {"push": {"branches": ["main"]}, "pull_request": None}


def test_commits_of_main_are_checked_to_the_end() -> None:
    """A newer commit cancels the run of a pull request, and of nothing else: on main, each commit is its own group."""
    group, cancel = CI["concurrency"]["group"], CI["concurrency"]["cancel-in-progress"]
    assert "github.event.pull_request.number || github.sha" in group
    assert cancel == "${{ github.event_name == 'pull_request' }}"
    assert WORKFLOWS["scheduled.yml"]["concurrency"]["cancel-in-progress"] is False


@pytest.mark.requirement("T053", "REQ-647.2", "REQ-647.3")
def test_all_tiers_run_side_by_side() -> None:
    """Each tier has a job of its own, and one that fails does not stop the others, nor waits for them."""
    tests = JOBS["tests"]
    assert tests["uses"] == CALL
    assert json.loads(tests["with"]["tiers"]) == ["unit", "integration", "e2e"]
    assert "needs" not in tests
    assert TESTS["strategy"]["fail-fast"] is False
    assert TESTS["strategy"]["matrix"]["tier"] == "${{ fromJSON(inputs.tiers) }}"


@pytest.mark.requirement("REQ-647.1")
def test_tiers_run_in_clusters_of_their_own() -> None:
    """Each tier is run by the action in Kind inside Dagger, where a run makes its own cluster, and is rid of it."""
    place = WORKFLOWS["tests.yml"][True]["workflow_call"]["inputs"]["on"]["default"]
    assert (place, "on" in JOBS["tests"]["with"]) == ("dagger", False)
    step = named(TESTS["steps"], "Run the tier")
    assert (step["uses"], step["with"]["on"]) == ("$/action", "${{ inputs.on }}")
    assert '--on "$PLACE" --tier "$TIER"' in named(ACTION["runs"]["steps"], "Run the tests")["run"]


def test_several_versions_of_kubernetes_are_tried_each_week() -> None:
    """Both tiers with services run on older and newer versions of Kubernetes than the pinned one."""
    scheduled = WORKFLOWS["scheduled.yml"]
    (schedule,) = scheduled[True]["schedule"]
    assert schedule["cron"].split()[2:] == ["*", "*", "1"]
    call = scheduled["jobs"]["kubernetes"]
    assert call["uses"] == CALL
    assert json.loads(call["with"]["tiers"]) == ["integration", "e2e"]
    images = yaml.safe_load((ROOT / "k8s/images/kustomization.yaml").read_text(encoding="utf-8"))["images"]
    (pinned,) = [image["newTag"].removeprefix("v") for image in images if image["name"] == "kindest/node"]
    versions = [tuple(map(int, each.split("."))) for each in json.loads(call["with"]["kubernetes-versions"])]
    assert min(versions) < tuple(map(int, pinned.split("."))) < max(versions)


@pytest.mark.requirement("REQ-644", "REQ-644.4", "REQ-644.6", "REQ-647.4")
@pytest.mark.parametrize("steps", [JOBS["check"]["steps"], ACTION["runs"]["steps"]], ids=["check", "action"])
def test_results_are_shown_and_kept_whatever_the_verdict(steps: list[dict[str, Any]]) -> None:
    """Results are shown and uploaded after success, failure and cancellation alike, and kept for 90 days."""
    show, keep = named(steps, "Show the results"), named(steps, "Keep the results")
    assert show["if"] == keep["if"] == "always()"
    days = keep["with"]["retention-days"]
    assert str(days) == "90" or (days, ACTION["inputs"]["retention-days"]["default"]) == (
        "${{ inputs.retention-days }}",
        "90",
    )


def test_tests_are_the_process_that_is_cancelled() -> None:
    """The last command of the step that runs tests takes the shell's place, for GitHub signals the shell alone."""
    command = named(ACTION["runs"]["steps"], "Run the tests")["run"]
    assert command.strip().splitlines()[-1].startswith('exec "$FLOE_CI" test ')


@pytest.mark.requirement("REQ-646")
def test_a_job_lasts_longer_than_its_tests_may() -> None:
    """Each job has a limit, and that of the tests is above the product's own, which then can say what it waited for."""
    limits = {name: job["timeout-minutes"] for name, job in ALL_JOBS.items() if "uses" not in job}
    assert limits.pop("tests.yml: test") == "${{ inputs.timeout-minutes }}"
    assert all(0 < limit <= 120 for limit in limits.values())
    default = WORKFLOWS["tests.yml"][True]["workflow_call"]["inputs"]["timeout-minutes"]["default"]
    assert default * 60 >= TIMEOUTS["job"] + (1 + MOST_ATTEMPTS) * TIMEOUTS["services"]


def test_infrastructure_is_tried_again_twice() -> None:
    """The action has floe-ci begin again what breaks before its tests, as often as it may, and the tests but once."""
    command = named(ACTION["runs"]["steps"], "Run the tests")["run"]
    assert (MOST_ATTEMPTS, f"--attempts {MOST_ATTEMPTS} " in command) == (3, True)


@pytest.mark.requirement("T052")
def test_vulnerabilities_are_looked_for() -> None:
    """Each change and each week, what is locked is looked up: by `make check`, and on a schedule by its last part."""
    assert named(JOBS["check"]["steps"], "Check")["run"] == "make check"
    assert named(WORKFLOWS["scheduled.yml"]["jobs"]["vulnerabilities"]["steps"], "Look them up")["run"] == (
        "make vulnerabilities"
    )


@pytest.mark.requirement("T054")
def test_success_needs_every_job() -> None:
    """The last job runs whatever the others did, and is told the verdict of each."""
    last = JOBS["ci-success"]
    assert sorted(last["needs"]) == sorted(JOBS.keys() - {"ci-success"})
    assert last["if"] == "always()"
    assert last["steps"][0]["env"] == {"VERDICTS": "${{ join(needs.*.result, ' ') }}"}


@pytest.mark.requirement("T055", "T076")
def test_requirements_are_traced_over_all_results() -> None:
    """Once all tests have run, their results must verify every requirement."""
    assert JOBS["trace"]["needs"] == ["check", "tests"]
    download = named(JOBS["trace"]["steps"], "Fetch the results")
    assert download["with"] == {"pattern": "results-*", "path": "results"}
    uploads = [named(JOBS["check"]["steps"], "Keep the results")["with"]["name"]]
    uploads += [named(TESTS["steps"], "Run the tier")["with"]["name"]]
    assert all(name.startswith("results-") for name in uploads)
    assert named(JOBS["trace"]["steps"], "Trace")["run"] == "make trace"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "floe-testing trace --all --threshold 100" in makefile
    assert "--results %,$(shell find results -name '.*' -prune -o -name junit.xml -print 2>/dev/null)" in makefile


def test_jobs_may_only_read() -> None:
    """A workflow's token can do nothing, and a job's read the code; the one that may write runs no tests."""
    assert all(workflow["permissions"] == {} for workflow in WORKFLOWS.values())
    more = {name: job["permissions"] for name, job in ALL_JOBS.items() if job["permissions"] != {"contents": "read"}}
    writing = {"contents": "read", "security-events": "write"}
    signing = {"id-token": "write", "attestations": "write"}
    assert more == {
        "ci.yml: audit": writing,
        "ci.yml: ci-success": {},
        "release.yml: attest": signing,
        "release.yml: publish": {"id-token": "write"},
        "release.yml: announce": {"contents": "write"},
    }
    assert {step["run"] for step in JOBS["audit"]["steps"] if "run" in step} == {
        "make setup",
        ".venv/bin/floe-testing audit --level note --format sarif --output results/audit.sarif --fail-on never",
    }


def test_a_release_is_made_by_a_tag_in_its_order() -> None:
    """A tag builds, then signs, then publishes, then announces; it is never cancelled in between."""
    workflow = WORKFLOWS["release.yml"]
    assert workflow[True] == {"push": {"tags": ["v*"]}}
    assert workflow["concurrency"]["cancel-in-progress"] is False
    jobs = workflow["jobs"]
    assert {name: job.get("needs", []) for name, job in jobs.items()} == {
        "build": [],
        "attest": ["build"],
        "publish": ["attest"],
        "announce": ["publish"],
    }
    assert jobs["publish"]["environment"] == "pypi"


def test_what_can_sign_or_write_runs_none_of_the_code() -> None:
    """The jobs of a release that may sign or write check nothing out, and their only command is one of GitHub's own."""
    jobs = {name: job for name, job in WORKFLOWS["release.yml"]["jobs"].items() if name != "build"}
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert {step["uses"].partition("@")[0] for step in steps if "uses" in step} == {
        "actions/attest",
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    }
    (command,) = [step["run"] for step in steps if "run" in step]
    assert [line.split()[:3] for line in command.splitlines()][-1] == ["gh", "release", "create"]


def test_each_wheel_has_a_bill_of_materials() -> None:
    """What is attested of each distribution is the list that `make dist` makes of it."""
    steps = [
        step for step in WORKFLOWS["release.yml"]["jobs"]["attest"]["steps"] if "sbom-path" in step.get("with", {})
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    bills = {step["with"]["subject-path"]: step["with"]["sbom-path"] for step in steps}
    assert bills == {
        "packages/floe_ci-*.whl": "bills/floe-ci.cdx.json",
        "packages/floe_testing-*.whl": "bills/floe-testing.cdx.json",
    }
    assert [bill for bill in bills.values() if f"--output-file dist/{bill}\n" not in makefile] == []


def test_tokens_do_not_stay_behind() -> None:
    """No checkout leaves the token where a test could read it."""
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step["with"].get("persist-credentials") is not False] == []


def test_findings_are_shown_in_the_pull_request() -> None:
    """The audit's SARIF is uploaded, but not from a fork or in a private repository, where that would fail."""
    upload = named(JOBS["audit"]["steps"], "Show the findings")
    assert upload["with"]["sarif_file"] == "results/audit.sarif"
    assert "!github.event.repository.private &&" in upload["if"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in upload["if"]


def test_docker_hub_is_logged_in_to_only_with_an_account() -> None:
    """Without an account, as in a fork's pull request, images are pulled without one."""
    login = named(ACTION["runs"]["steps"], "Log in to Docker Hub")
    assert login["if"] == "inputs.docker-username != ''"
    assert ACTION["inputs"]["docker-username"]["default"] == ""
    secrets = WORKFLOWS["tests.yml"][True]["workflow_call"]["secrets"]
    assert not any(secret.get("required") for secret in secrets.values())


def test_actions_are_pinned() -> None:
    """Each action is named by its commit, which nobody can move, and its version; by the same one everywhere."""
    texts = [*SOURCES.values(), ACTION_SOURCE]
    lines = [line.partition("uses: ")[2] for text in texts for line in text.splitlines() if "uses: " in line]
    others = [line for line in lines if not line.startswith("$/")]
    assert others
    assert {line for line in lines if line.startswith("$/")} == {CALL, "$/action"}
    assert [line for line in others if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    assert len(set(others)) == len({line.partition("@")[0] for line in others})


def test_uv_is_the_same_everywhere() -> None:
    """The action installs the uv that the Makefile and floe-ci itself pin."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pins = set(re.findall(r"uv==([\d.]+)", ACTION_SOURCE + (ROOT / "ci/pyproject.toml").read_text(encoding="utf-8")))
    assert pins == set(re.findall(r"^UV_VERSION := (.+)$", makefile, re.MULTILINE))


def test_the_action_finds_floe_ci_beside_it() -> None:
    """What the action installs is the project beside its own folder, by its lock file."""
    assert '--project "$ACTION/../ci"' in named(ACTION["runs"]["steps"], "Install floe-ci")["run"]
    project = tomllib.loads((ROOT / "action/../ci/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "floe-ci"
