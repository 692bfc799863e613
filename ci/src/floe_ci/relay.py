"""Hands TCP connections on, around what Dagger's tunnel to this machine can't do.

`python -m floe_ci.relay HOST PORT…` hands on to the same ports of a host. The tunnel carries all connections of a port
over one stream, with two faults that a Kubernetes API and its many connections soon meet:

- It gives the stream up when it can't write to one of them. So behind it stands a relay that never closes first.
- It knows a connection by its address here, and forgets none: one that has the port of an earlier one gets no answer.
  So before it stands a relay that comes from another address each time.
"""

from __future__ import annotations

import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from anyio.abc import SocketStream

LOOPBACK: Final = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Relay:
    """Hands connections on to a host."""

    host: str
    sources: Iterator[str] | None = None
    """The addresses to come from, one for each connection; None: the system's choice."""

    @asynccontextmanager
    async def listening(self, ports: Mapping[int, int], address: str = str(LOOPBACK)) -> AsyncIterator[None]:
        """Listen, and hand on what comes in on each port to the port of the host that is given for it."""
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            for port, target in ports.items():
                listener = await anyio.create_tcp_listener(local_host=address, local_port=port)
                await stack.enter_async_context(listener)
                group.start_soon(listener.serve, partial(self.hand_on, target))
            yield
            group.cancel_scope.cancel()

    async def hand_on(self, port: int, client: SocketStream) -> None:
        """Hand on one connection, until both sides have said all."""
        source = next(self.sources) if self.sources else None
        async with client:
            try:
                server = await anyio.connect_tcp(self.host, port, local_host=source)
            except OSError:
                await end(client)
                await carry(client, None)
                return
            async with server, anyio.create_task_group() as group:
                group.start_soon(carry, client, server)
                group.start_soon(carry, server, client)


def sources() -> Iterator[str] | None:
    """Return addresses of this machine that are not used up in a session; None where it has but one."""
    return (str(LOOPBACK + number) for number in count(1)) if sys.platform == "linux" else None


async def carry(source: SocketStream, target: SocketStream | None) -> None:
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


async def end(stream: SocketStream) -> None:
    """Tell the other side that all is said, if it is still there."""
    with suppress(anyio.BrokenResourceError, OSError):
        await stream.send_eof()


async def main(host: str, *ports: str) -> None:
    """Hand on until the process is told to end."""
    same = {int(port): int(port) for port in ports}
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with Relay(host).listening(same, "0.0.0.0"):  # noqa: S104 - it is to be reached
            async for _ in signals:
                break


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))
