"""Conditions of a cluster's objects, on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes import client

from floe_testing import HopelessError, PollingConfig, wait_for_condition, wait_for_service
from floe_testing.base_classes.policies import own_pod
from floe_testing.conditions import deployment_available, job_complete, pods_ready, statefulset_ready

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

pytestmark = pytest.mark.requirement("T009", "T010")


def start_job(kube: CoreV1Api, namespace: str, script: str) -> None:
    """Start a Job called `import` that runs a shell script, once."""
    own = own_pod(kube)
    container = client.V1Container(
        name="import",
        image=own.spec.containers[0].image,
        image_pull_policy="IfNotPresent",
        command=["sh", "-c", script],
    )
    pod = client.V1PodSpec(containers=[container], node_name=own.spec.node_name, restart_policy="Never")
    spec = client.V1JobSpec(template=client.V1PodTemplateSpec(spec=pod), backoff_limit=0)
    job = client.V1Job(metadata=client.V1ObjectMeta(name="import"), spec=spec)
    client.BatchV1Api(kube.api_client).create_namespaced_job(namespace, job)


@pytest.mark.requirement("REQ-639.4")
def test_services_are_rolled_out(kube: CoreV1Api, kube_namespace: str, platform: list[str]) -> None:
    """The services' workloads and pods are ready, each by its own condition and all by one of them together."""
    everything = (
        statefulset_ready(kube, kube_namespace, "postgres")
        & deployment_available(kube, kube_namespace, "dagster-webserver")
        & pods_ready(kube, kube_namespace, "app.kubernetes.io/part-of=floe", count=len(platform))
    )
    (postgres, webserver), pods = wait_for_condition(everything)
    assert (postgres, webserver) == (1, 1)
    assert any(name.startswith("dagster-daemon") for name in pods)


def test_service_is_found_by_its_name(kube_namespace: str) -> None:
    """A service of which the environment says nothing is found by the cluster's DNS."""
    wait_for_service("dagster-code", 4000, kube_namespace, PollingConfig(timeout=30))


def test_job_that_completes(kube: CoreV1Api, namespace: str) -> None:
    """A Job that does its work is complete."""
    start_job(kube, namespace, "true")
    assert wait_for_condition(job_complete(kube, namespace, "import"), PollingConfig(timeout=60))


def test_job_that_fails(kube: CoreV1Api, namespace: str) -> None:
    """A Job that fails ends the wait with its reason, instead of a timeout."""
    start_job(kube, namespace, "exit 3")
    with pytest.raises(HopelessError, match=rf"job {namespace}/import failed: BackoffLimitExceeded"):
        wait_for_condition(job_complete(kube, namespace, "import"), PollingConfig(timeout=200))
