"""The cluster's network does what tests rely on, across its nodes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from floe_testing import Unmet
from floe_testing.base_classes.network import NetworkChecks, host
from floe_testing.cluster.kube import service_pod
from floe_testing.conditions import dns_resolves, tcp_open
from floe_testing.services import ServiceRequirement

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

pytestmark = pytest.mark.requirement("REQ-643")

# floe: ignore[FT603] what a Service is asked for is stated here, and not read from what it is to be compared with
POSTGRES = ServiceRequirement(name="postgres", port=5432)


class TestServices(NetworkChecks):
    """The services' names resolve, their ports are open, those with HTTP answer, and policies are checked."""

    # floe: ignore[FT603] as above
    required_services = (
        POSTGRES,
        ServiceRequirement(name="minio", port=9000),
        ServiceRequirement(name="dagster-webserver", port=3000),
    )
    http = {"minio": "/minio/health/live", "dagster-webserver": "/server_info"}  # noqa: RUF012 - as a user writes it

    @pytest.mark.requirement("REQ-643.4")
    def test_policy_is_enforced(self, kube: CoreV1Api, namespace: str) -> None:
        """A policy that denies connections blocks them, and one that allows them lets them through."""
        super().test_policy_is_enforced(kube, namespace)


@pytest.mark.requirement("REQ-643.1")
def test_name_is_that_of_the_service(kube: CoreV1Api, kube_namespace: str) -> None:
    """A service's name resolves to the one address that the cluster has given the Service."""
    found = socket.getaddrinfo(host(POSTGRES), POSTGRES.port, proto=socket.IPPROTO_TCP)
    address = kube.read_namespaced_service(POSTGRES.name, kube_namespace).spec.cluster_ip
    assert [where[0] for *_, where in found] == [address]


@pytest.mark.requirement("REQ-643.1")
def test_service_that_does_not_exist() -> None:
    """The name of no Service does not resolve: nothing answers for whatever is asked."""
    seen = dns_resolves(host(POSTGRES.model_copy(update={"name": "nobody"})))()
    assert isinstance(seen, Unmet)


@pytest.mark.requirement("REQ-643.2")
def test_port_nobody_listens_on(kube: CoreV1Api, kube_namespace: str) -> None:
    """A pod takes connections on the port of its service, and none on one where nobody listens."""
    postgres = service_pod(kube, kube_namespace, "postgres")
    address = kube.read_namespaced_pod(postgres.name, kube_namespace).status.pod_ip
    assert tcp_open(address, 5432, probe=2.0)()
    assert not tcp_open(address, 5433, probe=2.0)()
