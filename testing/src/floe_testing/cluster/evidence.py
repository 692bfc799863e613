"""What the cluster has to say of a service that does not answer. Imported on demand: it loads the Kubernetes client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubernetes.client import ApiException
from urllib3.exceptions import HTTPError

from floe_testing.cluster import kube, pods
from floe_testing.cluster.api_errors import REQUEST_TIMEOUT, explain
from floe_testing.contract import LABEL_NAME
from floe_testing.errors import NoClusterError

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, V1Pod

LOG_LINES = 10
"""How many lines of a pod's log are shown."""


def of_service(service: str, namespace: str) -> list[str]:
    """Return, in lines, the state of a service's pods and the end of their logs; or why they can't be read."""
    try:
        with kube.connect() as api:
            found = api.list_namespaced_pod(namespace, _request_timeout=REQUEST_TIMEOUT).items
            lines = [line for pod in found if _is_of(pod, service) for line in _tell(api, pod)]
    except (ApiException, HTTPError, NoClusterError) as error:
        return [f"the pods of namespace {namespace} can't be read: {explain(error)}"]
    return lines or [f"namespace {namespace} has no pod of {service}"]


def _is_of(pod: V1Pod, service: str) -> bool:
    """Tell whether a pod is of a service; one of `dagster-webserver` is of `dagster` too."""
    name = str((pod.metadata.labels or {}).get(LABEL_NAME, ""))
    return name == service or name.startswith(f"{service}-")


def _tell(api: CoreV1Api, pod: V1Pod) -> list[str]:
    try:
        log: str = api.read_namespaced_pod_log(
            pod.metadata.name, pod.metadata.namespace, tail_lines=LOG_LINES, _request_timeout=REQUEST_TIMEOUT
        )
    except (ApiException, HTTPError) as error:
        log = f"(no log: {explain(error)})"
    return [f"pod {pods.state(pod)}", *(f"  {line}" for line in log.splitlines())]
