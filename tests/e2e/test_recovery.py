"""The platform mends what dies."""

import pytest
from kubernetes.client import CoreV1Api

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.cluster.kube import replaced, service_pod
from floe_testing.services import DagsterConfig
from floe_testing.services.clients.dagster import DagsterClient, wait_until_answers

pytestmark = pytest.mark.requirement("REQ-641")


@pytest.mark.journey("recovery")
def test_killed_webserver_is_replaced(
    dagster: DagsterClient, dagster_config: DagsterConfig, kube: CoreV1Api, kube_namespace: str
) -> None:
    """A webserver that is killed gets a successor, which answers there with its code location."""
    before = dagster.repositories()
    old = service_pod(kube, kube_namespace, "dagster-webserver")

    kube.delete_namespaced_pod(old.name, kube_namespace, grace_period_seconds=0)
    wait_for_condition(
        replaced(kube, kube_namespace, old, "dagster-webserver"),
        PollingConfig(timeout=120, interval=0.5, description="another webserver pod is ready"),
    )
    wait_until_answers(dagster, dagster_config)

    assert dagster.repositories() == before
