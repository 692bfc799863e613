"""The Kubernetes API, as far as tests look at pods."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, config

from floe_testing.contract import ENV_NAMESPACE, LABEL_NAME
from floe_testing.errors import FloeTestingError
from floe_testing.polling import PollingConfig, Unmet, wait_for_condition

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoClusterError(FloeTestingError):
    """There is no cluster that a test could ask."""


@dataclass(frozen=True)
class Pod:
    """A pod, as it was when asked."""

    name: str
    uid: str
    node: str | None
    phase: str
    ready: bool
    terminating: bool


@contextmanager
def connect() -> Iterator[client.CoreV1Api]:
    """Yield the API of the cluster this process runs in, or else of the kubeconfig's current context.

    Raises:
        NoClusterError: There is neither.
    """
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        try:
            config.load_kube_config(client_configuration=settings)
        except config.ConfigException as error:
            message = (
                "A Kubernetes cluster is needed: this process runs in none, and no kubeconfig is usable. "
                "Run the tests with `dagger call test --tier integration`, or set KUBECONFIG "
                f"({error})."
            )
            raise NoClusterError(message) from error
    with client.ApiClient(settings) as api:
        try:
            yield client.CoreV1Api(api)
        finally:
            api.rest_client.pool_manager.clear()


def current_namespace(environ: Mapping[str, str] | None = None) -> str:
    """Return the namespace that the services are in.

    Raises:
        NoClusterError: Neither the variable nor a service account tells it.
    """
    environ = os.environ if environ is None else environ
    if environ.get(ENV_NAMESPACE):
        return environ[ENV_NAMESPACE]
    if _POD_NAMESPACE.exists():
        return _POD_NAMESPACE.read_text().strip()
    message = f"The services' namespace is not known: set {ENV_NAMESPACE}."
    raise NoClusterError(message)


def pods(api: client.CoreV1Api, namespace: str, selector: str) -> list[Pod]:
    """List the pods that a label selector finds."""
    return [
        Pod(
            name=each.metadata.name,
            uid=each.metadata.uid,
            node=each.spec.node_name,
            phase=each.status.phase,
            ready=any(c.type == "Ready" and c.status == "True" for c in each.status.conditions or ()),
            terminating=each.metadata.deletion_timestamp is not None,
        )
        for each in api.list_namespaced_pod(namespace, label_selector=selector).items
    ]


def service_pod(api: client.CoreV1Api, namespace: str, service: str) -> Pod:
    """Return the one pod of a service.

    Raises:
        NoClusterError: There is none, or more than one.
    """
    found = [pod for pod in pods(api, namespace, f"{LABEL_NAME}={service}") if not pod.terminating]
    if len(found) != 1:
        message = f"One pod of {service} is expected in namespace {namespace}; there are {found}"
        raise NoClusterError(message)
    return found[0]


def replaced(api: client.CoreV1Api, namespace: str, old: Pod, service: str) -> Callable[[], Pod | Unmet]:
    """Return a condition: another pod of the service is ready in the old one's place."""

    def condition() -> Pod | Unmet:
        found = pods(api, namespace, f"{LABEL_NAME}={service}")
        ready = [pod for pod in found if pod.ready and not pod.terminating and pod.uid != old.uid]
        return ready[0] if ready else Unmet(f"pods of {service}: {found}")

    return condition


def restart(api: client.CoreV1Api, namespace: str, service: str, timeout: float) -> None:
    """Delete the one pod of a service, and wait until its successor is ready.

    Raises:
        NoClusterError: There is none, or more than one.
        ConditionTimeoutError: No successor was ready, for `timeout` seconds.
    """
    old = service_pod(api, namespace, service)
    api.delete_namespaced_pod(old.name, namespace)
    description = f"another pod of {service} is ready"
    wait_for_condition(
        replaced(api, namespace, old, service),
        PollingConfig(timeout=timeout, interval=0.3, description=description),
    )
