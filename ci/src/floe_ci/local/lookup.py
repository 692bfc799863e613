"""Finds how a service runs on this machine: by its `service.toml`, or by an entry point of an installed package."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from floe_ci.catalog import FILE, Catalog
from floe_ci.errors import UserError
from floe_ci.local import command
from floe_ci.local.local_service import LocalService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floe_ci.catalog import Service

GROUP: Final = "floe_ci.services"
"""The entry points of packages that bring a `LocalService`, each by its service's name."""


def local_service(service: Service) -> LocalService | None:
    """Return how a service runs on this machine; None where nobody says so.

    Raises:
        UserError: Who is to say it can't be imported, or is something else.
    """
    table = service.description.local
    if table and table.command:
        return command.local_service(service, table)
    if table and table.service:
        return _load(EntryPoint(service.name, table.service, GROUP), f"{service.shown}/{FILE}: local.service")
    for each in entry_points(group=GROUP, name=service.name):
        return _load(each, f"entry point {GROUP}: {each.name}")
    return None


def every() -> Iterator[LocalService]:
    """Yield each local service that may have left something outside of a run's folder: this package's, and others'."""
    for service in Catalog.of_package().services.values():
        if found := local_service(service):
            yield found
    for each in entry_points(group=GROUP):
        try:
            yield _load(each, GROUP)
        except UserError:
            continue  # told where it is asked for


def _load(point: EntryPoint, where: str) -> LocalService:
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        msg = f"{where}: '{point.value}' can't be imported: {error}; install its package beside floe-ci"
        raise UserError(msg) from None
    if not isinstance(found, LocalService):
        msg = f"{where}: '{point.value}' is a {type(found).__name__}, and has to be a LocalService"
        raise UserError(msg)
    return found
