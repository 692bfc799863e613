"""Keeps processes running, and ends them with everything that they started."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shlex
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

import psutil

from floe_ci.errors import CommandError, LastingError, RunError
from floe_ci.files import for_system, variables_for_system
from floe_ci.local.files import write_whole
from floe_ci.local.probes import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from floe_ci.local.probes import Probe

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
"""Seconds before a process that ended is started again; each time twice as long."""
SETTLED: Final = 60.0
"""Seconds that a process has to run for the next pause to be the first again."""
HOPELESS: Final = 3
"""How often a process may end before it was ready."""
GRACE: Final = 5.0
"""Seconds that a process has to end by itself, and that the kernel has to end one."""
_SHOWN: Final = 2000
_LONGEST_LINE: Final = 300
_CAUSE: Final = re.compile(r"fatal|panic|error|cannot|could not|can't|denied|^F\d{4} ", re.IGNORECASE)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True)
class Account:
    """The account that a process runs under, where that is not this one's."""

    user: int
    group: int


@dataclass(frozen=True)
class Process:
    """A process of a service."""

    name: str
    """As the service's pods are called in a cluster."""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """The whole of it: nothing is inherited."""
    folder: Path
    """Where it runs."""
    ready: Probe
    account: Account | None = None
    stop: signal.Signals = signal.SIGKILL
    """What makes it end at once, and give back what it has of the system."""


class Keeper:
    """Keeps one process running, as Kubernetes does with a pod's."""

    def __init__(self, process: Process, pids: Path, logs: Path, note: Callable[[str], None]) -> None:
        """Prepare; its process id will be in `pids`, what it prints in `logs`, and `note` is told of its starts."""
        self.process = process
        self.pid: int | None = None
        self._pid_file, self._log = pids / f"{process.name}.pid", logs / f"{process.name}.log"
        self._note = note
        self._ends: list[int] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process, and again each time it ends."""
        self._task = asyncio.create_task(self._keep())

    def stop(self) -> None:
        """Start it no more; `end_all` ends it."""
        if self._task:
            self._task.cancel()

    async def wait_ready(self, timeout: float) -> None:  # noqa: ASYNC109 - seconds, told in the error
        """Wait until the process is ready.

        Raises:
            RunError: It isn't in time, or ends again and again; the message has the end of its log.
        """
        try:
            await wait_until(self.process.name, self._state, timeout=timeout)
        except RunError as error:
            said = self._log.read_text(errors="replace").strip() if self._log.exists() else ""
            reason = telling_line(said)
            last = said[-_SHOWN:] or "it printed nothing"
            msg = f"{error}{f': {reason}' if reason else ''}\n{last}"
            raise (LastingError if isinstance(error, LastingError) else RunError)(msg) from None

    async def _state(self) -> str | None:
        if self._task and self._task.done() and (failure := self._task.exception()):
            msg = f"{self.process.name}: can't be started: {failure}"
            raise LastingError(msg)
        if len(self._ends) >= HOPELESS:
            msg = f"{self.process.name}: ended {HOPELESS} times before it was ready, with {describe(self._ends[-1])}"
            raise LastingError(msg)
        return await self.process.ready()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            code = await self._run_once()
            self._ends.append(code)
            pause = FIRST_PAUSE if time.monotonic() - began > SETTLED else pause
            self._note(f"{self.process.name}: ended with {describe(code)}; starts again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run_once(self) -> int:
        process = self.process
        with self._log.open("ab") as log:
            child = await spawn(process.command, process.environment, process.folder, log.fileno(), process.account)
        async with ended_after(child):  # what it started must not work on beside its successor
            self.pid = child.pid
            write_whole(self._pid_file, f"{child.pid}\n")
            self._note(f"{process.name}: started as process {child.pid}")
            code = await child.wait()
            self.pid = None
            self._pid_file.unlink(missing_ok=True)
            return code


async def run(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    folder: Path,
    given: str = "",
    account: Account | None = None,
) -> None:
    """Run a command to its end, with the text `given` as its input; if that is cancelled, it has ended too.

    Raises:
        CommandError: It failed; the message has the end of what it said.
    """
    with TemporaryFile() as source, TemporaryFile() as output:
        source.write(given.encode())
        source.seek(0)
        child = await spawn(command, environment, folder, output.fileno(), account, source.fileno())
        async with ended_after(child):
            code = await child.wait()
        if code:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            raise CommandError(shlex.join((Path(command[0]).name, *command[1:])), describe(code), said)


async def spawn(  # noqa: PLR0913, PLR0917 - what a process is made of
    command: tuple[str, ...],
    environment: Mapping[str, str],
    folder: Path,
    output: int,
    account: Account | None = None,
    given: int = asyncio.subprocess.DEVNULL,
    also: tuple[int, ...] = (),
) -> asyncio.subprocess.Process:
    """Start a command in a session of its own, with file descriptors for what it prints and reads, and others."""
    return await asyncio.create_subprocess_exec(
        command[0],
        *map(for_system, command[1:]),
        env=variables_for_system(environment),
        cwd=folder,
        stdin=given,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_before_exec,
        user=account.user if account else None,
        group=account.group if account else None,
        extra_groups=[] if account else None,
        pass_fds=also,
    )


@asynccontextmanager
async def ended_after(child: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """End a process that `spawn` started, and its group, on every way out; then the event loop keeps nothing of it."""
    try:
        yield
    finally:
        _kill_group(child.pid)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), GRACE)


def adopt_orphans() -> None:
    """Become the parent of what this process's children leave behind, where the kernel offers that."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_all(first: Mapping[int, signal.Signals]) -> None:
    """End every process below this one: those in `first` by their signal, then all with SIGKILL.

    It blocks, so that nothing can cancel it.
    """
    asked = [process for process in _below() if process.pid in first]
    for process in asked:
        with suppress(psutil.Error):
            process.send_signal(first[process.pid])
    _wait_for_end(asked)
    # A process may start another while it is ended, so look again.
    deadline = time.monotonic() + GRACE
    while (left := _below()) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        _wait_for_end(left)


def telling_line(log: str) -> str:
    """Return the line of a log that most likely says why its process ended; empty where it has none."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.search(line)]
    return (causes or lines or [""])[-1][:_LONGEST_LINE]


def end_those_of(folders: Collection[Path]) -> None:
    """End each process of this user whose folder for temporary files is in one of a run's, whoever is its parent now.

    Every process of a run has got one there, and so has what it started. No number in a file is trusted for it: by now
    it may be another process's.
    """
    left = [process for process in psutil.process_iter() if _works_in(process, folders)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    _wait_for_end(left)


def _works_in(process: psutil.Process, folders: Collection[Path]) -> bool:
    try:
        place = Path(process.environ().get("TMPDIR", "/"))
        return process.pid != os.getpid() and any(place.is_relative_to(folder) for folder in folders)
    except (psutil.Error, OSError):
        return False  # it has ended, or is someone else's


def describe(code: int) -> str:
    """Return an exit code in words."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _below() -> list[psutil.Process]:
    return [process for process in psutil.Process().children(recursive=True) if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        # One that has ended, and that nobody has asked for its exit code yet.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _wait_for_end(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + GRACE
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _before_exec() -> None:
    if sys.platform == "linux":
        # If the worker itself is killed, the kernel kills its children.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # What a shell starts in the background ignores it, and so would the tests, which it ends in good order.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _prctl(option: int, value: int) -> None:
    _LIBC.prctl(option, value, 0, 0, 0)


_LIBC = ctypes.CDLL(None)
