"""Whether services answer: one look at one, or a wait for all that a test can't do without."""

from __future__ import annotations

import asyncio
import inspect
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from floe_testing.contract import ABSENT, service_variable
from floe_testing.errors import FloeTestingError
from floe_testing.extras import MissingExtraError, extra
from floe_testing.services.config import ServiceConfig, ServiceNotDescribedError
from floe_testing.services.discovery import PORT_FORWARD, locate
from floe_testing.services.place import Place, advice
from floe_testing.services.registry import load_service, requirement_of, service_names
from floe_testing.services.requirement import WrongRequirementError, as_requirement
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig, Unmet, wait_for_condition
from floe_testing.waiting.timeouts import Timeouts

if TYPE_CHECKING:
    from floe_testing.services.requirement import Requirement, ServiceRequirement
    from floe_testing.services.service import Service

_SETTLE = 1.0
"""Seconds that a connection through a port-forward must last: it is taken before it leads anywhere."""


@dataclass(frozen=True)
class ServiceHealth:
    """What a look at a service saw."""

    service: str
    healthy: bool
    state: str
    """What was seen, in words."""
    address: str | None = None
    """Where it was looked for; `None` where that is not known, and so waiting is no use."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.service}{f' at {self.address}' if self.address else ''}: {self.state}"


def check_service_health(requirement: Requirement) -> ServiceHealth:
    """Look once whether a service answers. Whatever is wrong stands in the answer; nothing is raised.

    A service that is registered is asked in its own language, another one whether it takes connections.

    Args:
        requirement: The service; its name is enough for one that is registered.
    """
    try:
        required = as_requirement(requirement)
    except WrongRequirementError as error:
        return ServiceHealth(str(requirement), healthy=False, state=str(error))
    name = required if isinstance(required, str) else required.name
    try:
        return _look(requirement_of(required) if isinstance(required, str) else required)
    except ServiceNotDescribedError as error:
        return ServiceHealth(name, healthy=False, state="; ".join(error.problems))
    except FloeTestingError as error:
        return ServiceHealth(name, healthy=False, state=str(error))


def require_services(*requirements: Requirement, timeout: float | None = None) -> None:
    """Fail the test unless all these services answer. All are looked at at the same time.

    It is skipped in one case: whoever started the run said of each missing service that it can't be here, and why.

    Args:
        requirements: The services; the name is enough for one that is registered.
        timeout: Seconds until a service must answer whose address is known; the table's `probe` unless given.

    Raises:
        pytest.fail.Exception: Tells in one message, of each service that is missing, what was seen and tried; or of
            each requirement that is none, how to write it.
        pytest.skip.Exception: Tells why the services can't be here.
    """
    if not requirements:
        return
    _refuse_wrong(requirements)
    seconds = Timeouts.from_environment().probe if timeout is None else timeout
    with ThreadPoolExecutor(len(requirements)) as pool:
        # Each in this wait's context: one around it ends them too.
        seen = [pool.submit(copy_context().run, _wait, requirement, seconds) for requirement in requirements]
        missing = [each.result() for each in seen if not each.result().healthy]
    reasons = {each.service: os.environ.get(service_variable(each.service, ABSENT)) for each in missing}
    if missing and all(reasons.values()):
        pytest.skip("; ".join(f"{service}: {reason}" for service, reason in reasons.items()))
    if missing:
        pytest.fail(_report(missing, len(requirements)), pytrace=False)


def _refuse_wrong(requirements: tuple[Requirement, ...]) -> None:
    problems = []
    for each in requirements:
        try:
            as_requirement(each)
        except WrongRequirementError as error:
            problems.append(str(error))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def _wait(requirement: Requirement, timeout: float) -> ServiceHealth:
    """Look until the service answers, or until it is no use to look again."""
    last: list[ServiceHealth] = []

    def look() -> ServiceHealth | Unmet:
        last[:] = [check_service_health(requirement)]
        health = last[0]
        return health if health.healthy or health.address is None else Unmet(health.state)

    try:
        return wait_for_condition(look, PollingConfig(timeout=timeout, interval=0.3))
    except ConditionTimeoutError as error:
        return replace(last[0], state=f"{last[0].state} (looked for {error.elapsed:.0f} s)")
    except FloeTestingError as error:
        # A pod that failed ends the wait, and says more than the service does.
        return replace(last[0], state=f"{last[0].state}\n{error}")


def _look(required: ServiceRequirement) -> ServiceHealth:
    if required.name not in service_names():
        return _look_at_port(required)
    service = load_service(required.name)
    config = service.config.from_environment(namespace=required.namespace)
    if service.answers is None or required.port != service.service_port:
        return _look_at_port(required)
    return _ask(service, config)


def _look_at_port(required: ServiceRequirement) -> ServiceHealth:
    from floe_testing.services.network import tcp_open  # noqa: PLC0415 - it loads an HTTP client, which slows pytest's start

    address = locate(required.name, required.port, required.namespace)
    settle = _SETTLE if address.how == PORT_FORWARD else 0.0
    seen = tcp_open(address.host, address.port, settle=settle)()
    state = seen.state if isinstance(seen, Unmet) else "it takes connections"
    return ServiceHealth(required.name, healthy=bool(seen), state=state, address=str(address))


def _ask(service: Service[Any, Any], config: ServiceConfig) -> ServiceHealth:
    healthy, state = False, "it answers"
    try:
        if service.is_asynchronous:
            # In a thread: where the test is asynchronous too, an event loop runs in this one.
            with ThreadPoolExecutor(1) as thread:
                seen = thread.submit(lambda: asyncio.run(_answer_async(service, config))).result()
        else:
            seen = _answer(service, config)
        healthy = bool(seen)
        state = state if healthy else repr(seen)
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client raises, the service does not answer
        state = " ".join(f"{type(error).__name__}: {error}".split())
    return ServiceHealth(service.service_name, healthy=healthy, state=state, address=config.address)


def _answer(service: Service[Any, Any], config: ServiceConfig) -> object:
    with service.opened(config) as client:
        return service.answers(client) if service.answers else True


async def _answer_async(service: Service[Any, Any], config: ServiceConfig) -> object:
    async with service.opened_async(config) as client:
        seen = service.answers(client) if service.answers else True
        return await seen if inspect.isawaitable(seen) else seen


def _report(missing: list[ServiceHealth], of: int) -> str:
    place = Place.here()
    lines = [f"{len(missing)} of {of} services that this test needs {'is' if len(missing) == 1 else 'are'} missing:"]
    for each in missing:
        lines.append(f"- {each}")
        if each.address and place.cluster_is_allowed:
            lines += [f"    {line}" for line in _evidence(each.service, place.namespace)]
    return "\n".join([*lines, advice(place)])


def _evidence(service: str, namespace: str) -> list[str]:
    try:
        with extra("kubernetes"):
            from floe_testing.cluster import evidence  # noqa: PLC0415 - an extra
    except MissingExtraError as error:
        return [str(error)]
    return evidence.of_service(service, namespace)
