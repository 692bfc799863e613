"""The cluster's network does what tests rely on, across its nodes."""

from __future__ import annotations

import pytest

from testing import Unmet
from testing.conditions import dns_resolves, tcp_open
from testing.network import NetworkChecks, host
from testing.services import ServiceRequirement

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("REQ-643")]

POSTGRES = ServiceRequirement(name="postgres", port=5432)


class TestServices(NetworkChecks):
    """The services' names resolve, their ports are open, those with HTTP answer, and policies are checked."""

    required_services = (
        POSTGRES,
        ServiceRequirement(name="minio", port=9000),
        ServiceRequirement(name="dagster-webserver", port=3000),
    )
    http = {"minio": "/minio/health/live", "dagster-webserver": "/server_info"}  # noqa: RUF012 - as a user writes it


def test_service_that_does_not_exist() -> None:
    """The name of no Service does not resolve: nothing answers for whatever is asked."""
    seen = dns_resolves(host(POSTGRES.model_copy(update={"name": "nobody"})))()
    assert isinstance(seen, Unmet)


def test_port_that_no_service_has() -> None:
    """A port that a Service doesn't have takes no connection."""
    assert not tcp_open(host(POSTGRES), 5433, probe=2.0)()
