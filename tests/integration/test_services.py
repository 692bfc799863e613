"""Services are found and answer wherever they are: in the cluster, from outside it, or on this machine."""

import socket

import pytest

from floe_testing.services import ServiceRequirement, check_service_health, locate, require_services
from floe_testing.services.reaching import wait_for_service
from floe_testing.services.registry import requirement_of

pytestmark = pytest.mark.requirement("REQ-642")

SERVICES = [pytest.param(name, marks=pytest.mark.services(name)) for name in ("postgres", "minio", "dagster")]


@pytest.mark.parametrize("service", SERVICES)
def test_service_answers_in_its_language(service: str) -> None:
    """A service that runs is healthy by its own client's word."""
    health = check_service_health(service)
    assert health.healthy, health
    assert health.state == "it answers"


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_located(service: str) -> None:
    """Where a service is said to be, it takes connections; and a wait for it ends."""
    port = requirement_of(service).port
    wait_for_service(service, port)
    address = locate(service, port)
    with socket.create_connection((address.host, address.port), timeout=10):
        assert address.how in {"environment", "Kubernetes DNS", "port-forward"}


def test_missing_service_fails() -> None:
    """A service that is nowhere fails the test at once, and names it beside no service that is there."""
    missing = ServiceRequirement(name="nowhere", port=80)
    with pytest.raises(pytest.fail.Exception, match="- nowhere: no way leads to nowhere: FLOE_NOWHERE_HOST is not set"):
        require_services("postgres", missing)
