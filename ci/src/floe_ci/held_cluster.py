"""A named cluster with the services, held open on this machine by a process of its own.

`python -m floe_ci.held_cluster` is that process: it reads a request, brings the cluster up in one Dagger session,
opens the API's port, and waits until it is told to stop. The cluster belongs to the engine, so there is one per user
and not one per repository.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from pydantic import TypeAdapter

from floe_ci import kept
from floe_ci.cluster import API_PORT
from floe_ci.driver.poll import wait_until
from floe_ci.errors import RunError, UserError
from floe_ci.places import RunRequest
from floe_ci.session import bundle, request_of, session, state

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.places import Progress
    from floe_ci.steps import Step

NAME = "dev"
PORT = 6443
UP_TIMEOUT, DOWN_TIMEOUT = 1200.0, 60.0
"""Seconds until the cluster must be open, and until the holder must have ended."""
SHOWN = 2000
"""How many characters of the holder's log are shown."""


def up(request: RunRequest, progress: Progress) -> str:
    """Start the holder and wait until the cluster is open; return what to do with it.

    Raises:
        UserError: It didn't come up.
    """
    told = f"export KUBECONFIG={_file('kubeconfig')}"
    if _running():
        return f"cluster {NAME} is up already: {told}"
    progress.note(f"starting cluster {NAME}; what it does is in {_file('log')}")
    _file("kubeconfig").unlink(missing_ok=True)
    with _file("log").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", __name__]
        holder = subprocess.Popen(  # noqa: S603 - this very module
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )
    _file("pid").write_text(str(holder.pid), encoding="utf-8")
    with holder.stdin as stdin:  # type: ignore[union-attr]  # it is a pipe
        stdin.write(TypeAdapter(RunRequest).dump_json(request))
    _wait_until_open(holder)
    return f"cluster {NAME} is up: {told}"


def down(request: RunRequest, progress: Progress) -> str:
    """End the holder and delete the cluster; return what became of it.

    Raises:
        UserError: The holder doesn't end, or the cluster can't be deleted.
    """
    if not _file("pid").exists():
        return f"there is no cluster {NAME}"
    if _running():
        progress.note(f"stopping cluster {NAME}")
        os.kill(_pid(), signal.SIGTERM)
        _wait_until_gone()
    anyio.run(_delete, request)
    for name in ("pid", "kubeconfig"):
        _file(name).unlink(missing_ok=True)
    return f"cluster {NAME} is deleted"


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
        os.kill(holder.pid, signal.SIGTERM)
        raise UserError(_said(str(error))) from error


def _wait_until_gone() -> None:
    """Wait until the holder has ended: the cluster's part of the volume is its own until then."""

    def observe() -> str | None:
        return f"process {_pid()} runs" if _running() else None

    try:
        wait_until(f"the end of what holds cluster {NAME}", observe, timeout=DOWN_TIMEOUT)
    except RunError as error:
        msg = f"{error}; kill that process"
        raise UserError(msg) from error


async def _delete(request: RunRequest) -> None:
    async with session():
        await kept.forget(bundle(), NAME, request.registry, missing_ok=True)


def _said(what: str) -> str:
    return f"{what}; its log, {_file('log')}, ends with:\n{_log()[-SHOWN:]}"


def _last_line() -> str:
    return (_log().splitlines() or ["nothing yet"])[-1]


def _log() -> str:
    return _file("log").read_text(encoding="utf-8", errors="replace").strip()


def _running() -> bool:
    try:
        pid = _pid()
        # One's own child stays a zombie until it is asked for.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return True


def _pid() -> int:
    return int(_file("pid").read_text(encoding="utf-8"))


def _file(kind: str) -> Path:
    return state() / f"{NAME}.{kind}"


class _Lines:
    """Writes a line for each step."""

    def begin(self, step: str) -> None:
        """Say that it begins."""
        print(f"{step} …", flush=True)  # noqa: T201 - its output is the log

    def end(self, step: Step) -> None:
        """Say how long it took."""
        print(f"{step.name}: {step.error or 'done'} ({step.seconds:.1f} s)", flush=True)  # noqa: T201 - as above


async def hold(asked: RunRequest) -> None:
    """Bring the cluster up, open it, and hold it until this process is told to stop."""
    async with session():
        running = await kept.bring_up(request_of(asked), NAME, services=True, listener=_Lines())
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with running.opened({API_PORT: PORT}):
                text = await (await running.host_kubeconfig()).contents()
                # Last, and whole: it is what `up` waits for.
                _file("kubeconfig.new").write_text(text, encoding="utf-8")
                _file("kubeconfig.new").replace(_file("kubeconfig"))
                async for _ in signals:
                    break
            await running.kill()


def main() -> None:
    """Read the request and hold the cluster."""
    asked = TypeAdapter(RunRequest).validate_json(sys.stdin.buffer.read())
    try:
        anyio.run(hold, asked)
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
