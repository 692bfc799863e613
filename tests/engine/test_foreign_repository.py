"""Runs of a small repository of somebody else's: verdicts, the runner image, and clusters that outlive a run."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml

if TYPE_CHECKING:
    from conftest import Dagger, Repository

pytestmark = pytest.mark.timeout(900)

QUEUE = Path(__file__).parents[2] / "examples" / "queue"
PASSING = "def test_passes():\n    assert 1 + 1 == 2\n"
FAILING = "def test_fails():\n    assert 1 + 1 == 3\n"
FLAKY = """
import pathlib

def test_passes_the_second_time(marker=pathlib.Path("/tmp/tried")):
    tried = marker.exists()
    marker.touch()
    assert tried
"""
SKIPPED = "import pytest\n\n@pytest.mark.skip(reason='not today')\ndef test_skipped():\n    pass\n"
CLUSTER_TEST = """
import os, pathlib, urllib.request, ssl

ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")

def test_runs_in_a_pod_of_the_cluster():
    context = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    with urllib.request.urlopen("https://kubernetes.default.svc/readyz", context=context) as answer:
        assert answer.read() == b"ok"
    assert os.environ["FLOE_TIER"] == "integration"
"""


def exit_code(results: Path) -> int:
    """Return the exit code that stands in the results."""
    return int((results / "exit-code").read_text())


@pytest.mark.requirement("REQ-644")
def test_failing_tests_are_exported_and_then_judged(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """A failing test's results are exported, and the call succeeds; called again it runs again: no answer is cached."""
    repository.write("tests/unit/test_it.py", PASSING + FAILING)
    began = set()
    for name in ("first", "second"):
        results = tmp_path / name
        assert dagger.call(*unit(dagger, results), where=repository.folder).code == 0
        assert exit_code(results) == 1
        suites = JUnitXml.fromfile(str(results / "junit.xml"))
        assert (suites.tests, suites.failures) == (2, 1)
        assert "test_fails" in (results / "summary.md").read_text()
        began.add(suites.__iter__().__next__().timestamp)
    assert len(began) == 2


def test_verify_fails_unless_tests_passed(dagger: Dagger, repository: Repository) -> None:
    """`verify` fails where a test failed, and shows the summary."""
    repository.write("tests/unit/test_it.py", FAILING)
    done = dagger.call("verify", "--tier", "unit", *dagger.registry, where=repository.folder)
    assert done.code != 0
    assert "Failed" in done.message


