"""Brings the services up: namespace, credentials, manifests, and the wait until they truly are ready."""

from __future__ import annotations

import base64
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from kubernetes import client

from floe_ci import contract
from floe_ci.config import expand_environment
from floe_ci.driver import pods
from floe_ci.driver.kubectl import kubectl
from floe_ci.driver.poll import wait_until
from floe_ci.errors import RunError

if TYPE_CHECKING:
    from floe_ci.driver.spec import RunSpec
    from floe_ci.manifests import Manifests

ENVIRONMENT_SECRET = "floe-environment"  # noqa: S105 - the object's name, not what it holds


def labels(spec: RunSpec) -> dict[str, str]:
    """Return the labels of everything that the run makes."""
    return {contract.LABEL_RUN_ID: spec.run_id, contract.LABEL_MANAGED_BY: "floe-ci"}


def wait_for_nodes(core: client.CoreV1Api, spec: RunSpec) -> None:
    """Wait until as many nodes as the run asks for say that they are Ready."""

    def observe() -> str | None:
        # A Ready node keeps its taint for another moment, and no pod is scheduled to it until that is gone.
        ready = [node for node in core.list_node().items if is_ready(node) and not is_held_back(node)]
        return None if len(ready) >= spec.nodes else f"{len(ready)} of {spec.nodes} nodes are Ready"

    wait_until("nodes", observe, timeout=spec.timeouts.services)


def make_namespace(core: client.CoreV1Api, spec: RunSpec) -> None:
    """Create the run's namespace; in a cluster that was kept it is there already."""
    metadata = client.V1ObjectMeta(name=spec.namespace, labels=labels(spec))
    try:
        core.create_namespace(client.V1Namespace(metadata=metadata))
    except client.ApiException as error:
        if error.status != HTTPStatus.CONFLICT:
            raise


def make_secrets(core: client.CoreV1Api, spec: RunSpec, services: Manifests) -> tuple[str, ...]:
    """Create the run's Secrets and return their values, for redaction.

    A password is generated for each key of the credentials Secret that a manifest refers to; one that is there
    stays, since a service may have been set up with it. The environment that the configuration asks for is a
    Secret too, since its values may contain those passwords.
    """
    keys = services.credential_keys(contract.CREDENTIALS_SECRET)
    there = read_secret(core, spec, contract.CREDENTIALS_SECRET)
    passwords = {key: there.get(key) or secrets.token_urlsafe(24) for key in keys}
    variables = services.connection_variables(contract.LABEL_CONNECTION) | passwords | run_variables(spec)
    environment = expand_environment(spec.environment, variables) | run_variables(spec)
    for name, values in ((contract.CREDENTIALS_SECRET, passwords), (ENVIRONMENT_SECRET, environment)):
        metadata = client.V1ObjectMeta(name=name, labels=labels(spec))
        secret = client.V1Secret(metadata=metadata, string_data=values)
        try:
            core.create_namespaced_secret(spec.namespace, secret)
        except client.ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            core.replace_namespaced_secret(name, spec.namespace, secret)
    return tuple(passwords.values())


def read_secret(core: client.CoreV1Api, spec: RunSpec, name: str) -> dict[str, str]:
    """Return what a Secret of the run's namespace holds; nothing where there is none."""
    try:
        data = core.read_namespaced_secret(name, spec.namespace).data or {}
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def run_variables(spec: RunSpec) -> dict[str, str]:
    """Return the variables that tell a test process which run it belongs to."""
    return {
        contract.ENV_RUN_ID: spec.run_id,
        contract.ENV_TIER: spec.tier,
        contract.ENV_NAMESPACE: spec.namespace,
        contract.ENV_RESULTS_DIR: contract.RESULTS_DIR,
    }


def apply(spec: RunSpec, manifests: Manifests) -> None:
    """Apply manifests into the run's namespace, server-side."""
    if not manifests.documents:
        return  # a tier without services; kubectl would take it for a mistake
    labelled = manifests.labelled(labels(spec))
    kubectl("apply", "--server-side", "--namespace", spec.namespace, "--filename", "-", stdin=labelled.to_yaml())


def wait_for_services(apis: Apis, spec: RunSpec, services: Manifests) -> None:
    """Wait until every workload has rolled out: its pods are of the newest version, and their probes say ready.

    Raises:
        RunError: A pod can't become ready any more, or the wait timed out; the message says which and why.
    """
    names = services.workloads()

    def observe() -> str | None:
        found = apis.core.list_namespaced_pod(spec.namespace).items
        if hopeless := [reason for pod in found if (reason := pods.failure(pod))]:
            raise RunError("; ".join(hopeless))
        states = [rollout_state(apis.apps, kind, name, spec.namespace) for kind, name in names]
        unready = [state for state in states if state]
        if not unready:
            return None
        waiting = [pods.state(pod) for pod in found if not is_ready(pod)]
        return ", ".join(unready) + (f" ({' | '.join(waiting)})" if waiting else "")

    wait_until("services", observe, timeout=spec.timeouts.services)


def rollout_state(apps: client.AppsV1Api, kind: str, name: str, namespace: str) -> str | None:
    """Return what a workload still lacks, or None when its newest version is rolled out and ready."""
    read = {
        "Deployment": apps.read_namespaced_deployment_status,
        "StatefulSet": apps.read_namespaced_stateful_set_status,
        "DaemonSet": apps.read_namespaced_daemon_set_status,
    }[kind]
    found = read(name, namespace)
    status = found.status
    if (status.observed_generation or 0) < found.metadata.generation:
        return f"{name}: not seen by its controller yet"
    if kind == "DaemonSet":
        wanted = status.desired_number_scheduled
        ready, updated = status.number_ready, status.updated_number_scheduled
    else:
        wanted, ready, updated = found.spec.replicas, status.ready_replicas, status.updated_replicas
    if (ready or 0) < wanted or (updated or 0) < wanted:
        return f"{name}: {ready or 0} of {wanted} ready"
    return None


def is_ready(found: client.V1Pod | client.V1Node) -> bool:
    """Tell whether a pod or a node is Ready by its own word."""
    return any(c.type == "Ready" and c.status == "True" for c in found.status.conditions or ())


def is_held_back(node: client.V1Node) -> bool:
    """Tell whether Kubernetes itself still keeps pods from a node; the control plane's own taint doesn't count."""
    return any(taint.key.startswith("node.kubernetes.io/") for taint in node.spec.taints or ())


class Apis:
    """The clients for one cluster."""

    def __init__(self) -> None:
        """Open them."""
        self.core = client.CoreV1Api()
        self.apps = client.AppsV1Api()
        self.batch = client.BatchV1Api()
