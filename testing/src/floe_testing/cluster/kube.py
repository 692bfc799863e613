"""The Kubernetes API, as far as tests look at pods."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import client, config

from floe_testing.cluster.api_errors import REQUEST_TIMEOUT
from floe_testing.cluster.conditions import BUSY, asking
from floe_testing.contract import ENV_NAMESPACE, LABEL_NAME
from floe_testing.errors import NoClusterError
from floe_testing.waiting.condition import Condition
from floe_testing.waiting.polling import PollingConfig, Unmet, wait_for_condition

ADVICE: Final = (
    "Name a cluster with KUBECONFIG, or run the tests with `floe-ci test` in a place that has one: "
    "`floe-ci doctor` tells which those are."
)
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Pod:
    """A pod, as it was when asked."""

    name: str
    uid: str
    node: str | None
    phase: str
    ready: bool
    terminating: bool


class PatientClient(client.ApiClient):  # type: ignore[misc] # the library is not typed
    """An API client that waits for no answer for ever, and asks again where the server is busy for a moment."""

    def __init__(self, settings: client.Configuration) -> None:
        """Take what the cluster is reached with."""
        # A server that stays busy is for the caller to wait for.
        settings.retries = urllib3.Retry(
            total=3,
            status_forcelist=BUSY,
            backoff_factor=0.2,
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        super().__init__(settings)

    def request(self, method: str, url: str, query_params: Any = None, **options: Any) -> Any:  # noqa: ANN401 - the library's own
        """Send a request; unless the caller says how long to wait, it is not for ever. Only a watch may be silent."""
        endless = {"watch", "follow"} & {str(name) for name, _ in query_params or ()}
        if options.get("_request_timeout") is None and not endless:
            options["_request_timeout"] = REQUEST_TIMEOUT
        return super().request(method, url, query_params=query_params, **options)


@contextmanager
def connect() -> Iterator[client.CoreV1Api]:
    """Yield the API of the cluster this process runs in, or else of the kubeconfig's current context.

    Raises:
        NoClusterError: There is neither, or the kubeconfig is no use.
    """
    with _open() as api:
        try:
            yield client.CoreV1Api(api)
        finally:
            api.rest_client.pool_manager.clear()


def _open() -> PatientClient:
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        pass
    else:
        return PatientClient(settings)
    settings.host = ""
    try:
        config.load_kube_config(client_configuration=settings)
        _check(settings)
        return PatientClient(settings)
    except Exception as error:
        # Whatever is wrong with it: no YAML, no text, no certificate, a table where a list belongs.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        files = os.environ.get("KUBECONFIG") or config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION
        message = (
            "A Kubernetes cluster is needed: this process runs in none, and the kubeconfig "
            f"({files}) is no use: {reason}. {ADVICE}"
        )
        raise NoClusterError(message) from error


def _check(settings: client.Configuration) -> None:
    """Look at what the client would look at with its first request, and then say less of."""
    if urllib3.util.parse_url(settings.host).scheme not in {"http", "https"}:
        message = f"the cluster's server is no URL: {settings.host!r}"
        raise ValueError(message)
    if settings.ssl_ca_cert:
        ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if settings.cert_file:
        ssl.create_default_context().load_cert_chain(settings.cert_file, settings.key_file)


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


def pods(
    api: client.CoreV1Api, namespace: str, selector: str, timeout: float | tuple[float, float] = REQUEST_TIMEOUT
) -> list[Pod]:
    """List the pods that a label selector finds."""
    listed = api.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=timeout).items
    return [
        Pod(
            name=each.metadata.name,
            uid=each.metadata.uid,
            node=each.spec.node_name,
            phase=each.status.phase,
            ready=any(c.type == "Ready" and c.status == "True" for c in each.status.conditions or ()),
            terminating=each.metadata.deletion_timestamp is not None,
        )
        for each in listed
    ]


def service_pod(
    api: client.CoreV1Api, namespace: str, service: str, timeout: float | tuple[float, float] = REQUEST_TIMEOUT
) -> Pod:
    """Return the one pod of a service.

    Raises:
        NoClusterError: There is none, or more than one.
    """
    listed = pods(api, namespace, f"{LABEL_NAME}={service}", timeout)
    found = [pod for pod in listed if not pod.terminating]
    if len(found) != 1:
        message = f"One pod of {service} is expected in namespace {namespace}; there are {found}"
        raise NoClusterError(message)
    return found[0]


def replaced(api: client.CoreV1Api, namespace: str, old: Pod, service: str) -> Condition[Pod]:
    """Return the condition that another pod of the service is ready in the old one's place; met, it gives that pod."""

    def look(seconds: float) -> Pod | Unmet:
        found = pods(api, namespace, f"{LABEL_NAME}={service}", timeout=seconds)
        ready = [pod for pod in found if pod.ready and not pod.terminating and pod.uid != old.uid]
        return ready[0] if ready else Unmet(f"pods of {service}: {found}")

    command = f"get pods --selector {LABEL_NAME}={service}"
    return asking(f"another pod of {service} is ready", look, None, command, namespace)


def restart(api: client.CoreV1Api, namespace: str, service: str, timeout: float) -> None:
    """Delete the one pod of a service, and wait until its successor is ready.

    Raises:
        NoClusterError: There is none, or more than one.
        ConditionTimeoutError: No successor was ready, for `timeout` seconds.
    """
    patience = PollingConfig(timeout=timeout, interval=0.3)
    command = f"get pods --selector {LABEL_NAME}={service}"

    def find(seconds: float) -> Pod:
        return service_pod(api, namespace, service, timeout=seconds)

    old = wait_for_condition(asking(f"the pod of {service} is found", find, None, command, namespace), patience)

    def delete(seconds: float) -> bool:
        try:
            api.delete_namespaced_pod(old.name, namespace, _request_timeout=seconds)
        except client.ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
        return True

    wait_for_condition(asking(f"pod {old.name} is told to end", delete, None, command, namespace), patience)
    wait_for_condition(replaced(api, namespace, old, service), patience)
