"""Services by name: those of this package, and those that other packages add by an entry point.

A package adds a service with a `Service` and, in its `pyproject.toml`, the name that its configuration has:

    [project.entry-points."floe_testing.services"]
    telemetry = "floe_telemetry:telemetry"

A suite registers one of its own in a `conftest.py`, for the tests that see this file:

    floe_testing.register(Service(config=OrdersConfig, connect=open_orders))
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from floe_testing.errors import FloeTestingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from floe_testing.services.requirement import ServiceRequirement
    from floe_testing.services.service import Service

GROUP: Final = "floe_testing.services"
_OWN_PACKAGE: Final = "floe_testing-"
BUILT_IN: Final = "floe_testing.services.builtin"
"""The module of the services of this package."""


class ServicePluginError(FloeTestingError):
    """A package adds a service that can't be used; the message names the package."""


class UnknownServiceError(FloeTestingError):
    """No package has a service of that name."""


_registered: Final[dict[str, tuple[str, Service[Any, Any]]]] = {}
"""The services that suites registered, and where each did."""


def register(service: Service[Any, Any]) -> None:
    """Make a service known to the tests: its fixtures are defined in the module that calls this.

    Call it in a `conftest.py`, in a plugin or in a module of tests: whoever sees the fixtures of that one sees these.
    What the module has defined under one of their names stays. `require_services("orders")` and the mark `services`
    know the service by its name from then on.

    Raises:
        ServicePluginError: Another module has registered a service of this name.
    """
    from floe_testing.services.fixtures import fixtures_of  # noqa: PLC0415 - few suites register a service

    module = sys._getframe(1).f_globals  # noqa: SLF001 - what `inspect.currentframe` calls as well
    place = str(module.get("__file__") or module.get("__name__"))
    name = service.service_name
    where, _ = _registered.setdefault(name, (place, service))
    if where != place:
        message = f"service {name}: {where} and {place} both register one of this name. Rename one of the two."
        raise ServicePluginError(message)
    _registered[name] = (place, service)
    for fixture, function in fixtures_of(service).items():
        module.setdefault(fixture, function)


def registered_services() -> Mapping[str, tuple[str, Service[Any, Any]]]:
    """Return the services that suites registered, and where each did, by name."""
    return dict(_registered)


def forget_registered(but: Mapping[str, tuple[str, Service[Any, Any]]]) -> None:
    """Know no more of what a session's suite registered than this: the next session has another suite."""
    _registered.clear()
    _registered.update(but)


def service_names() -> list[str]:
    """Return the names of all services that are known here.

    Raises:
        ServicePluginError: Two packages add a service of one name.
    """
    return sorted({*known_services(), *_registered})


def known_services() -> dict[str, EntryPoint]:
    """Return the entry points of all services, by name; none is loaded yet.

    Raises:
        ServicePluginError: Two packages add a service of one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        other = found.setdefault(entry.name, entry)
        if other is not entry:
            message = (
                f"service {entry.name}: {_package(other)} and {_package(entry)} both add one of this name. "
                "Uninstall one of the two."
            )
            raise ServicePluginError(message)
    return found


def added_services() -> dict[str, str]:
    """Return the services that other packages add, and of which package each is, with its version.

    Raises:
        ServicePluginError: Two packages add a service of one name.
    """
    if not _is_added_to():
        return {}
    found = {name: entry for name, entry in known_services().items() if entry.module != BUILT_IN}
    return {name: _package(entry) for name, entry in found.items()}


def _is_added_to() -> bool:
    """Tell whether a package other than this one has entry points of the group.

    To look for a word is all that this costs each session: to parse what all packages tell of themselves takes longer
    than the rest of the plugin's start.
    """
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder or ".") as entries:
            if any(_tells_of_group(entry) for entry in entries):
                return True
    return False


def _tells_of_group(entry: os.DirEntry[str]) -> bool:
    if not entry.name.endswith((".dist-info", ".egg-info")) or entry.name.startswith(_OWN_PACKAGE):
        return False
    with suppress(OSError), open(f"{entry.path}/entry_points.txt", "rb") as file:  # noqa: PTH123 - a path for each package
        return GROUP.encode() in file.read()
    return False


def load_service(name: str) -> Service[Any, Any]:
    """Return a service by name.

    Raises:
        UnknownServiceError: There is none of that name; the nearest one is proposed.
        ServicePluginError: Its package can't be imported, or what it adds is no service of that name.
    """
    if name in _registered:
        return _registered[name][1]
    known = known_services()
    if name not in known:
        from floe_testing.settings import suggest  # noqa: PLC0415 - for an error only

        message = f"unknown service {name!r}; {suggest(name, service_names())}"
        raise UnknownServiceError(message)
    from pydantic import ValidationError  # noqa: PLC0415 - pytest starts without it

    from floe_testing.services.service import Service  # noqa: PLC0415 - as above

    entry = known[name]
    problem = f"service {name} of {_package(entry)} can't be used: {entry.value}"
    try:
        loaded = entry.load()
    except ValidationError as error:
        wrong = (": ".join([*map(str, each["loc"]), each["msg"]]) for each in error.errors())
        message = f"{problem}: {'; '.join(wrong)}"
        raise ServicePluginError(message) from error
    except Exception as error:
        message = f"{problem}: {type(error).__name__}: {error}"
        raise ServicePluginError(message) from error
    if not isinstance(loaded, Service):
        message = f"{problem} is no floe_testing.services.Service, but {loaded!r}"
        raise ServicePluginError(message)
    if loaded.service_name != name:
        message = f"{problem} calls itself {loaded.service_name!r}; its entry point must have the same name"
        raise ServicePluginError(message)
    return loaded


def load_built_in(name: str) -> Service[Any, Any]:
    """Return a service of this package, without a look at what others are installed."""
    service: Service[Any, Any] = getattr(import_module(BUILT_IN), name)
    return service


def requirement_of(name: str) -> ServiceRequirement:
    """Return what a test requires that requires a service by name alone.

    Raises:
        UnknownServiceError: There is none of that name; the nearest one is proposed.
        ServicePluginError: The service can't be used.
    """
    from floe_testing.services.requirement import ServiceRequirement  # noqa: PLC0415 - pytest starts without it

    return ServiceRequirement(name=name, port=load_service(name).service_port)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
