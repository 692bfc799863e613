"""`floe-ci test --on local` runs a tier for real, and leaves its results and nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from floe_ci.driver.poll import wait_until
from junitparser import JUnitXml

from floe_testing.waiting.polling import PollingConfig, wait_for_condition

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Here

FILES = {
    *{"coverage.xml", "events.txt", "exit-code", "junit.xml", "logs", "run.json", "summary.md", "timings.json"},
    *{"report.html", "history.jsonl", "durations.json"},
}


def contents(folder: Path) -> str:
    """Return the text of every file below a folder."""
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


def lasting(here: Here) -> list[str]:
    """Return the processes that are there, without those that PostgreSQL has for a while."""
    return [each for each in here.processes() if "postgres:" not in each]


def test_tier_passes_and_leaves_results_only(here: Here) -> None:
    """A tier with services passes, with the results that every place leaves, and without a process or a file."""
    code, said = here.run("test", "--on", "local", "--pytest-args=-rA")
    assert (code, here.wait_until_clean()) == (0, ([], [])), said
    results = here.repository / "results" / "integration"
    assert {path.name for path in results.iterdir()} == FILES | {"left.txt"}
    assert {path.name for path in (results / "logs").iterdir()} == {"minio.log", "postgres.log", "runner.log"}
    assert (results / "events.txt").read_text().startswith("no cluster")
    assert "4 passed" in said
    # Where the run is, and that MinIO has a stand-in, is said before anything starts, and in the summary.
    assert "on local: as asked" in said.splitlines()[0]
    assert "SeaweedFS in MinIO's place" in said.split("minio …")[0]
    assert "SeaweedFS in MinIO's place" in (results / "summary.md").read_text()
    # What a test printed of a password is not in the results.
    assert re.findall(r"the password is (\S+)", contents(results)) == ["***"]


def test_second_run_copies_the_initial_database(here: Here) -> None:
    """The first run keeps the database that initdb made, without its password, and the next one works with a copy."""
    (here.repository / "pyproject.toml").write_text(
        (here.repository / "pyproject.toml").read_text().replace(', "minio"]', "]"), encoding="utf-8"
    )
    select = ("test", "--on", "local", "--keyword", "POSTGRES or expanded")
    code, said = here.run(*select)
    assert code == 0, said
    # Other tests may have had other servers, whose databases are beside it.
    there = set((here.cache / "floe-ci" / "postgres").iterdir())
    kept = max(there, key=lambda each: each.stat().st_mtime)
    made = kept.stat().st_ino, (kept / "PG_VERSION").stat().st_mtime_ns
    os.utime(kept, (0, 0))
    code, said = here.run(*select)
    assert (code, here.wait_until_clean()) == (0, ([], [])), said
    assert set(kept.parent.iterdir()) == there
    assert (kept.stat().st_ino, (kept / "PG_VERSION").stat().st_mtime_ns) == made
    assert kept.stat().st_mtime > 0, "it was not copied"


def test_failed_test_is_exit_code_1(here: Here) -> None:
    """A failed test makes the exit code 1, in the process, in the file and in the JSON document."""
    (here.repository / "tests" / "test_failing.py").write_text("def test_fails():\n    assert 1 == 2\n")
    code, said = here.run("test", "--on", "local", "--keyword", "fails", "--json", "--results", "out")
    told = json.loads(said[said.index("\n{") :])
    assert (code, told["exit_code"], told["verdict"], told["place"]) == (1, 1, "failed", "local")
    assert (here.repository / "out" / "exit-code").read_text() == "1\n"
    assert [each["test"] for each in told["failures"]] == ["tests.test_failing::test_fails"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interruption_leaves_results(here: Here, name: str) -> None:
    """A run that is interrupted while its tests run has results with what there is, in time, and the signal's code."""
    began, number = here.temporary / "began", signal.Signals[name]
    slow = f"import pathlib, time\n\ndef test_slow():\n    pathlib.Path({str(began)!r}).touch()\n    time.sleep(600)\n"
    (here.repository / "tests" / "test_slow.py").write_text(slow)
    results = here.repository / "results" / "integration"
    with here.start("test", "--on", "local", "--keyword", "slow or expanded") as process:
        wait_for_condition(began.exists, PollingConfig(timeout=60, interval=0.1))
        began.unlink()
        process.send_signal(number)
        wait_for_condition((results / "exit-code").exists, PollingConfig(timeout=7.5, interval=0.1))
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "1 passed" in said
    assert "interrupted" in (results / "summary.md").read_text()
    assert [case.name for suite in JUnitXml.fromfile(str(results / "junit.xml")) for case in suite][:1] == [
        "test_environment_is_expanded"
    ]
    assert here.wait_until_clean() == ([], [])


