"""The fixtures of a service, made from its `Service`."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Final

import pytest

from floe_testing.errors import FloeTestingError
from floe_testing.isolation.naming import unique_name
from floe_testing.services.failing import failing
from floe_testing.waiting.polling import PollingConfig, wait_for_condition, wait_for_condition_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from floe_testing.services.config import ServiceConfig
    from floe_testing.services.service import Service

ANSWER_TIMEOUT = 60.0
"""Seconds until a service must answer that a fixture is a client of."""
_WIDE: Final = frozenset({"session", "package", "module"})
"""The scopes of a client that the tests of a module can share something of."""


class NoEventLoopError(FloeTestingError):
    """A service is asynchronous, and nothing is installed that runs asynchronous fixtures."""


def fixtures_of(service: Service[Any, Any], what: str) -> dict[str, Any]:
    """Return the fixtures of a service, by name.

    Args:
        service: The service.
        what: What messages and `pytest --fixtures` call it: `the service orders`.
    """
    stem = service.service_name.replace("-", "_")
    scope = service.client_scope

    def config() -> Any:  # noqa: ANN401 - of the service's own type
        with failing():
            return service.config.from_environment()

    make = _asynchronous if service.is_asynchronous else _synchronous
    config.__doc__ = f"Return what {what} is reached with."
    made = {
        f"{stem}_config": pytest.fixture(scope="session")(config),
        f"{stem}_client": make(opening(service), f"Yield a client of {what}, which answers.", scope, f"{stem}_config"),
        stem: make(
            isolating(service, "test"),
            f"Yield what a test has of {what} for itself.",
            "function",
            f"{stem}_client",
            "run_id",
        ),
    }
    if scope in _WIDE:
        text = f"Yield what the tests of a module share of {what}."
        made[f"{stem}_module"] = make(isolating(service, "module"), text, "module", f"{stem}_client", "run_id")
    return made


def opening(service: Service[Any, Any]) -> Callable[..., Any]:
    """Return what opens a client that answers, for the service's configuration."""

    def sync(config: ServiceConfig) -> Iterator[Any]:
        with ExitStack() as stack:
            with failing():
                client = stack.enter_context(service.opened(config))
                wait_until_answers(service, client, config)
            yield client

    async def asynchronous(config: ServiceConfig) -> AsyncIterator[Any]:
        async with service.opened_async(config) as client:
            with failing():
                await wait_until_answers_async(service, client, config)
            yield client

    return asynchronous if service.is_asynchronous else sync


def isolating(service: Service[Any, Any], prefix: str) -> Callable[..., Any]:
    """Return what makes something of the service that nobody else has, for a client and the run's id."""

    def make(client: Any, run_id: str) -> Any:  # noqa: ANN401 - the service's own
        return service.isolate(client, unique_name(prefix, run_id)) if service.isolate else nullcontext(client)

    def sync(client: Any, run_id: str) -> Iterator[Any]:  # noqa: ANN401 - as above
        with make(client, run_id) as own:
            yield own

    async def asynchronous(client: Any, run_id: str) -> AsyncIterator[Any]:  # noqa: ANN401 - as above
        made: AbstractAsyncContextManager[Any] | AbstractContextManager[Any] = make(client, run_id)
        if isinstance(made, AbstractContextManager):
            with made as own:
                yield own
        else:
            async with made as own:
                yield own

    return asynchronous if service.is_asynchronous else sync


def wait_until_answers(service: Service[Any, Any], client: object, config: ServiceConfig) -> None:
    """Wait until a service answers its client, if it can be asked.

    Raises:
        ConditionTimeoutError: It did not, for 60 s.
    """
    answers = service.answers
    if answers is not None:
        wait_for_condition(lambda: answers(client), _answering(service, config), retry_on=(Exception,))


async def wait_until_answers_async(service: Service[Any, Any], client: object, config: ServiceConfig) -> None:
    """Wait as `wait_until_answers` does, in the event loop."""
    answers = service.answers
    if answers is not None:
        await wait_for_condition_async(lambda: answers(client), _answering(service, config), retry_on=(Exception,))


def _answering(service: Service[Any, Any], config: ServiceConfig) -> PollingConfig:
    description = f"{service.service_name} at {config.address} answers"
    return PollingConfig(timeout=ANSWER_TIMEOUT, interval=0.2, description=description)


def _synchronous(body: Callable[..., Any], text: str, scope: Any, *needed: str) -> Any:  # noqa: ANN401 - pytest's own
    def fixture(**given: Any) -> Iterator[Any]:  # noqa: ANN401 - fixtures' values
        yield from body(*(given[name] for name in needed))

    return pytest.fixture(scope=scope)(_described(fixture, text, needed))


def _asynchronous(body: Callable[..., Any], text: str, scope: Any, *needed: str) -> Any:  # noqa: ANN401 - pytest's own
    async def fixture(**given: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - fixtures' values
        async for each in body(*(given[name] for name in needed)):
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
        return pytest_asyncio.fixture(scope=scope, loop_scope=scope)(_described(fixture, text, needed))
    try:
        import anyio  # noqa: F401, PLC0415 - as above
    except ImportError:
        return pytest.fixture(scope=scope)(_described(nobody_runs_it, text, ()))
    # By this name its plugin knows what to run.
    return pytest.fixture(scope=scope)(_described(fixture, text, (*needed, "anyio_backend")))


def _described(function: Callable[..., Any], text: str, needed: tuple[str, ...]) -> Callable[..., Any]:
    """Give a function the docstring and the arguments that pytest reads."""
    function.__doc__ = text
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in needed]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # `inspect.signature` reads it
    return function
