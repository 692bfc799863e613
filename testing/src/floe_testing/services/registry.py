"""Services by name: those of this package, and those that other packages add by an entry point.

A package adds a service with a `Service` and, in its `pyproject.toml`, the name that its configuration has:

    [project.entry-points."floe_testing.services"]
    telemetry = "floe_telemetry:telemetry"
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Generic, Protocol, Self, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from floe_testing.errors import FloeTestingError
from floe_testing.services.config import ServiceConfig
from floe_testing.services.requirement import DnsLabel, ServiceRequirement
from floe_testing.settings import suggest

GROUP: Final = "floe_testing.services"
BUILT_IN: Final = "floe_testing.services.builtin"
"""The module of the services whose fixtures are written by hand."""

C = TypeVar("C", bound=ServiceConfig)
T = TypeVar("T")


class ServicePluginError(FloeTestingError):
    """A package adds a service that can't be used; the message names the package."""


class UnknownServiceError(FloeTestingError):
    """No package has a service of that name."""


@runtime_checkable
class ServiceFixture(Protocol):
    """A service that a fixture can be made of: it yields a client, and cleans up after it."""

    @property
    def service_name(self) -> str:
        """The service's name."""

    @property
    def service_port(self) -> int:
        """The port of its Kubernetes Service."""

    def __call__(self) -> Generator[Any, None, None]:
        """Yield a client of the service, and clean up when the generator is resumed or closed."""


class Service(BaseModel, Generic[C, T]):
    """A service: how to reach it, to see whether it answers, and to keep tests apart in it.

    pytest gets three fixtures of it: `<name>_config` and `<name>_client` for the session, and `<name>` for each test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: type[C]
    """What it is reached with. Its `service` is the service's name, the default of its `port` that of Kubernetes."""
    connect: Callable[[C], AbstractContextManager[T]]
    """Opens a client, and closes it after. It need not wait for the service."""
    answers: Callable[[T], object] | None = None
    """Looks once: something true when the service answers, or `Unmet("what was seen")`, or any exception."""
    isolate: Callable[[T, str], AbstractContextManager[Any]] | None = None
    """Makes what one test has for itself, of a name that nothing else has, and removes it after."""
    names: Callable[[T], Iterable[str]] | None = None
    """Returns the names of what is there, for `floe-testing cleanup`: it knows those that tests made."""
    remove: Callable[[T, str], object] | None = None
    """Removes what `isolate` made and did not remove, by name. What is gone already is no error."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        TypeAdapter(DnsLabel).validate_python(self.config.service)
        if self.config.model_fields["port"].is_required():
            message = f"{self.config.__name__} gives its port no default"
            raise ValueError(message)
        if (self.names is None) != (self.remove is None):
            message = "'names' and 'remove' belong together: give both or neither"
            raise ValueError(message)
        return self

    @property
    def service_name(self) -> str:
        """The service's name."""
        return self.config.service

    @property
    def service_port(self) -> int:
        """The port of its Kubernetes Service."""
        return int(self.config.model_fields["port"].default)

    def __call__(self) -> Generator[T, None, None]:
        """Yield a client; it is closed when the generator is resumed or closed.

        Raises:
            ServiceNotDescribedError: It is not known where the service is, or how to use it.
        """
        with self.connect(self.config.from_environment()) as client:
            yield client


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
    found = {name: entry for name, entry in known_services().items() if entry.module != BUILT_IN}
    return {name: _package(entry) for name, entry in found.items()}


def load_service(name: str) -> Service[Any, Any]:
    """Return a service by name.

    Raises:
        UnknownServiceError: There is none of that name; the nearest one is proposed.
        ServicePluginError: Its package can't be imported, or what it adds is no service of that name.
    """
    known = known_services()
    if name not in known:
        message = f"unknown service {name!r}; {suggest(name, known)}"
        raise UnknownServiceError(message)
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


def requirement_of(name: str) -> ServiceRequirement:
    """Return what a test requires that requires a service by name alone.

    Raises:
        UnknownServiceError: There is none of that name; the nearest one is proposed.
        ServicePluginError: The service can't be used.
    """
    return ServiceRequirement(name=name, port=load_service(name).service_port)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