def test_second_signal_ends_at_once(here: Here) -> None:
    """A second signal ends a run that would still be writing, and nothing of it is left running."""
    began = here.temporary / "began"
    slow = (
        "import pathlib, signal, time\n\ndef test_slow():\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"    pathlib.Path({str(began)!r}).touch()\n    time.sleep(600)\n"
    )
    (here.repository / "tests" / "test_slow.py").write_text(slow)
    with here.start("test", "--on", "local", "--keyword", "slow") as process:
        wait_for_condition(began.exists, PollingConfig(timeout=60, interval=0.1))
        began.unlink()
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        while "once more to stop at once" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
    assert process.returncode == -signal.SIGTERM
    assert here.wait_until_clean() == ([], [])


def test_results_grow_while_tests_run(here: Here) -> None:
    """While the tests run, the results hold each that has ended, and the log as it is written, for their owner only."""
    began = here.temporary / "began"
    slow = f"import pathlib, time\n\ndef test_slow():\n    pathlib.Path({str(began)!r}).touch()\n    time.sleep(600)\n"
    (here.repository / "tests" / "test_slow.py").write_text(slow)
    results = here.repository / "results" / "integration"
    with here.start("test", "--on", "local", "--keyword", "slow or expanded") as process:
        wait_for_condition((results / "junit.xml").exists, PollingConfig(timeout=60, interval=0.1))
        assert "test_environment_is_expanded" in (results / "junit.xml").read_text()
        assert (results / "logs" / "postgres.log").stat().st_size
        assert not results.stat().st_mode & 0o077
        assert not (results / "exit-code").exists()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert results.stat().st_mode & 0o077


def test_tests_that_take_too_long_are_stopped(here: Here) -> None:
    """Tests that run into the limit are stopped with exit code 124, and what they did until then is reported."""
    (here.repository / "tests" / "test_slow.py").write_text("import time\n\ndef test_slow():\n    time.sleep(600)\n")
    code, said = here.run("test", "--on", "local", "--keyword", "slow or expanded", "--timeout", "2")
    assert code == 124, said
    assert "longer than 2 s" in (here.repository / "results/integration/summary.md").read_text()


def test_services_that_are_up_are_used(here_kept: Here) -> None:
    """Between `up` and `down` a run uses the services that are there, and a second `up` changes nothing.

    A run of more processes than they were made for has services of its own.
    """
    assert here_kept.run("up", "--on", "local")[0] == 0
    running = lasting(here_kept)
    assert here_kept.run("up", "--on", "local")[0] == 0
    code, said = here_kept.run("test", "--on", "local", "--keyword", "listens")
    assert code == 0, said
    assert "left running" in said
    code, said = here_kept.run("test", "--on", "local", "--keyword", "POSTGRES or expanded", "--shards", "2")
    assert code == 0, said
    assert "own ones, since those that are up were made for 1 of 2 shards" in said
    assert lasting(here_kept) == running
    assert here_kept.run("down", "--on", "local")[0] == 0
    assert here_kept.wait_until_clean() == ([], [])


