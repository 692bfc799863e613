"""The relay between Dagger's tunnel and a service."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute
from floe_ci.relay import FarEnd, Line, Relay, listening, through_tunnel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    Side = Callable[[SocketStream], Awaitable[object]]

HERE = "127.0.0.1"


class Both:
    """What has clients talk to a server: through a relay on either side of a tunnel, or through one alone."""

    def __init__(self, ports: Callable[[], int], way: str) -> None:
        """Take what gives free ports, and the way."""
        self._outer, self._tunnel, self._target = ports(), ports(), ports()
        self._way = way

    @asynccontextmanager
    async def opened(self, server: Side | None) -> AsyncIterator[None]:
        """Have all of them listen, but for a server that is not there."""
        async with AsyncExitStack() as stack:
            if self._way == "tunnel":
                # In place of the tunnel, which takes connections as they are.
                far = FarEnd(HERE).hand_on
                await stack.enter_async_context(listening(far, {self._tunnel: self._target}))
                await stack.enter_async_context(through_tunnel({self._outer: self._tunnel}))
            else:
                await stack.enter_async_context(listening(Relay(HERE).hand_on, {self._outer: self._target}))
            if server:
                listener = await anyio.create_tcp_listener(local_host=HERE, local_port=self._target)
                await stack.enter_async_context(listener)
            async with anyio.create_task_group() as group:
                if server:
                    group.start_soon(listener.serve, server)
                yield
                group.cancel_scope.cancel()

    async def client(self, client: Side) -> None:
        """Have a client talk."""
        async with await anyio.connect_tcp(HERE, self._outer) as stream:
            await client(stream)

    def talk(self, server: Side | None, *clients: Side) -> None:
        """Have clients talk to a server, one after the other."""

        async def all_talk() -> None:
            with anyio.fail_after(30):
                async with self.opened(server):
                    for client in clients:
                        await self.client(client)

        anyio.run(all_talk)


@pytest.fixture(params=["tunnel", "alone"])
def relayed(request: pytest.FixtureRequest, free_tcp_port_factory: Callable[[], int]) -> Both:
    """Return clients and a server that do not reach each other but by relays."""
    return Both(free_tcp_port_factory, request.param)


@pytest.fixture
def tunnelled(free_tcp_port_factory: Callable[[], int]) -> Both:
    """Return clients and a server with a tunnel between them."""
    return Both(free_tcp_port_factory, "tunnel")


@pytest.fixture
def at_tunnel(free_tcp_port_factory: Callable[[], int]) -> Callable[..., None]:
    """Return what has clients talk to a server of the test's that stands where the tunnel would be."""
    outer, tunnel = free_tcp_port_factory(), free_tcp_port_factory()

    async def run(server: Side, clients: Callable[[int], Awaitable[None]]) -> None:
        with anyio.fail_after(30):
            listener = await anyio.create_tcp_listener(local_host=HERE, local_port=tunnel)
            async with listener, through_tunnel({outer: tunnel}), anyio.create_task_group() as group:
                group.start_soon(listener.serve, server)
                await clients(outer)
                group.cancel_scope.cancel()

    return lambda server, clients: anyio.run(run, server, clients)


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


def test_both_ways(relayed: Both) -> None:
    """What a client says reaches the server to its end, and the answer the client."""
    said, heard = b"x" * 1_000_000, []

    async def ask(stream: SocketStream) -> None:
        await stream.send(said)
        await stream.send_eof()
        heard.append(await all_of(stream))

    relayed.talk(echo, ask, ask)
    assert heard == [said, said]


@pytest.mark.parametrize(("server", "answer"), [(hang_up, b"bye"), (None, b"")], ids=["hangs up", "is not there"])
def test_client_is_never_hung_up_on(relayed: Both, server: Side | None, answer: bytes) -> None:
    """A server that closes, or isn't there, is told as an end; the client may go on for as long as it likes."""
    heard = []

    async def ask(stream: SocketStream) -> None:
        heard.append(await all_of(stream))
        for _ in range(20):
            await stream.send(b"x" * 1_000_000)

    relayed.talk(server, ask, ask)
    assert heard == [answer, answer]


@pytest.mark.parametrize("left", ["closed", "reset"])
def test_server_is_told_when_a_client_has_gone(tunnelled: Both, left: str) -> None:
    """What a client has followed ends when the client goes, though it would go on for ever."""
    told = anyio.Event()

    async def tell(stream: SocketStream) -> None:
        async with stream, anyio.create_task_group() as group:

            async def go_on() -> None:
                while True:
                    await stream.send(b"x" * 1000)

            group.start_soon(go_on)
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()
            told.set()
            group.cancel_scope.cancel()

    async def follow(stream: SocketStream) -> None:
        await stream.receive()
        if left == "reset":
            linger = struct.pack("ii", 1, 0)
            stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # noqa: S610

    async def talk() -> None:
        with anyio.fail_after(30):
            async with tunnelled.opened(tell):
                await tunnelled.client(follow)
                await told.wait()

    anyio.run(talk)


@pytest.mark.skipif(sys.platform != "linux", reason="this machine has one loopback address")
def test_few_connections_through_the_tunnel(at_tunnel: Callable[..., None]) -> None:
    """As many go through the tunnel as there were clients at once, each from an address that no other had."""
    seen, most = [], 3

    async def serve(stream: SocketStream) -> None:
        seen.append(stream.extra(SocketAttribute.remote_address)[0])  # noqa: S610 - nothing of Django's
        line = Line(stream)
        async with stream:
            while await line.has_begun():
                await line.send(b"".join([chunk async for chunk in line]))
                await line.send_eof()

    async def ask(port: int) -> None:
        async with await anyio.connect_tcp(HERE, port) as stream:
            await stream.send(b"x")
            await stream.send_eof()
            assert await all_of(stream) == b"x"

    async def ask_in_turns(port: int) -> None:
        for _ in range(20):
            async with anyio.create_task_group() as clients:
                for _ in range(most):
                    clients.start_soon(ask, port)

    at_tunnel(serve, ask_in_turns)
    assert 1 <= len(seen) <= 2 * most
    assert len(set(seen)) == len(seen)


def test_tunnel_that_is_not_there(free_tcp_port_factory: Callable[[], int]) -> None:
    """Where there is no tunnel any more each client is told the end, and the next one may come."""
    heard = []
    outer, tunnel = free_tcp_port_factory(), free_tcp_port_factory()

    async def talk() -> None:
        with anyio.fail_after(30):
            async with through_tunnel({outer: tunnel}):
                for _ in range(2):
                    async with await anyio.connect_tcp(HERE, outer) as stream:
                        heard.append(await all_of(stream))

    anyio.run(talk)
    assert heard == [b"", b""]


def test_tunnel_that_breaks(at_tunnel: Callable[..., None]) -> None:
    """A client whose connection through the tunnel breaks is told the end, and the next one gets another."""
    heard, lines = [], []

    async def break_off(stream: SocketStream) -> None:
        async with stream:
            lines.append(await Line(stream).has_begun())

    async def listen_twice(port: int) -> None:
        for _ in range(2):
            async with await anyio.connect_tcp(HERE, port) as stream:
                heard.append(await all_of(stream))

    at_tunnel(break_off, listen_twice)
    assert (heard, lines) == ([b"", b""], [True, True])


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
