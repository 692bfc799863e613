"""What is up on this machine: clusters that stay, and services that are kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from floe_ci import held_cluster
from floe_ci.standing import can_be_kept

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.held_cluster import Held
    from floe_ci.request import PlaceName

MEGABYTE: Final = 1_000_000
ANSWER: Final = 5.0
"""Seconds in which a cluster must tell how large it is."""


@dataclass(frozen=True)
class Upkeep:
    """Something that is up."""

    place: PlaceName
    name: str
    source: Path
    since: datetime
    tier: str = ""
    ends: datetime | None = None
    """When it ends by itself; None: it is in use, or doesn't."""
    memory: int | None = None
    disk: int | None = None
    """Bytes; None: it can't be told."""
    more: str = ""
    """How it is reached."""

    def as_json(self) -> dict[str, Any]:
        """Return it for machines; times in ISO 8601, sizes in bytes."""
        return {
            "place": self.place,
            "name": self.name,
            "source": str(self.source),
            "tier": self.tier or None,
            "since": self.since.isoformat(timespec="seconds"),
            "ends": self.ends.isoformat(timespec="seconds") if self.ends else None,
            "memory_bytes": self.memory,
            "disk_bytes": self.disk,
        }

    def describe(self, now: datetime) -> str:
        """Return it in a few lines."""
        size = ", ".join(
            f"{what} {size / MEGABYTE:,.0f} MB" for what, size in (("memory", self.memory), ("disk", self.disk)) if size
        )
        end = f"; ends in {_long(self.ends - now)} unless it is used" if self.ends else ""
        tier = f", tier {self.tier}" if self.tier else ""
        lines = [
            f"{self.name}: on {self.place}{tier}, for {self.source}",
            f"  up for {_long(now - self.since)}{end}",
            *([f"  {size}"] if size else []),
            *([f"  {self.more}"] if self.more else []),
        ]
        return "\n".join(lines)


def everything() -> list[Upkeep]:
    """Return all that is up, oldest first."""
    return sorted([*map(of_cluster, held_cluster.everyone()), *services()], key=lambda each: each.since)


def of_cluster(held: Held) -> Upkeep:
    """Return what there is to know of a cluster."""
    used = held_cluster.unused_since(held.name)
    memory, disk = sizes(held)
    return Upkeep(
        "dagger",
        held.name,
        held.source,
        held.since,
        held.tier,
        datetime.fromtimestamp(used, UTC) + timedelta(seconds=held.idle) if used is not None else None,
        memory,
        disk,
        f"export KUBECONFIG={held.kubeconfig}",
    )


def sizes(held: Held) -> tuple[int | None, int | None]:
    """Return the bytes of memory and of disk that a cluster's nodes take, by their own word; None: they say nothing."""
    # The client takes seconds to import, and most who ask have no cluster.
    import urllib3  # noqa: PLC0415
    from kubernetes import client  # noqa: PLC0415

    from floe_ci.driver.apis import Apis  # noqa: PLC0415
    from floe_ci.driver.usage import summary  # noqa: PLC0415

    try:
        apis = Apis.of_kubeconfig(held.kubeconfig.read_text(encoding="utf-8"))
        until = time.monotonic() + ANSWER
        memory = disk = 0
        for node in apis.core.list_node(_request_timeout=ANSWER).items:
            told = summary(apis.core, node.metadata.name, max(until - time.monotonic(), 1))["node"]
            memory += told["memory"]["workingSetBytes"]
            disk += told["runtime"]["imageFs"]["usedBytes"]
    except (OSError, KeyError, TypeError, client.ApiException, urllib3.exceptions.HTTPError):
        return None, None
    return memory, disk


def services() -> list[Upkeep]:
    """Return the services that are kept on this machine itself."""
    if not can_be_kept():
        return []
    from floe_ci.local import kept  # noqa: PLC0415 - an extra

    reached = "plain pytest finds them; `floe-ci exec -- COMMAND` runs anything else with their variables"
    return [
        Upkeep("local", ", ".join(each.services) or "no service", each.source, since, more=reached)
        for since, each in kept.everyone()
    ]


def _long(time_: timedelta) -> str:
    minutes = int(time_.total_seconds() // 60)
    if minutes < 1:
        return f"{max(int(time_.total_seconds()), 0)} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004
