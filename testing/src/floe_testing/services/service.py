"""What a service is, for pytest and for whoever adds one."""

import inspect
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from floe_testing.errors import FloeTestingError
from floe_testing.services.config import Settings
from floe_testing.services.requirement import DnsLabel

C = TypeVar("C", bound=Settings)
T = TypeVar("T")
Scope = Literal["session", "package", "module", "class", "function"]
Opened = AbstractContextManager[T] | AbstractAsyncContextManager[T]


class WrongContextError(FloeTestingError):
    """What opens a client of a service gives another kind of context than it is said to."""


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

    pytest gets the fixtures `<name>_config` and `<name>_client`, `<name>` for each test, and `<name>_module` for the
    tests of a module. Where `connect` gives an asynchronous context they are asynchronous, and pytest-asyncio or anyio
    has to be there.

    What `connect`, `isolate` and `share` name as keyword-only arguments is given to them in tests: the fixture of that
    name, or the argument's default where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: type[C]
    """What it is reached with: a `ServiceConfig`, or mere `Settings` for what is in the process of the tests. Its
    `service` is the service's name, the default of its `port` that of Kubernetes."""
    connect: Callable[[C], Opened[T]]
    """Opens a client, and closes it after. It need not wait for the service: where `answers` is given, a client is
    opened for each look, until one is answered."""
    answers: Callable[[T], object] | None = None
    """Looks once: something true when the service answers, or `Unmet("what was seen")`, or any exception; awaited
    where it can be."""
    isolate: Callable[..., Opened[Any]] | None = None
    """Makes what one test has for itself, of a client and a name that nothing else has, and removes it after."""
    share: Callable[..., Opened[Any]] | None = None
    """The same for what the tests of a module share; what `isolate` makes unless given."""
    names: Callable[[T], Iterable[str]] | None = None
    """Returns the names of what is there, for `floe-testing cleanup`: it knows those that tests made."""
    remove: Callable[[T, str], object] | None = None
    """Removes what `isolate` made and did not remove, by name. What is gone already is no error."""

    scope: Scope | None = None
    """How long a client lives. For the session unless given; an asynchronous one for a test, as its event loop does."""
    asynchronous: bool | None = None
    """Whether `connect` gives an asynchronous context; seen from `connect` unless given."""

    @property
    def is_asynchronous(self) -> bool:
        """Whether it is used in an event loop."""
        return _gives_asynchronous(self.connect) if self.asynchronous is None else self.asynchronous

    @property
    def client_scope(self) -> Scope:
        """How long a client lives."""
        return self.scope or ("function" if self.is_asynchronous else "session")

    @property
    def own_scope(self) -> Scope:
        """How long what a test has for itself lives: a client that it has no part of, as long as that does."""
        return "function" if self.isolate else self.client_scope

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        TypeAdapter(DnsLabel).validate_python(self.config.service)
        port = self.config.model_fields.get("port")
        if port and port.is_required():
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
        """The port of its Kubernetes Service; 0 where it has none."""
        port = self.config.model_fields.get("port")
        return int(port.default) if port else 0

    def __call__(self) -> Generator[T, None, None]:
        """Yield a client; it is closed when the generator is resumed or closed.

        Raises:
            ServiceNotDescribedError: It is not known where the service is, or how to use it.
        """
        with self.opened(self.config.from_environment()) as client:
            yield client

    def opened(self, config: C, **given: object) -> AbstractContextManager[T]:
        """Return the context of a client; what is given is for `connect`.

        Raises:
            WrongContextError: It is an asynchronous one.
        """
        context = self.connect(config, **given)
        if not isinstance(context, AbstractContextManager):
            message = f"{self.service_name}: connect gave {context!r}, which `with` can't enter"
            if isinstance(context, AbstractAsyncContextManager):
                message += "; say Service(asynchronous=True, …)"
            raise WrongContextError(message)
        return context

    def opened_async(self, config: C, **given: object) -> AbstractAsyncContextManager[T]:
        """Return the context of an asynchronous client; what is given is for `connect`.

        Raises:
            WrongContextError: It is none.
        """
        context = self.connect(config, **given)
        if not isinstance(context, AbstractAsyncContextManager):
            message = f"{self.service_name}: connect gave {context!r}, which `async with` can't enter"
            raise WrongContextError(message)
        return context


def _gives_asynchronous(connect: Callable[..., object]) -> bool:
    made = inspect.unwrap(connect)
    if isinstance(made, type):
        return issubclass(made, AbstractAsyncContextManager) and not issubclass(made, AbstractContextManager)
    return inspect.isasyncgenfunction(made)
