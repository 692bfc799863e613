"""Processes are kept running, and ended with everything that they started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from floe_ci.errors import LastingError, RunError
from floe_ci.local import processes
from floe_ci.local.probes import wait_until
from floe_ci.local.processes import Keeper, Process, describe, run
from floe_ci.local.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


async def ready() -> None:
    """Be ready."""


async def starting() -> str:
    """Never be ready."""
    return "starting"


def shell(script: str, folder: Path, probe: Callable[[], object] = ready) -> Process:
    """Return a process that runs a script."""
    return Process("demo", ("sh", "-c", script), {"PATH": os.environ["PATH"]}, folder, probe)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, for ten seconds at most."""

    async def observe() -> str | None:
        return None if condition() else "not yet"

    await wait_until("the condition", observe, timeout=10)


def keeper(process: Process, folder: Path, events: list[str] | None = None) -> Keeper:
    """Return what keeps a process, with its files in a folder."""
    return Keeper(process, folder, folder, (events if events is not None else []).append)


@asynccontextmanager
async def workspace_of_test() -> AsyncIterator[Workspace]:
    """Yield a workspace, and wait until the event loop knows how each of its processes ended: it would warn else."""
    try:
        with Workspace() as workspace:
            yield workspace
    finally:
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


def test_process_that_ends_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed is started again, and the file has the new one's id."""
    monkeypatch.setattr(processes, "FIRST_PAUSE", 0.01)
    file, events = tmp_path / "demo.pid", list[str]()

    async def story() -> tuple[int, int]:
        async with workspace_of_test() as workspace:
            workspace.keep(keeper(shell("exec tail -f /dev/null", tmp_path), tmp_path, events))
            await until(file.exists)
            first = int(file.read_text())
            os.kill(first, signal.SIGKILL)
            await until(lambda: file.exists() and int(file.read_text()) != first)
            return first, int(file.read_text())

    first, second = asyncio.run(story())
    assert not psutil.pid_exists(first)
    assert not psutil.pid_exists(second)
    assert events[0] == f"demo: started as process {first}"
    assert events[1] == "demo: ended with SIGKILL; starts again in 0.01 s"


def test_pause_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time a process ends soon, the pause before its next start is twice as long, up to a limit."""
    monkeypatch.setattr(processes, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(processes, "LONGEST_PAUSE", 0.04)
    events: list[str] = []

    async def story() -> None:
        async with workspace_of_test() as workspace:
            workspace.keep(keeper(shell("exit 3", tmp_path), tmp_path, events))
            await until(lambda: sum("ended" in event for event in events) >= 4)

    asyncio.run(story())
    pauses = [event.split(" in ")[1] for event in events if "ended" in event][:4]
    assert pauses == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]


def test_process_that_never_gets_ready_is_told_with_its_log(tmp_path: Path) -> None:
    """A wait that times out has the state seen last and the end of what the process printed."""

    async def story() -> None:
        async with workspace_of_test() as workspace:
            kept = keeper(shell("echo no such table; exec tail -f /dev/null", tmp_path, starting), tmp_path)
            workspace.keep(kept)
            await until(lambda: (tmp_path / "demo.log").exists() and bool((tmp_path / "demo.log").read_text()))
            await kept.wait_ready(timeout=0)

    with pytest.raises(RunError, match=r"last seen: starting: no such table\nno such table") as caught:
        asyncio.run(story())
    assert not isinstance(caught.value, LastingError)


def test_process_that_ends_again_and_again_is_hopeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends three times before it is ready is given up, long before the timeout."""
    monkeypatch.setattr(processes, "FIRST_PAUSE", 0.01)

    async def story() -> None:
        async with workspace_of_test() as workspace:
            kept = keeper(shell("echo address in use; exit 1", tmp_path, starting), tmp_path)
            workspace.keep(kept)
            await kept.wait_ready(timeout=60)

    with pytest.raises(
        LastingError, match=r"ended 3 times before it was ready, with exit code 1: address in use\naddress in use"
    ):
        asyncio.run(story())


