"""The network between the tests and their services: connections, HTTP, and what clients make of both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from floe_testing import Unmet, wait_for_condition
from floe_testing.base_classes.network import REQUESTS, connections_opened
from floe_testing.conditions import http_ok, tcp_open

if TYPE_CHECKING:
    from floe_testing.services import DagsterConfig, MinIOConfig, PostgresConfig

pytestmark = pytest.mark.requirement("REQ-643")


@pytest.mark.requirement("REQ-643.2")
def test_connection_is_taken(postgres_config: PostgresConfig) -> None:
    """A service takes connections where its variables say, and none on a port that nobody has."""
    wait_for_condition(tcp_open(postgres_config.host, postgres_config.port))
    # Of this machine: what becomes of a Service's port that there is none of is the network's affair.
    assert not tcp_open("127.0.0.1", 1, probe=2.0)()


@pytest.mark.requirement("REQ-643.3")
def test_http_is_answered(dagster_config: DagsterConfig, minio_config: MinIOConfig) -> None:
    """A service answers a request over HTTP, and one that it refuses is told with its status."""
    wait_for_condition(http_ok(f"http://{dagster_config.host}:{dagster_config.port}/server_info"))
    seen = http_ok(f"{minio_config.url}/no-such-bucket")()
    assert isinstance(seen, Unmet)
    assert re.search(r"\b40[34]\b", seen.state)


@pytest.mark.requirement("REQ-643.5")
def test_connection_is_reused(dagster_config: DagsterConfig) -> None:
    """Many requests, one after the other, take one connection to a service, and not one each."""
    assert connections_opened(dagster_config.host, dagster_config.port, "/server_info", REQUESTS) == 1
