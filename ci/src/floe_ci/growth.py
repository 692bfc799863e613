"""What services take more in a run of several shards: a `service.toml` says it of a workload for each further one."""

from __future__ import annotations

import re
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from floe_ci.manifests import Manifests, containers
from floe_ci.tables import Quantity, Table, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from floe_ci.manifests import Document

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")
_CONNECTIONS: Final = "max_connections"
"""PostgreSQL's setting, which is known without a `service.toml`: in a repository's manifests, or those of a chart."""
_OF_MYSQL: Final = re.compile("mysql(?!_fdw)|maria|percona", re.IGNORECASE)
"""Names servers that have a setting of that name too, and whose connections are threads: these take far less."""
_NAME: Final = r"(?<![\w.-])(?:--?|-[cDE])?{name}"
"""A setting's name as arguments have it, with the dashes or the letter of an option before it."""
_NUMBER: Final = r"[0-9]{1,18}(?![A-Za-z]*(?:[0-9_]|\.[0-9]))"
"""A whole number to its end, with or without a unit behind it: not the start of `1.5gb`, of `1e9`, of `1_000`."""
_VALUE: Final = re.compile(f"^(['\"]?)({_NUMBER})")
"""A setting's number where it is an argument of its own."""


class PerShard(Table):
    """What each further shard adds to the limits and settings of a workload, whose manifest is for one."""

    cpu: Quantity | None = None
    """Processors that its first container may use more."""
    memory: Quantity | None = None
    """Memory that it may take more."""
    settings: Annotated[dict[Text, Annotated[int, Field(ge=1, le=1_000_000)]], Field(default_factory=dict)]
    """Numbers that grow by so much, by their names in its arguments or variables: `{ max_connections = 100 }`."""


def grown(
    services: Manifests,
    shards: int,
    per_shard: Mapping[str, PerShard],
    fixed: Mapping[str, Collection[str]] | None = None,
) -> Manifests:
    """Return the manifests of services for a run of so many shards.

    A PostgreSQL that nothing is said of takes the connections of each, and as many times the memory: each is a process.

    Args:
        services: As they are for one.
        shards: How many there are.
        per_shard: What each further one adds, by the workload's name.
        fixed: Which limits somebody has set for all of them, `cpu` or `memory`, by the workload's name: these stay.
    """
    if shards == 1:
        return services
    documents = deepcopy(services.documents)
    for document in documents:
        name = document["metadata"]["name"]
        stays = (fixed or {}).get(name, ())
        for container, growth in _growing(document, per_shard.get(name)):
            for setting, number in growth.settings.items():
                _raise_setting(container, setting, number * (shards - 1))
            for what in ("cpu", "memory"):
                each = getattr(growth, what)
                if each and what not in stays:
                    _raise_limit(container, what, each, shards - 1)
    return Manifests(documents)


def setting(services: Manifests, workload: str, name: str) -> int | None:
    """Return the number that a workload's first container has for a setting; None where nothing says it."""
    for document in services.documents:
        if document["metadata"]["name"] == workload:
            for container in _first(document):
                return _number(container, name)
    return None


def faults(services: Manifests, per_shard: Mapping[str, PerShard]) -> Iterator[str]:
    """Yield what is said of workloads that they don't have, each with its key; what is no workload is left out."""
    for document in services.documents:
        name = document["metadata"]["name"]
        growth = per_shard.get(name)
        for container in _first(document) if growth else ():
            limits = (container.get("resources") or {}).get("limits") or {}
            yield from (
                f"{name}.{what}: its first container has no limit of that to begin with"
                for what in ("cpu", "memory")
                if getattr(growth, what) and limits.get(what) is None
            )
            yield from (
                f"{name}.settings.{each}: no argument or variable of its first container "
                f"says {each}=NUMBER or {each} NUMBER"
                for each in (growth.settings if growth else ())
                if _number(container, each) is None
            )


def _growing(document: Document, growth: PerShard | None) -> Iterator[tuple[Document, PerShard]]:
    """Yield the containers of a workload that grow, each with what each further shard adds."""
    if growth:
        yield from ((container, growth) for container in _first(document))
        return
    for container in containers((document,)):
        connections = None if _is_of_mysql(container) else _number(container, _CONNECTIONS)
        if connections is not None:
            limits = (container.get("resources") or {}).get("limits") or {}
            memory = None if limits.get("memory") is None else str(limits["memory"])
            yield container, PerShard.model_construct(memory=memory, settings={_CONNECTIONS: connections})


def _is_of_mysql(container: Document) -> bool:
    image = str(container.get("image"))
    return "postgres" not in image and any(map(_OF_MYSQL.search, (image, *_arguments(container))))


def _first(document: Document) -> tuple[Document, ...]:
    """Return the first container of a workload, which is the service; others stand beside it."""
    return tuple(containers((document,), ("containers",)))[:1]


def _number(container: Document, name: str) -> int | None:
    for variable in container.get("env") or ():
        if variable.get("name") == name and str(variable.get("value", "")).isdecimal():
            return int(variable["value"])
    found: list[int] = []

    def noted(number: int) -> int:
        found.append(number)
        return number

    _with_numbers(_arguments(container), name, noted)
    return found[0] if found else None


def _raise_setting(container: Document, name: str, more: int) -> None:
    for variable in container.get("env") or ():
        if variable.get("name") == name and str(variable.get("value", "")).isdecimal():
            variable["value"] = str(int(variable["value"]) + more)
    raised = _with_numbers(_arguments(container), name, lambda number: number + more)
    for key in ("command", "args"):
        if container.get(key):
            count = len(container[key])
            container[key], raised = raised[:count], raised[count:]


def _with_numbers(arguments: Iterable[str], name: str, made: Callable[[int], int]) -> list[str]:
    """Return arguments with what is made of each number of a setting: within an argument, or in the next one."""
    found = list[str]()
    is_next = False
    # Servers take both in the names of their options, where their files have one of them.
    spelt = _NAME.format(name="[-_]".join(map(re.escape, re.split("[-_]", name))))
    alone, within = re.compile(spelt), re.compile(rf"({spelt}(?:\s*=\s*|\s+)['\"]?)({_NUMBER})")
    for argument in arguments:
        pattern = _VALUE if is_next else within
        found.append(pattern.sub(lambda each: f"{each[1]}{made(int(each[2]))}", argument))
        is_next = alone.fullmatch(argument) is not None
    return found


def _raise_limit(container: Document, what: str, each: str, times: int) -> None:
    """Raise a limit, if there is one; what is asked for stays, and without it, what it was: the old limit."""
    resources: dict[str, Any] = container.get("resources") or {}
    limits = resources.get("limits") or {}
    if limits.get(what) is not None:
        resources["requests"] = {what: limits[what], **(resources.get("requests") or {})}
        limits[what] = _sum(str(limits[what]), each, times)


def _sum(quantity: str, each: str, times: int) -> str:
    """Return a quantity of Kubernetes with another added so many times; what is none stays: the cluster refuses it."""
    first, more = _QUANTITY.fullmatch(quantity), _QUANTITY.fullmatch(each)
    if first and more and first[2] == more[2]:
        return f"{Decimal(first[1]) + Decimal(more[1]) * times:f}{first[2]}"
    from kubernetes.utils import parse_quantity  # noqa: PLC0415 - a run on this machine needs none of it

    try:
        return f"{(parse_quantity(quantity) + parse_quantity(each) * times).normalize():f}"
    except ValueError:
        return quantity


def _arguments(container: Document) -> Iterator[str]:
    for key in ("command", "args"):
        yield from map(str, container.get(key) or ())
