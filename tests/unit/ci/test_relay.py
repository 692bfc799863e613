"""The relay between Dagger's tunnel and a service."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute
from floe_ci.relay import Relay, sources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import SocketStream

    Side = Callable[[SocketStream], Awaitable[object]]

HERE = "127.0.0.1"


@pytest.fixture
def relayed(free_tcp_port_factory: Callable[[], int]) -> Callable[..., None]:
    """Return what has clients talk to a server through a relay, one after the other."""

    async def talk(server: Side | None, client: Side, times: int) -> None:
        outer, target = free_tcp_port_factory(), free_tcp_port_factory()
        with anyio.fail_after(10):
            async with (
                Relay(HERE, sources()).listening({outer: target}),
                AsyncExitStack() as stack,
                anyio.create_task_group() as group,
            ):
                if server:
                    listener = await anyio.create_tcp_listener(local_host=HERE, local_port=target)
                    await stack.enter_async_context(listener)
                    group.start_soon(listener.serve, server)
                for _ in range(times):
                    async with await anyio.connect_tcp(HERE, outer) as stream:
                        await client(stream)
                group.cancel_scope.cancel()

    return lambda server, client, times=1: anyio.run(talk, server, client, times)


async def all_of(stream: SocketStream) -> bytes:
    """Return what the other side says to its end."""
    return b"".join([chunk async for chunk in stream])


async def echo(stream: SocketStream) -> None:
    """Answer with all that was said, when all is said."""
    async with stream:
        await stream.send(await all_of(stream))


async def hang_up(stream: SocketStream) -> None:
    """Say a word and close the connection, whatever the client still has to say."""
    async with stream:
        await stream.send(b"bye")


def test_both_ways(relayed: Callable[..., None]) -> None:
    """What a client says reaches the server to its end, and the answer the client."""
    said, heard = b"x" * 1_000_000, []

    async def ask(stream: SocketStream) -> None:
        await stream.send(said)
        await stream.send_eof()
        heard.append(await all_of(stream))

    relayed(echo, ask)
    assert heard == [said]


@pytest.mark.parametrize(("server", "answer"), [(hang_up, b"bye"), (None, b"")], ids=["hangs up", "is not there"])
def test_client_is_never_hung_up_on(relayed: Callable[..., None], server: Side | None, answer: bytes) -> None:
    """A server that closes, or isn't there, is told as an end; the client may go on for as long as it likes."""
    heard = []

    async def ask(stream: SocketStream) -> None:
        heard.append(await all_of(stream))
        for _ in range(20):
            await stream.send(b"x" * 1_000_000)

    relayed(server, ask)
    assert heard == [answer]


@pytest.mark.skipif(sys.platform != "linux", reason="this machine has one loopback address")
def test_no_connection_has_the_address_of_another(relayed: Callable[..., None]) -> None:
    """Connections come from another address each time, so that one is never taken for an earlier one."""
    seen = []

    async def note(stream: SocketStream) -> None:
        seen.append(stream.extra(SocketAttribute.remote_address)[0])  # noqa: S610 - nothing of Django's
        await hang_up(stream)

    relayed(note, all_of, times=3)
    assert seen == ["127.0.0.2", "127.0.0.3", "127.0.0.4"]


def test_process_ends_when_it_is_told_to(free_tcp_port: int) -> None:
    """The relay listens on its port as a process of its own, and ends at once on SIGTERM."""
    command = [sys.executable, "-m", "floe_ci.relay", "::1", str(free_tcp_port)]

    async def reached() -> None:
        with anyio.fail_after(30):
            while True:
                try:
                    await (await anyio.connect_tcp(HERE, free_tcp_port)).aclose()
                except OSError:
                    continue
                return

    with subprocess.Popen(command) as process:
        anyio.run(reached)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
