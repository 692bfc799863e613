"""The platform is there, whole, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3

from floe_testing import wait_for_condition
from floe_testing.conditions import http_ok, pods_ready
from floe_testing.services import check_service_health, locate

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, V1Pod
    from redis import Redis

pytestmark = pytest.mark.requirement("REQ-641")

PLATFORM = "app.kubernetes.io/part-of=floe"
PRODUCTS = "app.kubernetes.io/name=products"
"""The label of the demo product's service, which the tier brings beside the platform."""


def services(kube: CoreV1Api, namespace: str) -> list[V1Pod]:
    """Return the services' pods that are not on their way out."""
    found = [kube.list_namespaced_pod(namespace, label_selector=each).items for each in (PLATFORM, PRODUCTS)]
    return [pod for pods in found for pod in pods if pod.metadata.deletion_timestamp is None]


@pytest.mark.requirement("REQ-641.8", "T11")
def test_every_service_is_ready(kube: CoreV1Api, kube_namespace: str, platform: list[str]) -> None:
    """Each service of the tier has one pod, the platform has no other, and all are Ready."""
    wait_for_condition(
        pods_ready(kube, kube_namespace, PLATFORM, count=len(platform)) & pods_ready(kube, kube_namespace, PRODUCTS)
    )
    names = [pod.metadata.labels["app.kubernetes.io/name"] for pod in services(kube, kube_namespace)]
    assert sorted(names) == sorted([*platform, "products"])


@pytest.mark.requirement("REQ-641.8")
def test_no_service_crashed(kube: CoreV1Api, kube_namespace: str) -> None:
    """However cold the start, no service had to be started twice, not even while another was restarted by a test."""
    crashes = {
        f"{pod.metadata.name}/{container.name}": container.last_state.terminated.reason
        for pod in services(kube, kube_namespace)
        for container in pod.status.container_statuses
        if container.last_state.terminated
    }
    # A container that the node failed to start at its first attempt was not the service's affair.
    assert {name: reason for name, reason in crashes.items() if reason != "StartError"} == {}


@pytest.mark.requirement("REQ-641.2")
@pytest.mark.parametrize("service", ["postgres", "minio", "dagster"])
def test_service_answers(service: str) -> None:
    """A service that the framework knows answers in its own language."""
    health = check_service_health(service)
    assert health.healthy, health


@pytest.mark.requirement("REQ-641.2")
def test_redis_answers(redis: Redis) -> None:
    """Redis answers whoever has the run's password."""
    assert redis.ping() is True


def test_collector_takes_spans() -> None:
    """The collector takes a request of OTLP over HTTP, here one without a span."""
    address = locate("otel-collector", 4318)
    with urllib3.PoolManager(timeout=10.0, retries=False) as http:
        answer = http.request("POST", f"http://{address.host}:{address.port}/v1/traces", json={"resourceSpans": []})
    assert (answer.status, answer.json()) == (200, {"partialSuccess": {}})


def test_jaeger_answers(jaeger_url: str) -> None:
    """Jaeger answers queries."""
    wait_for_condition(http_ok(f"{jaeger_url}/api/services"))
