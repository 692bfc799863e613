"""How many pods of tests a cluster has room for, by its nodes' processors and the quotas of a namespace."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from kubernetes import client
from kubernetes.utils import parse_quantity

from floe_ci.driver import nodes
from floe_ci.errors import UserError
from floe_ci.manifests import Manifests, containers
from floe_ci.shards import MOST

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from kubernetes.client import V1Node, V1ResourceQuota

    from floe_ci.driver.apis import Apis
    from floe_ci.manifests import Document

ONE: Final = Decimal(1)
NOTHING: Final = Decimal()


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
    def of(
        cls, apis: Apis, namespace: str, job: Document, services: Manifests, stop: threading.Event | None = None
    ) -> Room:
        """Ask the cluster.

        Args:
            apis: The cluster's.
            namespace: Where the tests are.
            job: Makes their pods.
            services: What the tests run beside, whose pods need not be there yet.
            stop: Ends it when it is set.

        Raises:
            RunError: The cluster does not answer.
            Stopped: It was told to stop.
        """
        takers = apis.ask("nodes", lambda: nodes.ready(apis.core), stop=stop)
        quotas = apis.ask("quotas", lambda: quotas_of(apis, namespace), stop=stop)
        pods, least = left(quotas, needs(job), needs_of_all(services))
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


def needs(workload: Document) -> dict[str, Decimal]:
    """Return what a pod of a workload takes of a quota, by the quota's own names."""
    found = dict[str, Decimal]()
    for container in containers((workload,), ("containers",)):
        resources = container.get("resources") or {}
        limits = _said(resources.get("limits"))
        # Who asks for nothing asks for all that it may take.
        asked = {**limits, **_said(resources.get("requests"))}
        for what, amounts in (("requests", asked), ("limits", limits)):
            for name, amount in amounts.items():
                found[f"{what}.{name}"] = found.get(f"{what}.{name}", NOTHING) + amount
    named = {name.removeprefix("requests."): amount for name, amount in found.items() if name.startswith("requests.")}
    return {**found, **named, "pods": ONE, "count/pods": ONE}


def needs_of_all(services: Manifests) -> dict[str, Decimal]:
    """Return what the pods of all workloads take of a quota together, by the quota's own names."""
    found = dict[str, Decimal]()
    kept = services.workloads()
    for document in services.documents:
        if (document["kind"], document["metadata"]["name"]) in kept:
            replicas = (document.get("spec") or {}).get("replicas")
            # What is no number the cluster refuses.
            count = replicas if isinstance(replicas, int) else 1
            for name, amount in needs(document).items():
                found[name] = found.get(name, NOTHING) + amount * count
    return found


def _said(amounts: Mapping[str, object] | None) -> dict[str, Decimal]:
    """Return the amounts of a manifest that say something: null is nothing, and what is none the cluster refuses."""
    found = dict[str, Decimal]()
    for name, amount in (amounts or {}).items():
        with suppress(ValueError):
            found[name] = parse_quantity(amount)
    return found


def require_room(
    apis: Apis, namespace: str, services: Manifests, of_one: str = "", stop: threading.Event | None = None
) -> None:
    """Refuse services that the quotas of their namespace have no room for.

    Args:
        apis: The cluster's.
        namespace: Where they are to be, or are.
        services: As they are for all shards.
        of_one: What they would be for one, as YAML; empty: the same.
        stop: Ends it when it is set.

    Raises:
        UserError: A quota has none; every one that hasn't is told, and whether fewer shards would do.
        RunError: The cluster does not answer.
        Stopped: It was told to stop.
    """
    quotas = apis.ask("quotas", lambda: quotas_of(apis, namespace), stop=stop)
    taken = needs_of_all(services)
    if over := exceeded(quotas, taken):
        alone = needs_of_all(Manifests.parse(of_one, "the rendered manifests")) if of_one else taken
        msg = "; ".join(in_words(quota, name, taken, alone) for quota, name in over)
        raise UserError(msg)


def exceeded(quotas: Iterable[V1ResourceQuota], taken: Mapping[str, Decimal]) -> list[tuple[V1ResourceQuota, str]]:
    """Return of which quotas the services would take more than there is, and of what."""
    return [
        (quota, name)
        for quota in quotas
        for name, hard in (quota.status.hard or {}).items()
        if is_for_services(quota) and taken.get(name, NOTHING) > parse_quantity(hard)
    ]


def in_words(quota: V1ResourceQuota, name: str, taken: Mapping[str, Decimal], alone: Mapping[str, Decimal]) -> str:
    """Return for a reader that a quota has less of something than services take, or would take for one shard."""
    hard = quota.status.hard[name]
    told = f"quota {quota.metadata.name} allows {hard} of {name}, and the services take"
    if alone.get(name, NOTHING) > parse_quantity(hard):
        return f"{told} {shown(name, alone[name])} for one shard already: limit them in `resources` of the tier"
    fewer = "ask for fewer, in the tier's table too, or limit the services in its `resources`"
    return f"{told} {shown(name, taken[name])} with so many shards: {fewer}"


def left(
    quotas: Iterable[V1ResourceQuota], needed: Mapping[str, Decimal], taken: Mapping[str, Decimal]
) -> tuple[int, str]:
    """Return how many pods with such needs quotas leave room for, and which leaves the least, for what.

    The services' pods, which take some of it, may be there already or be yet to come.
    """
    rooms = [(MOST, "")]
    for quota in quotas:
        used = quota.status.used or {}
        for name, hard in (quota.status.hard or {}).items():
            if needed.get(name):
                own = taken.get(name, NOTHING) if is_for_services(quota) else NOTHING
                free = parse_quantity(hard) - max(own, parse_quantity(used.get(name, 0)))
                rooms.append((max(0, int(free / needed[name])), f"quota {quota.metadata.name} ({name})"))
    return min(rooms, key=lambda room: room[0])


def shown(name: str, amount: Decimal) -> str:
    """Return an amount of what a quota calls so, as a reader would write it."""
    return f"{amount / 2**20:.0f}Mi" if name.endswith("memory") else f"{amount.normalize():f}"


def is_for_services(quota: V1ResourceQuota) -> bool:
    """Tell whether a quota is for all pods: one with scopes may be for those that end by themselves, as tests' do."""
    return not (quota.spec and (quota.spec.scopes or quota.spec.scope_selector))
