"""A named cluster with the services, held open on this machine by a process of its own.

`python -m floe_ci.held_cluster` is that process: it reads a request, brings the cluster up in one Dagger session,
opens the API's port, and waits until it is told to stop. The cluster belongs to the engine, so there is one per user
and not one per repository. What holds it has a lock, which the kernel frees when that process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio
from pydantic import TypeAdapter

from floe_ci.cluster import API_PORT
from floe_ci.driver.poll import wait_until
from floe_ci.engine import explained
from floe_ci.errors import RunError, UserError
from floe_ci.lines import Lines
from floe_ci.named_clusters import bring_up, forget
from floe_ci.origin import of_this_machine, state
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from floe_ci.request import Progress

NAME: Final = "dev"
PORT: Final = 6443
UP_TIMEOUT, DOWN_TIMEOUT = 1200.0, 60.0
"""Seconds until the cluster must be open, and until the holder must have ended."""
LOOKING: Final = 0.3
"""Seconds between two looks at whether the holder is to stop."""
SHOWN: Final = 2000
"""How many characters of the holder's log are shown."""


def up(request: RunRequest, progress: Progress) -> str:
    """Start the holder and wait until the cluster is open; return what to do with it.

    Raises:
        UserError: It didn't come up.
    """
    told = f"export KUBECONFIG={_file('kubeconfig')}"
    if _held():
        if _file("kubeconfig").exists():
            return f"cluster {NAME} is up already: {told}"
        msg = f"cluster {NAME} is starting or stopping; what it does is in {_file('log')}"
        raise UserError(msg)
    progress.note(f"starting cluster {NAME}; what it does is in {_file('log')}")
    for left in ("kubeconfig", "stop"):
        _file(left).unlink(missing_ok=True)
    with _file("log").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", __name__]
        holder = subprocess.Popen(  # noqa: S603 - this very module
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    try:
        with holder.stdin as stdin:  # type: ignore[union-attr]  # it is a pipe
            stdin.write(TypeAdapter(RunRequest).dump_json(request))
        _wait_until_open(holder)
    except BaseException:  # also where the wait is interrupted: half a cluster is none
        holder.terminate()
        raise
    holder.returncode = 0  # it lives on, and nobody will ask how it ends
    return f"cluster {NAME} is up: {told}"


def down(request: RunRequest, progress: Progress) -> str:
    """End the holder and delete the cluster; return what became of it.

    Raises:
        UserError: The holder doesn't end, or the cluster can't be deleted.
    """
    was_there = _held() or _file("kubeconfig").exists()
    if _held():
        progress.note(f"stopping cluster {NAME}")
        _file("stop").touch()
        _wait_until_gone()
    if was_there or _file("log").exists():
        anyio.run(_delete, request)
    for name in ("kubeconfig", "stop", "log"):
        _file(name).unlink(missing_ok=True)
    return f"cluster {NAME} is deleted" if was_there else f"there is no cluster {NAME}"


def _wait_until_open(holder: subprocess.Popen[bytes]) -> None:
    def observe() -> str | None:
        if _file("kubeconfig").exists():
            return None
        if holder.poll() is not None:
            raise UserError(_said(f"cluster {NAME} did not come up"))
        return _last_line()

    try:
        wait_until(f"cluster {NAME}", observe, timeout=UP_TIMEOUT)
    except RunError as error:
        raise UserError(_said(str(error))) from error


def _wait_until_gone() -> None:
    """Wait until the holder has ended: the cluster's part of the volume is its own until then."""

    def observe() -> str | None:
        return f"process {_file('lock').read_text(encoding='utf-8').strip()} holds it" if _held() else None

    try:
        wait_until(f"the end of what holds cluster {NAME}", observe, timeout=DOWN_TIMEOUT)
    except RunError as error:
        msg = f"{error}; kill that process"
        raise UserError(msg) from error


async def _delete(request: RunRequest) -> None:
    with explained():
        async with of_this_machine(request) as origin:
            await forget(origin, NAME, request, missing_ok=True)


def _said(what: str) -> str:
    return f"{what}; its log, {_file('log')}, ends with:\n{_log()[-SHOWN:]}"


def _last_line() -> str:
    return (_log().splitlines() or ["nothing yet"])[-1]


def _log() -> str:
    return _file("log").read_text(encoding="utf-8", errors="replace").strip()


def _held() -> bool:
    """Tell whether a process holds the cluster."""
    with _file("lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _holding() -> Iterator[None]:
    with _file("lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"cluster {NAME} is held by another process"
            raise UserError(msg) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")  # for who reads it: nothing is done by this number
        file.flush()
        yield


def _file(kind: str) -> Path:
    return state() / f"{NAME}.{kind}"


async def hold(request: RunRequest) -> None:
    """Bring the cluster up, open it, and hold it until this process is told to stop."""
    with _holding(), explained():
        async with of_this_machine(request) as origin:
            running = await bring_up(origin, request, NAME, Lines(), services=True)
            try:
                async with running.opened({API_PORT: PORT}):
                    text = await (await running.host_kubeconfig()).contents()
                    # Last, and whole: it is what `up` waits for.
                    _file("kubeconfig.new").write_text(text, encoding="utf-8")
                    _file("kubeconfig.new").replace(_file("kubeconfig"))
                    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                        await _told_to_stop(signals)
            finally:
                _file("kubeconfig").unlink(missing_ok=True)
                with anyio.CancelScope(shield=True):
                    await running.kill()


async def _told_to_stop(signals: AsyncIterator[int]) -> None:
    async with anyio.create_task_group() as waiting:

        async def look() -> None:
            while not _file("stop").exists():  # noqa: ASYNC110 - another process makes it
                await anyio.sleep(LOOKING)
            waiting.cancel_scope.cancel()

        waiting.start_soon(look)
        async for _ in signals:
            waiting.cancel_scope.cancel()


def main() -> None:
    """Read the request and hold the cluster."""
    asked = TypeAdapter(RunRequest).validate_json(sys.stdin.buffer.read())
    try:
        anyio.run(hold, asked)
    except (UserError, RunError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
