"""What tests left behind, and where it is kept: in the cluster, and in each service that tests make things in."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from floe_testing.extras import extra
from floe_testing.isolation.naming import Made
from floe_testing.services.registry import known_services, load_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime


@dataclass(frozen=True)
class Leftover:
    """A thing that a test made."""

    name: str
    made: Made

    def matches(self, tag: str | None, before: datetime | None) -> bool:
        """Tell whether that run made it, before that time; `None` stands for any run, and for any time."""
        return tag in {None, self.made.tag} and (before is None or self.made.at < before)


@dataclass(frozen=True)
class Keeper:
    """A server that keeps what tests make."""

    find: Callable[[], list[Leftover]]
    """Returns what any test made."""
    remove: Callable[[list[str]], None]
    """Removes things by name. One that is gone already is no error."""


def keepers() -> Mapping[str, Callable[[], AbstractContextManager[Keeper]]]:
    """Return what opens each server that may keep something, by the server's name.

    Raises:
        ServicePluginError: A package adds a service that can't be used.
    """
    services = {name: load_service(name) for name in known_services()}
    return {"kubernetes": cluster} | {
        name: partial(in_service, name) for name, service in services.items() if service.names
    }


@contextmanager
def cluster() -> Iterator[Keeper]:
    """Yield the cluster's namespaces, which their labels tell."""
    with extra("kubernetes"):
        from floe_testing.cluster import kube  # noqa: PLC0415 - an extra
        from floe_testing.cluster import namespaces as client  # noqa: PLC0415 - as above

    with kube.connect() as api:

        def remove(names: list[str]) -> None:
            for name in names:
                client.delete(api, name)
            client.wait_until_gone(api, names)

        yield Keeper(lambda: [Leftover(each.name, each.made) for each in client.made_by_tests(api)], remove)


@contextmanager
def in_service(name: str) -> Iterator[Keeper]:
    """Yield what a service has: databases, buckets and so on, which their names tell.

    Raises:
        ServiceNotDescribedError: It is not known where the service is, or how to use it.
    """
    service = load_service(name)
    with service.opened(service.config.from_environment()) as client:

        def find() -> list[Leftover]:
            names = service.names(client) if service.names else ()
            return [Leftover(each, made) for each in names if (made := Made.read(each))]

        def remove(names: list[str]) -> None:
            for each in names:
                if service.remove:
                    service.remove(client, each)

        yield Keeper(find, remove)