def test_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A process that can't even be started is an error, not a wait."""
    missing = Process("demo", (str(tmp_path / "missing"),), {}, tmp_path, starting)

    async def story() -> None:
        async with workspace_of_test() as workspace:
            kept = keeper(missing, tmp_path)
            workspace.keep(kept)
            await kept.wait_ready(timeout=60)

    with pytest.raises(RunError, match=r"demo: can't be started: .*missing"):
        asyncio.run(story())


def test_failed_command_tells_what_it_said(tmp_path: Path) -> None:
    """A command that fails is an error with the command, its exit code and its output; its input is handed on."""
    command = ("sh", "-c", "cat; exit 4")
    with pytest.raises(RunError, match=r"`sh -c 'cat; exit 4'` failed with exit code 4:\nhello"):
        asyncio.run(run(command, {"PATH": os.environ["PATH"]}, tmp_path, "hello"))


def test_process_gets_what_the_locale_lacks() -> None:
    """Arguments and variables reach a process whole, whatever characters the locale has."""
    script = """
import asyncio, os, sys
from pathlib import Path
from floe_ci.local.processes import run
try:
    asyncio.run(run(("sh", "-c", 'echo "$1 $COLD"; exit 4', "sh", "gr\\xfc\\xdf"), {"COLD": "\\u2603"}, Path("/")))
except Exception as error:
    print(ascii(error.said))
"""
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=os.environ | ascii_only, capture_output=True, text=True, check=False)
    assert done.stdout == "'gr\\xfc\\xdf \\u2603'\n", done.stderr


def test_interruption_is_not_ignored(tmp_path: Path) -> None:
    """A command ends on SIGINT also where this process ignores it, as what a shell starts in the background does."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(RunError, match="failed with SIGINT"):
            asyncio.run(
                run(("sh", "-c", "kill -INT $$; exec tail -f /dev/null"), {"PATH": os.environ["PATH"]}, tmp_path)
            )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.subprocess.Process]:
    """Return the processes that are started, as the event loop knows them."""
    started: list[asyncio.subprocess.Process] = []
    spawn = processes.spawn

    async def noted(*given: Any) -> asyncio.subprocess.Process:  # noqa: ANN401 - what a process is made of
        started.append(await spawn(*given))
        return started[-1]

    monkeypatch.setattr(processes, "spawn", noted)
    return started


def test_cancelled_command_has_ended(tmp_path: Path, spawned: list[asyncio.subprocess.Process]) -> None:
    """A command that is cancelled has ended when the cancellation arrives, and the event loop knows."""

    async def story() -> None:
        command = ("tail", "-f", os.devnull)
        running = asyncio.create_task(run(command, {"PATH": os.environ["PATH"]}, tmp_path))
        await until(lambda: bool(spawned))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert spawned[0].returncode == -signal.SIGKILL

    asyncio.run(story())


def test_process_that_is_kept_no_more(tmp_path: Path, spawned: list[asyncio.subprocess.Process]) -> None:
    """The event loop knows how a process ended that is kept no more: it would warn of one that it takes for alive."""

    async def story() -> None:
        async with workspace_of_test() as workspace:
            kept = keeper(shell("exec tail -f /dev/null", tmp_path), tmp_path)
            workspace.keep(kept)
            await until((tmp_path / "demo.pid").exists)
            kept.stop()
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
            assert [child.returncode for child in spawned] == [-signal.SIGKILL]

    asyncio.run(story())


ORPHANS = """
import subprocess, sys
from floe_ci.local.processes import adopt_orphans, end_all
import psutil
adopt_orphans()
script = "setsid sh -c 'trap \\"\\" TERM INT HUP; echo $$; exec tail -f /dev/null' & sleep 0.01"
pid = int(subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True).stdout.readline())
end_all({})
assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, pid
print("gone")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to a process of one's choice")
def test_orphans_are_ended() -> None:
    """A process in a session of its own, whose parent has ended and which ignores signals, is ended too."""
    done = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("gone\n", "")


@pytest.mark.parametrize(("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-15, "SIGTERM")])
def test_exit_code_in_words(code: int, words: str) -> None:
    """A code is told as such, and a signal by its name."""
    assert describe(code) == words
