"""However the command ends, it leaves no process and no file."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Here

LINES = 14
"""How many lines a run prints until its tests run."""


def kill_at(here: Here, lines: int, seconds: float) -> list[str]:
    """Start a run, kill it that many seconds after it has printed so many lines, and return them."""
    with here.start("test", "--on", "local") as process:
        assert process.stdout is not None
        seen: list[str] = []
        while len(seen) < lines and "tests …" not in "".join(seen[-1:]):
            seen.append(process.stdout.readline())
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
        process.kill()
        return seen


@pytest.mark.parametrize("moment", range(10))
def test_kill_leaves_nothing(here: Here, tmp_path: Path, moment: int) -> None:
    """A command that is killed leaves no process, no temporary file, no half environment, and never a good verdict."""
    if moment < 2:
        # With nothing in the cache, it is killed while packages are installed.
        here = replace(here, cache=tmp_path / "empty")
    (here.repository / "tests" / "test_slow.py").write_text("import time\n\ndef test_slow():\n    time.sleep(600)\n")
    lines, seconds = random.randint(0, LINES), random.uniform(0, 0.8)  # noqa: S311 - no secret
    seen = kill_at(here, lines, seconds)
    left = here.wait_until_clean()
    assert left == ([], []), f"killed {seconds:.2f} s after {lines} lines: {''.join(seen)}"
    for verdict in (here.repository / "results").glob("*/exit-code"):
        assert int(verdict.read_text()) == 129  # as if its terminal had been closed


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the worker's children on Linux only")
def test_killed_worker_takes_its_services_along(here: Here) -> None:
    """If the worker itself is killed the run has its results all the same, and its services end too."""
    with here.start("test", "--on", "local", "--keyword", "listens") as process:
        assert process.stdout is not None
        missing = {"postgres", "minio"}
        while missing:
            line = process.stdout.readline()
            missing -= {service for service in missing if f" {service}: done" in line}
        (worker,) = psutil.Process(process.pid).children()
        worker.kill()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "ended with SIGKILL" in said
    assert "ended with SIGKILL" in (here.repository / "results/integration/summary.md").read_text()
    assert here.run("test", "--on", "local", "--keyword", "expanded")[0] == 0
    assert here.wait_until_clean() == ([], [])


def test_service_that_dies_is_started_again(here: Here) -> None:
    """A service that is killed while tests run is there again, under a new process id, and the events tell of it."""
    (here.repository / "tests" / "test_restart.py").write_text(RESTART)
    code, said = here.run("test", "--on", "local", "--keyword", "restart")
    assert code == 0, said
    events = (here.repository / "results/integration/events.txt").read_text()
    assert "postgres: ended with SIGKILL; starts again in 0.2 s" in events
    assert events.count("postgres: started as process") >= 2


RESTART = '''
"""A service is started again."""

import os
import signal
import socket
import time
from pathlib import Path


def test_restart():
    file = Path(os.environ["FLOE_SERVICES_DIR"], "postgres.pid")
    before = int(file.read_text())
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert int(file.read_text()) != before
            address = os.environ["FLOE_POSTGRES_HOST"], int(os.environ["FLOE_POSTGRES_PORT"])
            socket.create_connection(address, timeout=5).close()
            return
        except (OSError, ValueError, AssertionError):
            time.sleep(0.1)
    raise AssertionError("it did not come back")
'''