@pytest.mark.long
def test_nothing_ran(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """A run all of whose tests are skipped is not green."""
    repository.write("tests/unit/test_it.py", SKIPPED)
    done = dagger.run("unit", repository.folder, tmp_path / "results")
    assert (done.code, exit_code(tmp_path / "results")) == (5, 5), done.errors[-2000:]
    assert "Nothing ran" in (tmp_path / "results" / "summary.md").read_text()


@pytest.mark.requirement("REQ-647", "REQ-647.6")
def test_verify_returns_the_results_of_a_passed_run(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """`verify` returns results where all passed: by a fixture of a folder above, or when tried again, which is told."""
    repository.write("tests/conftest.py", "import pytest\n\n@pytest.fixture\ndef shared():\n    return 1\n")
    repository.write("tests/unit/test_it.py", FLAKY + "def test_fixture_of_above(shared):\n    assert shared == 1\n")
    repository.write(
        "pyproject.toml",
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\n[tool.floe-ci.tiers.unit]\nretries = 2\n',
    )
    done = dagger.call(*unit(dagger, tmp_path / "results", "verify"), where=repository.folder)
    assert done.code == 0, done.errors[-2000:]
    assert exit_code(tmp_path / "results") == 0
    assert JUnitXml.fromfile(str(tmp_path / "results" / "junit.xml")).tests == 2
    summary = (tmp_path / "results" / "summary.md").read_text()
    assert "2 passed, 1 of them flaky." in summary
    assert "`tests.unit.test_it::test_passes_the_second_time`: passed in attempt 2" in summary


@pytest.mark.long
def test_killed_test_process_is_an_error_with_results(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """A test process that is killed is no pass: an infrastructure error, and the results say what ended it."""
    repository.write(
        "tests/unit/test_it.py",
        "import os, signal\n\ndef test_dies():\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    done = dagger.run("unit", repository.folder, tmp_path / "results")
    assert (done.code, exit_code(tmp_path / "results")) == (3, 3), done.errors[-2000:]
    summary = (tmp_path / "results" / "summary.md").read_text()
    assert "ended by SIGKILL" in summary
    assert "test_dies" in summary


def test_tests_that_cannot_be_collected(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """Tests that can't be imported end the run before it waits for anything, and its results say which and why."""
    repository.write("tests/integration/test_it.py", "import nosuch\n")
    done = dagger.run("integration", repository.folder, tmp_path / "results")
    assert (done.code, exit_code(tmp_path / "results")) == (2, 2), done.errors[-2000:]
    assert "No module named 'nosuch'" in (tmp_path / "results" / "summary.md").read_text()
    steps = json.loads((tmp_path / "results" / "timings.json").read_text())["steps"]
    assert "services ready" not in [step["name"] for step in steps]


@pytest.mark.requirement("REQ-638", "T024", "REQ-638.6")
def test_runner_image(dagger: Dagger, repository: Repository) -> None:
    """The runner image runs as user 1000, can write its results, is unbuffered, and has no compiler, uv or cache."""
    repository.write("tests/unit/test_it.py", PASSING)
    look = (
        "id -u; touch /results/x && echo writable; echo $PYTHONUNBUFFERED; "
        "for tool in gcc cc make uv; do command -v $tool; done; ls /root/.cache 2>/dev/null; pytest --version"
    )
    args = ("build-runner", *dagger.registry, "with-exec", "--args", f'sh,-c,"{look}"', "combined-output")
    done = dagger.call(*args, where=repository.folder)
    assert done.code == 0, done.errors[-2000:]
    assert re.fullmatch(r"1000\nwritable\n1\npytest \S+\n*", done.output)


@pytest.mark.requirement("REQ-636", "REQ-636.6")
@pytest.mark.long
def test_run_that_died_does_not_break_the_next(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """A run of an example is killed while its cluster starts; the next one, on the same cache volume, passes."""
    shutil.copytree(QUEUE, repository.folder, dirs_exist_ok=True)
    repository.write("tests/integration/test_it.py", CLUSTER_TEST)
    argv = dagger.argv("test", *dagger.options, "export", "--path", str(tmp_path / "died"))
    log = tmp_path / "died.log"
    with log.open("w") as output:
        died = subprocess.Popen(argv, cwd=repository.folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(log, "Preparing nodes", died)
    finally:
        died.send_signal(signal.SIGKILL)
        died.wait(timeout=30)
    done = dagger.test("integration", repository.folder, tmp_path / "next")
    assert done.code == 0, done.errors[-3000:]
    assert exit_code(tmp_path / "next") == 0
    assert JUnitXml.fromfile(str(tmp_path / "next" / "junit.xml")).tests == 4
    assert not (tmp_path / "died").exists()


@pytest.mark.requirement("REQ-649", "T022", "T023", "REQ-636.6", "REQ-649.2", "REQ-649.3")
def test_failed_run_can_be_entered(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """With --keep a failed run says how to enter its cluster, where its pods still are, and how to delete it."""
    repository.write("tests/integration/test_it.py", FAILING)
    done = dagger.test("integration", repository.folder, tmp_path / "results", "--keep")
    assert done.code == 0, done.errors[-3000:]
    assert exit_code(tmp_path / "results") == 1
    summary = (tmp_path / "results" / "summary.md").read_text()
    name = re.search(r"dagger call cluster --name (\w+) shell terminal", summary)
    assert name
    assert f"dagger call delete-cluster --name {name[1]}" in summary
    try:
        pods = ("with-exec", "--args", "kubectl,get,pods,--all-namespaces", "stdout")
        shown = dagger.call("cluster", "--name", name[1], *dagger.options, "shell", *pods, where=repository.folder)
        assert "floe-test-runner" in shown.output, shown.errors[-3000:]
    finally:
        deleted = dagger.call("delete-cluster", "--name", name[1], *dagger.registry, where=repository.folder)
    assert deleted.code == 0, deleted.errors[-2000:]
    again = dagger.call("delete-cluster", "--name", name[1], *dagger.registry, where=repository.folder)
    assert again.code != 0
    assert f"there is no cluster '{name[1]}'" in again.message


def unit(dagger: Dagger, results: Path, function: str = "test") -> list[str]:
    """Return the arguments that run the unit tier and export its results."""
    return [function, "--tier", "unit", *dagger.registry, "export", "--path", str(results)]


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes], timeout: float = 300) -> None:
    """Wait until a process has written `text`."""
    deadline = time.monotonic() + timeout
    while text not in log.read_text(errors="replace"):
        assert process.poll() is None, f"it ended before {text!r}:\n{log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"no {text!r} after {timeout} s:\n{log.read_text()[-2000:]}"
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
