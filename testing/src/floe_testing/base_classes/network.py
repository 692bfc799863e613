"""Ready-made checks of the cluster's network, as the pod of the tests sees it.

    class TestNetwork(NetworkChecks):
        required_services = (ServiceRequirement(name="postgres", port=5432), ServiceRequirement(name="shop", port=80))
        http = {"shop": "/health"}

Each check and service is a test of its own, which fails with what it saw. They run in a pod: the names of Services
resolve nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
import urllib3

from floe_testing.base_classes.policies import PROBE, SOON, policies_not_enforced
from floe_testing.conditions import dns_resolves, http_ok, tcp_open
from floe_testing.errors import FloeTestingError
from floe_testing.waiting.polling import ConditionTimeoutError, wait_for_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubernetes.client import CoreV1Api

    from floe_testing.services import ServiceRequirement

REQUESTS: Final = 20
"""How many requests must share a connection."""


class NetworkError(FloeTestingError):
    """The network doesn't do what it must, or what it must do is described wrongly."""


class NetworkChecks:
    """Checks of names, connections, HTTP and policies. A subclass says of which services."""

    required_services: ClassVar[Sequence[ServiceRequirement]] = ()
    """Must be found by name, and take connections."""
    http: ClassVar[Mapping[str, str]] = {}
    """Which of those speak HTTP: by name, a path that each answers with success."""
    blocked: ClassVar[Sequence[ServiceRequirement]] = ()
    """Must be out of reach, because a policy of the cluster says so."""
    policies_required: ClassVar[bool] = False
    """Whether a cluster that enforces no policies is a failure. Otherwise it is reported: `xfail`, with the reason."""

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - whatever a class takes
        """Leave out the checks for which there is no service: they would be skipped tests.

        Raises:
            NetworkError: `http` names a service that is not among `required_services`.
        """
        super().__init_subclass__(**options)
        unknown = sorted(set(cls.http) - {each.name for each in cls.required_services})
        if unknown:
            message = f"{cls.__name__}.http names {', '.join(unknown)}, not among its required_services"
            raise NetworkError(message)
        for argument, services in cls._cases().items():
            for name, check in vars(NetworkChecks).items():
                if name.startswith("test_") and argument in check.__annotations__:
                    setattr(cls, name, check if services else None)

    @classmethod
    def _cases(cls) -> dict[str, list[ServiceRequirement]]:
        """Return the services that each argument of a check stands for."""
        named = {each.name: each for each in cls.required_services}
        return {
            "service": list(named.values()),
            "http_service": [named[name] for name in cls.http],
            "blocked_service": list(cls.blocked),
        }

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each check and service."""
        for argument, services in self._cases().items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, services, ids=[each.name for each in services])

    def test_name_resolves(self, service: ServiceRequirement) -> None:
        """A service's name resolves."""
        wait_for_condition(dns_resolves(host(service)))

    def test_connection_is_taken(self, service: ServiceRequirement) -> None:
        """A service takes connections on its port."""
        wait_for_condition(tcp_open(host(service), service.port))

    def test_http_is_answered(self, http_service: ServiceRequirement) -> None:
        """A service answers an HTTP request with success."""
        url = f"http://{host(http_service)}:{http_service.port}{self.http[http_service.name]}"
        wait_for_condition(http_ok(url))

    def test_connection_is_reused(self, http_service: ServiceRequirement) -> None:
        """Requests to a service share a connection."""
        path = self.http[http_service.name]
        opened = connections_opened(host(http_service), http_service.port, path, REQUESTS)
        if opened > 1:
            message = f"{REQUESTS} requests to {http_service.name} opened {opened} connections; one is enough"
            raise NetworkError(message)

    def test_service_is_blocked(self, blocked_service: ServiceRequirement, kube: CoreV1Api, namespace: str) -> None:
        """A service that a policy puts out of reach takes no connection."""
        name = host(blocked_service)
        try:
            # A name that is wrong is out of reach as well.
            wait_for_condition(dns_resolves(name) & ~tcp_open(name, blocked_service.port, probe=PROBE), SOON)
        except ConditionTimeoutError as error:
            self._require_policies(kube, namespace)
            message = f"{blocked_service.name} must be out of reach: {error}"
            raise NetworkError(message) from None

    def test_policy_is_enforced(self, kube: CoreV1Api, namespace: str) -> None:
        """A policy that denies connections blocks them, and one that allows them lets them through."""
        self._require_policies(kube, namespace)

    def _require_policies(self, kube: CoreV1Api, namespace: str) -> None:
        problem = policies_not_enforced(kube, namespace)
        if problem and self.policies_required:
            raise NetworkError(problem)
        if problem:
            pytest.xfail(problem)


def host(service: ServiceRequirement) -> str:
    """Return the name under which pods of the cluster know a service."""
    return f"{service.name}.{service.namespace}.svc"


def connections_opened(host: str, port: int, path: str, requests: int) -> int:
    """Return how many connections it takes a client to send requests one after the other.

    Raises:
        urllib3.exceptions.HTTPError: A request failed.
    """
    opened = []

    class Counted(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            opened.append(self)
            super().connect()

    with urllib3.HTTPConnectionPool(host, port, maxsize=1, timeout=10.0, retries=False) as pool:
        pool.ConnectionCls = Counted
        for _ in range(requests):
            pool.request("GET", path)
    return len(opened)
