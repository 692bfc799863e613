"""Signals at ten moments of a run in a Kind cluster of its own: results within seconds, and nothing of it is left."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faulted import MOMENTS, Row, Started, first_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from repositories import Repository

pytestmark = pytest.mark.timeout(600)

OPTIONS = shlex.split(os.environ.get("FLOE_CI_OPTIONS", ""))
SERVICE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "floe.local/runner:dev", command: [python, -m, http.server]}]
"""
TESTS = """
from threading import Event

def test_passes():
    assert 1 + 1 == 2

def test_waits():
    assert not Event().wait(%s)
"""
MAY_WAIT = 7.5
"""Seconds from a signal to the results."""
ENDS_IN = 60.0
"""Seconds from there until the process and all that it made are gone."""


def processes_of(run_id: str) -> list[str]:
    """Return the processes of this machine, containers' included, that have a run's id among their variables."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"FLOE_RUN_ID={run_id}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:80])
    return found


def wait_until_gone(run_id: str) -> tuple[str, ...]:
    """Return what is left of a run's processes when they have had time to end."""
    deadline = time.monotonic() + ENDS_IN
    while (left := processes_of(run_id)) and time.monotonic() < deadline:
        subprocess.run(["true"], check=True, timeout=10)
    return tuple(left)


def wait_for_results(started: Started) -> float:
    """Return when the results of a run that was told to stop are there."""
    deadline = time.monotonic() + ENDS_IN
    while not (started.results / "exit-code").exists():
        assert time.monotonic() < deadline, "no results"
        with suppress(subprocess.TimeoutExpired):
            started.process.wait(timeout=0.05)
    return time.monotonic()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", MOMENTS)
def test_signal_in_kind(
    moment: str, number: signal.Signals, repository: Repository, tmp_path: Path, record: Callable[[Row], None]
) -> None:
    """A signal at any moment of a run in Kind ends it with results within seconds, and nothing of it is left."""
    repository.write("service.yaml", SERVICE)
    repository.write("tests/integration/test_it.py", TESTS % ("5" if moment == "collect" else "None"))
    repository.write(
        "pyproject.toml",
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\n[tool.floe-ci.tiers.integration]\nmanifests = ["service.yaml"]\n',
    )
    results = tmp_path / "results"
    argv = [sys.executable, "-m", "floe_ci", "test", "--on", "dagger", "--fresh", *OPTIONS, "--results", str(results)]
    with subprocess.Popen(
        argv, cwd=repository.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        started = Started(process, results, time.monotonic())
        try:
            started.wait_for(MOMENTS[moment])
            now = time.monotonic()
            process.send_signal(number)
            seconds = wait_for_results(started) - now
            _, told = process.communicate(timeout=ENDS_IN)
            ended = time.monotonic() - now
        finally:
            process.kill()
    left = wait_until_gone(started.run_id)
    row = Row(
        f"{number.name.lower()}-in-kind-{moment}",
        f"{number.name} in Kind, at `{MOMENTS[moment].removesuffix(' …')}`",
        first_line(results),
        json.loads((results / "run.json").read_text())["verdict"],
        process.returncode,
        tuple(sorted(str(each.relative_to(results)) for each in results.rglob("*") if each.is_file())),
        round(seconds, 1),
        left,
    )
    record(row)
    assert row.exit_code == 128 + number, (row, told)
    assert row.verdict == "interrupted"
    assert row.seconds <= MAY_WAIT, row
    assert ended <= ENDS_IN, row
    assert {"summary.md", "junit.xml", "report.html"} <= {*row.results}
    assert moment not in {"tests", "collect"} or 'name="test_passes"' in (results / "junit.xml").read_text()
    assert not row.left
