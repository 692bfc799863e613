"""How many pods of tests a cluster has room for, by its nodes' processors and the quotas of a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from kubernetes import client
from kubernetes.utils import parse_quantity

from floe_ci.driver import nodes
from floe_ci.shards import MOST

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from kubernetes.client import V1Node, V1ResourceQuota

    from floe_ci.driver.apis import Apis
    from floe_ci.manifests import Document

ONE: Final = Decimal(1)


@dataclass(frozen=True)
class Room:
    """What there is room for."""

    processors: int
    """Whole processors of all nodes that take pods."""
    pods: int
    """Pods of tests that the namespace's quotas leave room for."""
    least: str = ""
    """The quota that leaves room for the fewest, and for what; empty: there is none."""

    @classmethod
    def of(cls, apis: Apis, namespace: str, job: Document, stop: threading.Event | None = None) -> Room:
        """Ask the cluster.

        Args:
            apis: The cluster's.
            namespace: Where the tests are.
            job: Makes their pods.
            stop: Ends it when it is set.

        Raises:
            RunError: The cluster does not answer.
            Stopped: It was told to stop.
        """
        takers = apis.ask("nodes", lambda: nodes.ready(apis.core), stop=stop)
        quotas = apis.ask("quotas", lambda: quotas_of(apis, namespace), stop=stop)
        pods, least = left(quotas, needs(job))
        return cls(processors(takers), pods, least)

    @property
    def wanted(self) -> int:
        """As many shards as make use of the cluster, if there is room for them."""
        return max(1, min(self.processors, MOST))

    def at_once(self, shards: int) -> int:
        """Return how many of so many pods may be there at the same time."""
        return max(1, min(shards, self.pods))

    def told(self, shards: int, *, is_fixed: bool = True) -> str:
        """Return what the reader should know of so many shards; empty: there is room for them.

        Args:
            shards: How many are asked for.
            is_fixed: Whether there have to be as many, one after the other if need be.
        """
        if self.pods >= shards:
            return ""
        first = f"{self.least} leaves room for {self.pods} of the {shards} pods of tests"
        if not is_fixed and self.pods:
            return f"{first}: there are no more"
        return f"{first}: the others begin as those end" if self.pods else f"{first}: they wait until there is some"


def quotas_of(apis: Apis, namespace: str) -> list[V1ResourceQuota]:
    """Return the quotas of a namespace; none where one may not see them."""
    try:
        return list(apis.core.list_namespaced_resource_quota(namespace).items)
    except client.ApiException as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return []


def processors(takers: Iterable[V1Node]) -> int:
    """Return the whole processors that pods may have."""
    return sum(int(parse_quantity((node.status.allocatable or {}).get("cpu", 0))) for node in takers)


def needs(job: Document) -> dict[str, Decimal]:
    """Return what a pod of a Job takes of a quota, by the quota's own names."""
    found = dict[str, Decimal]()
    for container in job["spec"]["template"]["spec"]["containers"]:
        for what in ("requests", "limits"):
            for name, amount in ((container.get("resources") or {}).get(what) or {}).items():
                found[f"{what}.{name}"] = found.get(f"{what}.{name}", Decimal()) + parse_quantity(amount)
    named = {name.removeprefix("requests."): amount for name, amount in found.items() if name.startswith("requests.")}
    return {**found, **named, "pods": ONE, "count/pods": ONE}


def left(quotas: Iterable[V1ResourceQuota], needed: Mapping[str, Decimal]) -> tuple[int, str]:
    """Return how many pods with such needs quotas leave room for, and which leaves the least, for what."""
    rooms = [(MOST, "")]
    for quota in quotas:
        used = quota.status.used or {}
        for name, hard in (quota.status.hard or {}).items():
            if needed.get(name):
                free = parse_quantity(hard) - parse_quantity(used.get(name, 0))
                rooms.append((max(0, int(free / needed[name])), f"quota {quota.metadata.name} ({name})"))
    return min(rooms, key=lambda room: room[0])
