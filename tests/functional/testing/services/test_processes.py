"""A service that runs as a process is restarted: its process ends, and another one takes its place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from floe_testing.services import processes
from floe_testing.services.processes import NoProcessError
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig, wait_for_condition

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUPERVISOR = """
import os, subprocess, sys
from pathlib import Path

folder, prelude, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
child = prelude + "; print(flush=True); signal.pause()"
for _ in range(times):
    service = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    service.stdout.readline()
    partial = folder / "partial"
    partial.write_text(str(service.pid))
    partial.rename(folder / "shop.pid")
    print(service.wait(), flush=True)
"""
POLITE = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"
STUBBORN = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


class Supervisor:
    """Starts a service, again and again, and tells how each process ended."""

    def __init__(self, folder: Path, service: str, times: int = 2) -> None:
        """Start it, and wait until the service runs."""
        command = [sys.executable, "-c", SUPERVISOR, str(folder), service, str(times)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.file = folder / "shop.pid"
        wait_for_condition(self.file.exists, PollingConfig(timeout=20, interval=0.1))

    def running(self) -> int:
        """Return the id of the service's process."""
        return int(self.file.read_text())

    def ended_with(self) -> int:
        """Return what the service's first process ended with."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture
def started() -> Iterator[list[Supervisor]]:
    """Yield a list for supervisors; they and their services are killed after."""
    supervisors: list[Supervisor] = []
    yield supervisors
    for each in supervisors:
        os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()


def test_another_process_takes_its_place(tmp_path: Path, started: list[Supervisor]) -> None:
    """The process is interrupted, and its successor runs when the restart returns."""
    started.append(supervisor := Supervisor(tmp_path, POLITE))
    before = supervisor.running()
    processes.restart(tmp_path, "shop", timeout=20)
    assert supervisor.running() != before
    assert supervisor.ended_with() == -signal.SIGINT


def test_process_that_ignores_an_interrupt_is_killed(
    tmp_path: Path, started: list[Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that doesn't end by itself is killed after its time of grace."""
    monkeypatch.setattr(processes, "GRACE", 1.0)
    started.append(supervisor := Supervisor(tmp_path, STUBBORN))
    processes.restart(tmp_path, "shop", timeout=20)
    assert supervisor.ended_with() == -signal.SIGKILL


def test_nobody_starts_it_again(tmp_path: Path, started: list[Supervisor]) -> None:
    """A service that nothing starts again is a failure that says what was seen."""
    started.append(supervisor := Supervisor(tmp_path, POLITE, times=1))
    with pytest.raises(ConditionTimeoutError, match=rf"shop runs again.*process {supervisor.running()} has ended"):
        processes.restart(tmp_path, "shop", timeout=1)


@pytest.mark.parametrize("content", [None, "", "soon"])
def test_no_process_is_known(tmp_path: Path, content: str | None) -> None:
    """A file that isn't there, or holds no id, is named."""
    if content is not None:
        (tmp_path / "shop.pid").write_text(content)
    with pytest.raises(NoProcessError, match=r"shop\.pid does not hold the id of a process"):
        processes.restart(tmp_path, "shop", timeout=1)


def test_process_is_gone_already(tmp_path: Path) -> None:
    """A process that has ended before can't be restarted."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    (tmp_path / "shop.pid").write_text(str(gone.pid))
    with pytest.raises(NoProcessError, match=rf"shop can't be restarted: process {gone.pid}"):
        processes.restart(tmp_path, "shop", timeout=1)
