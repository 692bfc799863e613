"""What the fixtures of a service do: open a client that answers, and make what only one test or module has."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from floe_testing.extras import MissingExtraError
from floe_testing.isolation.naming import unique_name
from floe_testing.services.failing import failing
from floe_testing.services.service import Service, WrongContextError
from floe_testing.waiting.polling import HopelessError, PollingConfig, wait_for_condition, wait_for_condition_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from floe_testing.services.config import Settings

ANSWER_TIMEOUT = 60.0
"""Seconds until a service must answer that a fixture is a client of."""


def opening(service: Service[Any, Any], config: Settings, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - below
    """Return an iterator, asynchronous where the service is, that yields a client which answers, and closes it."""
    given = _further_fixtures(service.connect, request)
    return (_opening_async if service.is_asynchronous else _opening)(service, config, given)


def isolating(service: Service[Any, Any], client: object, run_id: str, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - below
    """Return an iterator that yields what one test has for itself: the client, where that is nothing."""
    return _making(service, service.isolate, client, unique_name("test", run_id), request)


def sharing(service: Service[Any, Any], client: object, run_id: str, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - below
    """Return an iterator that yields what the tests of a module share: the client, where that is nothing."""
    return _making(service, service.share or service.isolate, client, unique_name("module", run_id), request)


def _opening(service: Service[Any, Any], config: Settings, given: dict[str, Any]) -> Iterator[Any]:
    with ExitStack() as stack:
        with failing():
            client = stack.enter_context(_answering(service, config, given))
        yield client


@contextmanager
def _answering(service: Service[Any, Any], config: Settings, given: dict[str, Any]) -> Iterator[Any]:
    """Yield a client that is answered.

    Each look has one of its own: a connection that was made while the server started may never be answered.
    """
    answers = service.answers
    if answers is None:
        with service.opened(config, **given) as client:
            yield client
        return

    def look() -> Any:  # noqa: ANN401 - a client and its context, or what is false
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(service.opened(config, **given))
            except (MissingExtraError, WrongContextError) as error:
                raise HopelessError(str(error)) from error
            seen = answers(opened)
            return (opened, stack.pop_all()) if seen else seen

    client, kept = wait_for_condition(look, _wait_of(service, config), retry_on=(Exception,))
    with kept:
        yield client


async def _opening_async(service: Service[Any, Any], config: Settings, given: dict[str, Any]) -> AsyncIterator[Any]:
    answers = service.answers
    # One client for all looks: its context can't be entered in a look, and left outside of it.
    async with service.opened_async(config, **given) as client:
        if answers is not None:
            with failing():
                waiting = _wait_of(service, config)
                await wait_for_condition_async(lambda: answers(client), waiting, retry_on=(Exception,))
        yield client


def _wait_of(service: Service[Any, Any], config: Settings) -> PollingConfig:
    description = f"{service.service_name} at {getattr(config, 'address', 'hand')} answers"
    return PollingConfig(timeout=ANSWER_TIMEOUT, interval=0.2, description=description)


def _making(
    service: Service[Any, Any],
    make: Callable[..., Any] | None,
    client: object,
    name: str,
    request: pytest.FixtureRequest,
) -> Any:  # noqa: ANN401 - an iterator of the service's kind
    """Return an iterator that yields what is made for a client under a name, or else the client."""

    def made() -> Any:  # noqa: ANN401 - a context of either kind
        return make(client, name, **_further_fixtures(make, request)) if make else nullcontext(client)

    def sync() -> Iterator[Any]:
        with made() as own:
            yield own

    async def asynchronous() -> AsyncIterator[Any]:
        context = made()
        if isinstance(context, AbstractContextManager):
            with context as own:
                yield own
        else:
            async with context as own:
                yield own

    return asynchronous() if service.is_asynchronous else sync()


def _further_fixtures(function: Callable[..., object], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the fixtures that a function asks for: by the names of its keyword-only arguments.

    One with a default has it where there is no such fixture.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of a built-in function, say
        return {}
    given = {}
    for each in parameters:
        if each.kind is not each.KEYWORD_ONLY:
            continue
        try:
            given[each.name] = request.getfixturevalue(each.name)
        except pytest.FixtureLookupError as error:
            if each.default is each.empty or error.argname != each.name:
                raise
    return given
