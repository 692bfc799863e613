"""Probes say whether a process is ready, and what it lacks."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psutil
import pytest
from floe_ci.errors import RunError
from floe_ci.local import probes
from floe_ci.local.site import free_ports

from serving import Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Data(Handler):
    """Takes what is put at /data, and has nothing else."""

    def do_PUT(self) -> None:
        """Answer 201 where the right thing came to the right place."""
        self.send(status=201 if (self.path, self.body()) == ("/data", b"x") else 404)

    do_GET = do_PUT


@pytest.fixture
def port() -> Iterator[int]:
    """Yield the port of a server."""
    with serving(Server(Data)) as server:
        yield server.server_port


def look(probe: probes.Probe) -> str | None:
    """Look once."""

    async def once() -> str | None:
        return await probe()

    return asyncio.run(once())


def test_open_port(port: int) -> None:
    """A port that takes connections is ready, and one that nobody listens at says so."""
    assert look(probes.listens(port)) is None
    (closed,) = free_ports(1)
    assert str(closed) in str(look(probes.listens(closed)))


def test_http_answer(port: int) -> None:
    """A request that succeeds is ready; another says what was answered."""
    assert look(probes.answers(port, "/data", method="PUT", body=b"x")) is None
    assert "404" in str(look(probes.answers(port, "/other")))


def test_reply_in_a_protocol_of_its_own() -> None:
    """A server that sends the very answer, in pieces too, is ready; another answer is the state."""
    said = [b"+O", b"K\r\n"]

    async def story(expected: bytes) -> str | None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readline() == b"PING\r\n"
            for part in said:
                writer.write(part)
                await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, probes.HOST, 0) as server:
            return await probes.replies(server.sockets[0].getsockname()[1], b"PING\r\n", expected)()

    assert asyncio.run(story(b"+OK\r\n")) is None
    assert str(asyncio.run(story(b"+PONG\r\n"))).endswith("answers +OK")


def test_command(tmp_path: Path) -> None:
    """A command that exits with 0 is ready; another one's last line is the state; it runs in the folder given."""
    shell = ("sh", "-c")
    assert look(probes.succeeds((*shell, f"test $PWD = {tmp_path}"), {"PATH": os.defpath}, tmp_path)) is None
    assert look(probes.succeeds((*shell, "echo first; echo last; false"), {"PATH": os.defpath}, tmp_path)) == "last"
    assert look(probes.succeeds((*shell, "exit 3"), {"PATH": os.defpath}, tmp_path)) == "exit code 3"


def test_command_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that doesn't end in time is ended, and is not ready."""
    monkeypatch.setattr(probes, "TIMEOUT", 0.05)
    state = look(probes.succeeds(("tail", "-f", os.devnull), {"PATH": os.defpath}, tmp_path))
    assert state == "`tail` did not end in 0.05 s"


def test_command_that_is_cancelled(tmp_path: Path) -> None:
    """A command has ended when the look at it is cancelled."""
    probe = probes.succeeds(("sh", "-c", "echo $$ > pid; exec tail -f /dev/null"), {"PATH": os.defpath}, tmp_path)

    async def started() -> str | None:
        return None if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() else "not yet"

    async def story() -> None:
        looking = asyncio.ensure_future(probe())
        await probes.wait_until("it", started, timeout=10)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))

    asyncio.run(story())


def test_wait_is_over_when_ready() -> None:
    """A wait looks until the state is gone."""
    states = iter(["starting", "nearly", None])

    async def observe() -> str | None:
        return next(states)

    asyncio.run(probes.wait_until("it", observe, timeout=5))
    assert next(states, "none left") == "none left"


def test_wait_that_times_out_tells_the_last_state() -> None:
    """A wait that times out is an error that says how long it was and what was seen last."""

    async def observe() -> str:
        return "still starting"

    with pytest.raises(RunError, match=r"it: not there after 0 s; last seen: still starting"):
        asyncio.run(probes.wait_until("it", observe, timeout=0))
