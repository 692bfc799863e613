"""`python -m floe_ci.local`: the worker that owns the processes and files of a run."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from floe_ci.errors import RunError, UserError
from floe_ci.interrupts import Interrupts
from floe_ci.local import standby
from floe_ci.local.messages import Channel, Done, Order, Refused, Up
from floe_ci.local.processes import adopt_orphans
from floe_ci.local.session import LocalStay
from floe_ci.run import run, up
from floe_ci.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.request import PlaceName
    from floe_ci.run import Run


class Worker:
    """Carries out one order."""

    name: PlaceName = "local"

    def __init__(self, order: Order, channel: Channel) -> None:
        """Prepare; nothing runs yet."""
        self._order, self._channel = order, channel
        self._stay: LocalStay | None = None
        self.interrupts = Interrupts(channel.note, ours=False)

    def stay(self, run: Run) -> LocalStay:
        """Return a run's stay, which is still to begin."""
        self._stay = LocalStay(run, self._channel, self._order.terminal)
        return self._stay

    async def work(self) -> None:
        """Carry out the order; where services live on, this lasts until it is cancelled."""
        request = self._order.request
        if self._order.action == "up":
            await up(request, self, self._channel, self.interrupts)
            last: Done | Up = Up()
        else:
            await run(request, self, self._channel, self.interrupts)
            last = Done(kept=self._channel.stays)
        if not self._channel.stays:
            self._channel.send(last)
            return
        self._channel.release(last)
        try:
            with standby.beside(request.source):
                await asyncio.Event().wait()
        finally:
            if self._stay:
                self._stay.close()


async def serve() -> None:
    """Carry out the order on standard input, and end it at once when whoever gave it is gone."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    line = await orders.readline()
    if not line:
        return
    channel = Channel(sys.stdout)
    worker = Worker(Order.read(line), channel)
    work = asyncio.create_task(worker.work())

    def told(number: int) -> None:
        """End the run in order; what lives on after it, or what is told so twice, at once."""
        if channel.released or worker.interrupts.signal is not None:
            work.cancel()
        else:
            worker.interrupts.interrupt(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, told, number)
    watch = asyncio.create_task(_watch(orders, channel, told))
    try:
        with suppress(asyncio.CancelledError):
            await work
    except (UserError, RunError) as error:
        channel.send(Refused(text=str(error)))
    finally:
        watch.cancel()


async def _watch(orders: asyncio.StreamReader, channel: Channel, told: Callable[[int], None]) -> None:
    """Take the signals that whoever gave the order has got; where it is gone itself, that is one as well."""
    while line := await orders.readline():
        told(int(line))
    if not channel.released:
        told(signal.SIGHUP)


def main() -> None:
    """Be a worker."""
    adopt_orphans()
    # It warns of processes that end after it; here all of them are meant to be ended.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(serve())


if __name__ == "__main__":
    main()
