"""Hands the ports of a cluster's Services on, for as long as it runs.

`python -m floe_ci.forward NAMESPACE SERVICE:PORT:OPEN…` listens on each port OPEN, and hands on to PORT of the Service.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from floe_ci.relay import LOOPBACK, Relay, listening

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from floe_ci.manifests import Document

AGAIN: Final = 1.0
"""Seconds until a forward that ended is begun again: its pod is gone, and the next one is not there yet."""
INNER: Final = 40_000
"""Where kubectl listens, for the relay alone: from here on."""
MOVED: Final = 10_000
"""What is added to a port that another Service has too, until it is free."""


@dataclass(frozen=True)
class Door:
    """A port of a Service, and the one that it is open under."""

    service: str
    port: int
    open: int

    def __str__(self) -> str:
        """Return it as the command line has it."""
        return f"{self.service}:{self.port}:{self.open}"

    @classmethod
    def parse(cls, text: str) -> Door:
        """Read what `str` wrote."""
        service, port, opened = text.split(":")
        return cls(service, int(port), int(opened))


def doors(documents: Collection[Document]) -> tuple[Door, ...]:
    """Return a door for each TCP port of each Service, under its own number where no other Service has that."""
    taken: set[int] = set()
    found = []
    for document in documents:
        if document["kind"] != "Service" or document.get("apiVersion") != "v1":
            continue
        for each in (document.get("spec") or {}).get("ports") or ():
            if each.get("protocol", "TCP") != "TCP":
                continue
            number = each["port"]
            while number in taken:
                number += MOVED
            taken.add(number)
            found.append(Door(document["metadata"]["name"], each["port"], number))
    return tuple(found)


def seen_from_outside(variables: Mapping[str, str], opened: Collection[Door]) -> dict[str, str]:
    """Return the variables by which Services are found, as they are where the doors are: `…_HOST` and its `…_PORT`."""
    outside = dict(variables)
    for name, value in variables.items():
        if not name.endswith("_HOST") or value not in {door.service for door in opened}:
            continue
        outside[name] = "localhost"
        port = name.removesuffix("_HOST") + "_PORT"
        for door in opened:
            if door.service == value and str(door.port) == variables.get(port):
                outside[port] = str(door.open)
    return outside


async def forward(namespace: str, door: Door, inner: int) -> None:
    """Hand on to the pod that is there, and to the next one when that is gone."""
    command = ["kubectl", "port-forward", "--namespace", namespace, f"service/{door.service}", f"{inner}:{door.port}"]
    while True:
        await anyio.run_process(command, check=False, stdout=subprocess.DEVNULL, stderr=sys.stderr)
        await anyio.sleep(AGAIN)


async def main(namespace: str, *texts: str) -> None:
    """Hand on until the process is told to end."""
    inner = {INNER + place: Door.parse(text) for place, text in enumerate(texts)}
    relay = Relay(str(LOOPBACK))
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            for port, door in inner.items():
                group.start_soon(forward, namespace, door, port)
            # kubectl closes its connections as it likes; the engine's tunnel wants a relay that doesn't.
            ports = {door.open: port for port, door in inner.items()}
            await stack.enter_async_context(listening(relay.hand_on, ports, "0.0.0.0"))  # noqa: S104 - it is to be reached
            async for _ in signals:
                break
            group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))
