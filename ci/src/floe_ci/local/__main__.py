"""`python -m floe_ci.local`: the worker that owns the processes and files of a run."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import suppress

from floe_ci.errors import RunError, UserError
from floe_ci.local.messages import Channel, Order, Refused
from floe_ci.local.processes import adopt_orphans
from floe_ci.local.session import Session


async def serve() -> None:
    """Carry out the order on standard input, and end at once when whoever gave it is gone."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    line = await orders.readline()
    if not line:
        return
    order, channel = Order.model_validate_json(line), Channel(sys.stdout)
    session = Session(order.request, channel)
    work = asyncio.create_task(session.up() if order.action == "up" else session.test())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, work.cancel)
    watch = asyncio.create_task(_watch(orders, session, channel, work))
    try:
        with suppress(asyncio.CancelledError):
            await work
    except (UserError, RunError) as error:
        channel.send(Refused(text=str(error)))
    finally:
        watch.cancel()


async def _watch(orders: asyncio.StreamReader, session: Session, channel: Channel, work: asyncio.Task[None]) -> None:
    while await orders.readline():
        session.interrupted.set()
    if not channel.released:
        work.cancel()


if __name__ == "__main__":
    adopt_orphans()
    # It warns of processes that end after it; here all of them are meant to be ended.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(serve())
