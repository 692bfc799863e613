"""The Dagger command: where it is, and the session with an engine that it holds.

`python -m floe_ci.dagger_cli` prints where it is, fetched first if there is none.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import IO, TYPE_CHECKING, Final

import anyio
import dagger
from anyio.streams.text import TextReceiveStream
from dagger.provisioning import DownloadError
from dagger.provisioning._download import Downloader  # the SDK's own, which checks the checksum

from floe_ci import engine_probe
from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

COMMAND_VARIABLE: Final = "_EXPERIMENTAL_DAGGER_CLI_BIN"
"""Dagger's own variable for where its command is."""
ENDING: Final = 30.0
"""Seconds in which a session ends what it has started in the engine; then it is killed, and the engine ends the rest.

One whose engine is gone would wait for it.
"""
PORT: Final = "DAGGER_SESSION_PORT"
TOKEN: Final = "DAGGER_SESSION_TOKEN"  # noqa: S105 - a variable's name
"""What the SDK finds a session by that is there."""


def find() -> str:
    """Return the path of the Dagger command.

    Raises:
        DownloadError: There is none, and it can't be downloaded.
    """
    named = os.environ.get(COMMAND_VARIABLE)
    return named or shutil.which("dagger") or Downloader().get_sync()


@asynccontextmanager
async def session(log: IO[str]) -> AsyncIterator[None]:
    """Connect the SDK with an engine, by a process that holds the session until this ends.

    The SDK would start that process itself, and let nothing else happen in this one until there is an engine, which may
    take it ten minutes to find out: no signal would be heard.

    Args:
        log: What Dagger has to say goes there; it has a file descriptor.

    Raises:
        DownloadError: There is no Dagger command, and it can't be downloaded.
        RunError: There is no engine, and none could be started.
    """
    async with AsyncExitStack() as stack:
        there = {name: os.environ[name] for name in (PORT, TOKEN) if name in os.environ}  # `dagger run` has one
        os.environ |= there or await stack.enter_async_context(_held(log))
        try:
            await stack.enter_async_context(dagger.connection())
        finally:
            # No process that is started here has to know it.
            for name in {PORT, TOKEN} - there.keys():
                os.environ.pop(name, None)
        yield


@asynccontextmanager
async def _held(log: IO[str]) -> AsyncIterator[dict[str, str]]:
    """Have a process hold a session; yield the variables by which it is reached."""
    engine = engine_probe.engine()
    if engine and not engine.usable:  # the process would try for ten minutes
        msg = f"the Dagger engine {engine.what} does not answer: {engine.detail}; {engine_probe.REMEDY}"
        raise RunError(msg)
    command = os.environ.get(COMMAND_VARIABLE) or await Downloader().get()  # the one that goes with the SDK
    labels = ("--label", "dagger.io/sdk.name:python", "--label", f"dagger.io/sdk.version:{version('dagger-io')}")
    # Its progress is read by nobody, and to draw it takes more of a processor than all else here: more with each step.
    quiet = {"DAGGER_SILENT": "true"} | os.environ
    # In a session of its own, for what is typed at a terminal is this process's to hear.
    process = await anyio.open_process([command, "session", *labels], stderr=log, env=quiet, start_new_session=True)
    try:
        try:
            reached = await _reached_by(process)
        except BaseException:
            process.kill()  # it would wait for its engine first
            raise
        yield reached
    finally:
        with anyio.CancelScope(shield=True):
            await _ended(process)


async def _reached_by(process: Process) -> dict[str, str]:
    """Return the variables by which a session is reached, once there is one.

    Raises:
        RunError: It has ended instead.
    """
    said = ""
    assert process.stdout  # noqa: S101 - it is a pipe
    async for part in TextReceiveStream(process.stdout):
        said += part
        if "\n" in said:
            reached = json.loads(said)
            return {PORT: str(reached["port"]), TOKEN: reached["session_token"]}
    msg = f"`dagger session` ended with exit code {await process.wait()} {said}".rstrip()
    raise RunError(msg)


async def _ended(process: Process) -> None:
    """Have a session end what it has started, and wait for that."""
    assert process.stdin  # noqa: S101 - it is a pipe
    await process.stdin.aclose()
    with anyio.move_on_after(ENDING):
        await process.wait()
        return
    process.kill()


if __name__ == "__main__":
    try:
        print(find())  # noqa: T201 - its output is for a shell
    except DownloadError as error:
        problem = f"there is no `dagger` command, and it can't be downloaded: {error}"
        sys.exit(f"{problem}; see docs.dagger.io/install")
