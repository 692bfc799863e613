"""Whether a process of this machine is ready. A probe returns None where it is, else the state in one line."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    Probe = Callable[[], Awaitable[str | None]]

HOST: Final = "127.0.0.1"
TIMEOUT: Final = 5.0
"""Seconds that one look may take."""
INTERVAL: Final = 0.1
"""Seconds between two looks."""


def listens(port: int) -> Probe:
    """Return a probe of a port that takes connections."""
    return _guarded(_connect(port, b""), port)


def answers(port: int, path: str, *, method: str = "GET", body: bytes = b"") -> Probe:
    """Return a probe of an HTTP server that answers a request with a code of success."""
    head = f"{method} {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    return _guarded(_connect(port, head.encode() + body), port)


def replies(port: int, request: bytes, answer: bytes) -> Probe:
    """Return a probe of a server that sends exactly `answer` to what a client says, in any protocol of its own."""

    async def look() -> str | None:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(request)
            await writer.drain()
            said = b""
            while len(said) < len(answer) and said == answer[: len(said)] and (more := await reader.read(4096)):
                said += more
        finally:
            writer.close()
        return None if said == answer else f"port {port} answers {said.decode(errors='replace').strip() or 'nothing'}"

    return _guarded(look, port)


def succeeds(command: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Probe:
    """Return a probe of a command that exits with 0 in a folder; what it prints otherwise is the state."""

    async def look() -> str | None:
        child = await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                said, _ = await child.communicate()
        except TimeoutError:
            return f"`{command[0]}` did not end in {TIMEOUT:g} s"
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        lines = said.decode(errors="replace").strip().splitlines()
        return None if child.returncode == 0 else (lines[-1] if lines else f"exit code {child.returncode}")

    return look


async def wait_until(what: str, observe: Probe, *, timeout: float) -> None:  # noqa: ASYNC109 - it has its own message
    """Look until `observe` returns None.

    Raises:
        RunError: The wait timed out; the message holds the state seen last.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    while (state := await observe()) is not None:
        if asyncio.get_running_loop().time() >= deadline:
            msg = f"{what}: not there after {timeout:g} s; last seen: {state}"
            raise RunError(msg)
        await asyncio.sleep(INTERVAL)


def _connect(port: int, request: bytes) -> Callable[[], Awaitable[str | None]]:
    async def look() -> str | None:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            if not request:
                return None
            writer.write(request)
            await writer.drain()
            status = (await reader.readline()).decode(errors="replace").strip()
        finally:
            writer.close()
        return None if " 2" in status[:10] else f"port {port} answers {status or 'nothing'}"

    return look


def _guarded(look: Probe, port: int) -> Probe:
    async def guarded() -> str | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await look()
        except TimeoutError:
            return f"port {port} did not answer for {TIMEOUT:g} s"
        except OSError as error:
            return f"port {port}: {error.strerror or error}"

    return guarded
