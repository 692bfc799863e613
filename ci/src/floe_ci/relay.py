"""Hands TCP connections on, around what Dagger's tunnel to this machine can't do.

The tunnel carries all connections of a port over one stream, with three faults that a Kubernetes API and its many
connections soon meet:

- It gives the stream up when it can't write to one of them. So behind it stands a relay that never closes first.
- It tells nobody that a connection was closed here: what was followed or watched would be sent for ever.
- It knows a connection by its address here, and forgets none: one that has the port of an earlier one gets no answer.

So there is a relay on either side of it. The `NearEnd` has few connections through the tunnel, each from an address of
its own, and uses one again when its client has gone; what they say over it is in frames, of which one tells the end.
`python -m floe_ci.relay HOST PORT…` is the `FarEnd`, which hands on to the same ports of a host.
"""

from __future__ import annotations

import signal
import sys
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from struct import Struct
from typing import TYPE_CHECKING, Final, Protocol, Self

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from anyio.abc import SocketStream

LOOPBACK: Final = IPv4Address("127.0.0.1")
LENGTH: Final = Struct("!I")
"""What stands before each frame: the number of bytes that follow."""
BEGIN: Final = 0xFFFFFFFF
"""In place of a length: a client has come."""
END: Final = 0
"""In place of a length: this side has said all, to this client or of it."""
BROKEN: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead)
"""What a connection through the tunnel fails with when that is gone."""


class Way(Protocol):
    """What can be carried from and to: a connection, or a `Line`."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what comes, to its end."""

    async def send(self, item: bytes, /) -> None:
        """Send it."""

    async def send_eof(self) -> None:
        """Tell that all is said."""


class Line:
    """A connection through the tunnel, for one client after the other."""

    def __init__(self, stream: SocketStream) -> None:
        """Take it."""
        self._stream = stream
        self._received = BufferedByteReceiveStream(stream)
        self.is_whole = True
        """Whether it can be used for another client."""

    async def begin(self) -> None:
        """Tell the other side that a client has come."""
        await self._stream.send(LENGTH.pack(BEGIN))

    async def has_begun(self) -> bool:
        """Wait for a client; tell whether there was one before the line ended."""
        return await self._length() == BEGIN

    async def send(self, item: bytes, /) -> None:
        """Send a frame."""
        await self._stream.send(LENGTH.pack(len(item)) + item)

    async def send_eof(self) -> None:
        """Tell that this side has said all to this client, or of it."""
        await self._stream.send(LENGTH.pack(END))

    def __aiter__(self) -> Self:
        """Yield frames, until the other side has said all."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame."""
        if not (length := await self._length()):
            raise StopAsyncIteration
        try:
            return await self._received.receive_exactly(length)
        except BROKEN:
            self.is_whole = False
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def _length(self) -> int:
        try:
            return int(LENGTH.unpack(await self._received.receive_exactly(LENGTH.size))[0])
        except BROKEN:
            self.is_whole = False
            return END


@dataclass(frozen=True)
class Relay:
    """Hands connections on to a host, as they are."""

    host: str

    async def hand_on(self, port: int, client: SocketStream) -> None:
        """Hand on one connection, until both sides have said all."""
        async with client:
            await hand_on(client, self.host, port)


@dataclass(frozen=True)
class FarEnd:
    """Hands on to a host what clients at the tunnel's other end say."""

    host: str

    async def hand_on(self, port: int, stream: SocketStream) -> None:
        """Serve one client after the other, and never close first."""
        line = Line(stream)
        async with stream:
            while await line.has_begun():
                await hand_on(line, self.host, port)


class NearEnd:
    """Hands on through the tunnel what clients on this machine say."""

    def __init__(self) -> None:
        """Prepare."""
        self._sources = sources()
        self._free: defaultdict[int, list[Line]] = defaultdict(list)

    async def hand_on(self, port: int, client: SocketStream) -> None:
        """Hand on one client's connection, until both sides have said all."""
        async with client:
            try:
                line = await self._line(port)
            except (OSError, *BROKEN):
                await refuse(client)
                return
            try:
                await carry_both_ways(client, line)
            except BaseException:
                line.is_whole = False
                raise
            finally:
                if line.is_whole:
                    self._free[port].append(line)
                else:
                    await line.aclose()

    async def aclose(self) -> None:
        """Close the lines that nobody uses."""
        with anyio.CancelScope(shield=True):
            for lines in self._free.values():
                while lines:
                    await lines.pop().aclose()

    async def _line(self, port: int) -> Line:
        """Return a line of whose client nothing is left."""
        while self._free[port]:
            line = self._free[port].pop()
            try:
                await line.begin()
            except BROKEN:
                await line.aclose()
            else:
                return line
        source = next(self._sources) if self._sources else None
        line = Line(await anyio.connect_tcp(str(LOOPBACK), port, local_host=source))
        await line.begin()
        return line


@asynccontextmanager
async def listening(
    serve: Callable[[int, SocketStream], Awaitable[None]], ports: Mapping[int, int], address: str = str(LOOPBACK)
) -> AsyncIterator[None]:
    """Listen, and serve what comes in on each port with the port that is given for it."""
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        for port, target in ports.items():
            listener = await anyio.create_tcp_listener(local_host=address, local_port=port)
            await stack.enter_async_context(listener)
            group.start_soon(listener.serve, partial(serve, target))
        yield
        group.cancel_scope.cancel()


@asynccontextmanager
async def through_tunnel(ports: Mapping[int, int]) -> AsyncIterator[None]:
    """Listen on this machine, and hand on what comes in on each port through the port of the tunnel given for it."""
    near = NearEnd()
    try:
        async with listening(near.hand_on, ports):
            yield
    finally:
        await near.aclose()


def sources() -> Iterator[str] | None:
    """Return addresses of this machine that are not used up in a session; None where it has but one."""
    return (str(LOOPBACK + number) for number in count(1)) if sys.platform == "linux" else None


async def hand_on(client: Way, host: str, port: int) -> None:
    """Hand on what a client says, and the answer, until both sides have said all."""
    try:
        server = await anyio.connect_tcp(host, port)
    except OSError:
        await refuse(client)
        return
    async with server:
        await carry_both_ways(client, server)


async def carry_both_ways(one: Way, other: Way) -> None:
    """Carry what each says to the other, until both have said all."""
    async with anyio.create_task_group() as group:
        group.start_soon(carry, one, other)
        group.start_soon(carry, other, one)


async def refuse(client: Way) -> None:
    """Say nothing to a client, and let it say what it has to."""
    await end(client)
    await carry(client, None)


async def carry(source: Way, target: Way | None) -> None:
    """Carry one direction to its end, which is told; what can't be delivered is taken and dropped."""
    with suppress(anyio.BrokenResourceError):  # reset: its end, too
        async for chunk in source:
            if target is None:
                continue
            try:
                await target.send(chunk)
            except anyio.BrokenResourceError:
                target = None
    if target:
        await end(target)


async def end(stream: Way) -> None:
    """Tell the other side that all is said, if it is still there."""
    with suppress(anyio.BrokenResourceError, OSError):
        await stream.send_eof()


async def main(host: str, *ports: str) -> None:
    """Hand on until the process is told to end."""
    same = {int(port): int(port) for port in ports}
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with listening(FarEnd(host).hand_on, same, "0.0.0.0"):  # noqa: S104 - it is to be reached
            async for _ in signals:
                break


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))