def test_worker_that_stands_by(here_kept: Here) -> None:
    """What keeps services has a worker ready for the next run; --fresh uses neither that nor the services."""
    (here_kept.repository / "tests/test_parent.py").write_text(
        "import os\nimport shutil\n\n\ndef test_parent():\n"
        "    shutil.copy(f'/proc/{os.getppid()}/cmdline', 'results/parent')\n"
    )
    parent = here_kept.repository / "results/parent"
    assert here_kept.run("up", "--on", "local")[0] == 0
    wait_until("a standby", lambda: None if [*here_kept.cache.glob("floe-ci/up/*.socket")] else "none", timeout=60)
    code, said = here_kept.run("test", "--on", "local", "tests/test_parent.py")
    assert code == 0, said
    assert b"floe_ci.local.standby" in parent.read_bytes()
    code, said = here_kept.run("test", "--on", "local", "--fresh", "tests/test_parent.py")
    assert code == 0, said
    assert "left running" not in said
    assert b"floe_ci.local.standby" not in parent.read_bytes()
    parent.unlink()
    assert here_kept.run("down", "--on", "local")[0] == 0
    assert here_kept.wait_until_clean() == ([], [])


def test_plain_pytest_uses_what_is_up(here_kept: Here) -> None:
    """Between `up` and `down` pytest itself finds the services and the tier's variables, as `exec` hands them on."""
    assert here_kept.run("up", "--on", "local")[0] == 0
    selected = ("-m", "pytest", "-p", "no:cacheprovider", "-k", "listens or expanded", "tests")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "COV_"))}
    done = subprocess.run(
        [sys.executable, *selected],
        cwd=here_kept.repository,
        env=environment | {"XDG_CACHE_HOME": str(here_kept.cache), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout
    assert "floe services: postgres, minio" in done.stdout
    code, said = here_kept.run("exec", "--", sys.executable, *selected, "--no-floe-up")
    assert (code, "3 passed" in said) == (0, True), said


def test_failed_run_can_leave_its_services(here_kept: Here) -> None:
    """With --keep a failed run leaves its services, which the next run uses, and which `down` ends."""
    (here_kept.repository / "tests" / "test_failing.py").write_text("def test_fails():\n    assert 1 == 2\n")
    code, said = here_kept.run("test", "--on", "local", "--keyword", "fails", "--keep")
    assert code == 1, said
    assert "left running" in (here_kept.repository / "results/integration/summary.md").read_text()
    assert len(here_kept.processes()) >= 3
    code, said = here_kept.run("test", "--on", "local", "--keyword", "listens")
    assert code == 0, said
    assert here_kept.run("down", "--on", "local")[0] == 0
    assert here_kept.wait_until_clean() == ([], [])


def test_selection_without_tests(here: Here) -> None:
    """A selection that no test matches is exit code 5, its reason is told, and its results are those of this run."""
    assert here.run("test", "--on", "local", "--keyword", "expanded")[0] == 0
    code, said = here.run("test", "--on", "local", "--keyword", "nothing")
    assert code == 5, said
    results = here.repository / "results" / "integration"
    assert (results / "exit-code").read_text() == "5\n"
    assert "nothing ran" in said
    assert here.wait_until_clean() == ([], [])


def test_service_that_cannot_be_installed_is_told(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose packages can't be had is an errored run, whose summary has uv's own words."""
    config = here.repository / "pyproject.toml"
    config.write_text(config.read_text().replace('"minio"', '"dagster"'))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "nothing"))
    code, said = here.run("test", "--on", "local")
    summary = (here.repository / "results/integration/summary.md").read_text()
    assert code in {2, 3}, said
    assert "`uv " in summary
    assert here.wait_until_clean() == ([], [])


def test_lock_file_that_is_no_text(here: Here) -> None:
    """A lock file that is not UTF-8 is bad input, named with the byte, and no fault of the infrastructure."""
    (here.repository / "uv.lock").write_bytes(b"version = 1\n\xff\n")
    config = here.repository / "pyproject.toml"
    config.write_text(config.read_text().replace('[tool.floe-ci.runner]\ninstall = ["pytest"]\n', ""))
    code, said = here.run("test", "--on", "local", "--tier", "integration")
    assert code == 2, said
    assert "uv.lock: line 2: byte 0xff is not UTF-8" in said
    assert "Traceback" not in said
