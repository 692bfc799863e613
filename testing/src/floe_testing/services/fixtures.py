"""The fixtures of a service: one family, made in one way for services of this package, of others, and of a suite.

A service that a package brings is imported when one of its fixtures is used, not when pytest starts: what a fixture is
called, needs and how long it lives is all that has to be known before.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from floe_testing.errors import FloeTestingError
from floe_testing.services.failing import failing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from floe_testing.services.service import Scope, Service

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_WIDE: Final = frozenset({"session", "package", "module"})
"""The scopes of a client that the tests of a module can share."""


class NoEventLoopError(FloeTestingError):
    """A service is asynchronous, and nothing is installed that runs asynchronous fixtures."""


class Family(NamedTuple):
    """The fixtures of a service `orders`; a plugin or a conftest has them under these names."""

    config: Any
    """`orders_config`: what it is reached with."""
    client: Any
    """`orders_client`: a client of a server that answers."""
    own: Any
    """`orders`: what a test has for itself, or the client where tests have nothing to themselves."""
    module: Any
    """`orders_module`: what the tests of a module share; None where they can't, as an event loop ends before."""

    def named(self, stem: str) -> dict[str, Any]:
        """Return them by name."""
        names = (f"{stem}_config", f"{stem}_client", stem, f"{stem}_module")
        return {name: fixture for name, fixture in zip(names, self, strict=True) if fixture}


def family(  # noqa: PLR0913 - each has a default
    name: str,
    load: Callable[[], Service[Any, Any]],
    *,
    what: str | None = None,
    client: Scope = "session",
    own: Scope = "function",
    asynchronous: bool = False,
    about: Mapping[str, str] = NOTHING,
) -> Family:
    """Return the fixtures of a service, which is loaded when one of them is used.

    Args:
        name: The service's name.
        load: Returns the service.
        what: What messages and `pytest --fixtures` call it; `the service NAME` unless given.
        client: How long a client lives.
        own: How long the fixture of the service's name lives: that of a client where tests have nothing to themselves.
        asynchronous: Whether it is used in an event loop.
        about: What `pytest --fixtures` says of `config`, `client`, `own` and `module`, where there is more to say.
    """
    what = what or f"the service {name}"
    stem = name.replace("-", "_")
    make = _asynchronous if asynchronous else _synchronous

    def loaded() -> Service[Any, Any]:
        with failing():
            return load()

    def config() -> Any:  # noqa: ANN401 - of the service's own type
        with failing():
            return load().config.from_environment()

    def opened(request: pytest.FixtureRequest, config: Any) -> Any:  # noqa: ANN401 - as above
        from floe_testing.services.opening import opening  # noqa: PLC0415 - not before a service is used

        return opening(loaded(), config, request)

    def isolated(request: pytest.FixtureRequest, client: Any, run_id: str) -> Any:  # noqa: ANN401 - as above
        from floe_testing.services.opening import isolating  # noqa: PLC0415 - as above

        return isolating(loaded(), client, run_id, request)

    def shared(request: pytest.FixtureRequest, client: Any, run_id: str) -> Any:  # noqa: ANN401 - as above
        from floe_testing.services.opening import sharing  # noqa: PLC0415 - as above

        return sharing(loaded(), client, run_id, request)

    def opened_and_shared(request: pytest.FixtureRequest, config: Any, run_id: str) -> Iterator[Any]:  # noqa: ANN401
        for opened_client in opened(request, config):
            yield from shared(request, opened_client, run_id)

    said = {
        "config": f"Return what {what} is reached with.",
        "client": f"Yield a client of {what}, which answers.",
        "own": f"Yield what a test has of {what} for itself.",
        "module": f"Yield what the tests of a module share of {what}.",
        **about,
    }
    config.__doc__ = said["config"]
    if client in _WIDE:
        module = make(shared, said["module"], "module", f"{stem}_client", "run_id")
    else:
        module = None if asynchronous else make(opened_and_shared, said["module"], "module", f"{stem}_config", "run_id")
    return Family(
        pytest.fixture(scope="session")(config),
        make(opened, said["client"], client, f"{stem}_config"),
        make(isolated, said["own"], own, f"{stem}_client", "run_id"),
        module,
    )


def fixtures_of(service: Service[Any, Any]) -> dict[str, Any]:
    """Return the fixtures of a service that is there already, by name."""
    made = family(
        service.service_name,
        lambda: service,
        client=service.client_scope,
        own=service.own_scope,
        asynchronous=service.is_asynchronous,
    )
    return made.named(service.service_name.replace("-", "_"))


def _synchronous(body: Callable[..., Any], text: str, scope: Any, *needed: str) -> Any:  # noqa: ANN401 - pytest's own
    def fixture(request: pytest.FixtureRequest, **given: Any) -> Iterator[Any]:  # noqa: ANN401 - fixtures' values
        yield from body(request, *(given[name] for name in needed))

    return pytest.fixture(scope=scope)(_described(fixture, text, "request", *needed))


def _asynchronous(body: Callable[..., Any], text: str, scope: Any, *needed: str) -> Any:  # noqa: ANN401 - pytest's own
    async def fixture(request: pytest.FixtureRequest, **given: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - as above
        async for each in body(request, *(given[name] for name in needed)):
            yield each

    def nobody_runs_it() -> None:
        message = f"{text} It is asynchronous: install pytest-asyncio, or anyio, which run such fixtures"
        with failing():
            raise NoEventLoopError(message)

    try:
        import pytest_asyncio  # noqa: PLC0415 - whichever there is
    except ImportError:
        pass
    else:
        described = _described(fixture, text, "request", *needed)
        return pytest_asyncio.fixture(scope=scope, loop_scope=scope)(described)
    try:
        import anyio  # noqa: F401, PLC0415 - as above
    except ImportError:
        return pytest.fixture(scope=scope)(_described(nobody_runs_it, text))
    # By this name its plugin knows what to run.
    return pytest.fixture(scope=scope)(_described(fixture, text, "request", *needed, "anyio_backend"))


def _described(function: Callable[..., Any], text: str, *needed: str) -> Callable[..., Any]:
    """Give a function the docstring and the arguments that pytest reads."""
    function.__doc__ = text
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in needed]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # `inspect.signature` reads it
    return function
