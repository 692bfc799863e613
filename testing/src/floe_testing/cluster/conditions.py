"""What objects of a cluster must be: ready, available, complete. Each condition asks the API for one look."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import urllib3

from floe_testing.cluster.pods import has_ended, is_ready, state
from floe_testing.waiting.condition import Condition
from floe_testing.waiting.polling import HopelessError, Unmet

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes.client import CoreV1Api, V1Deployment, V1StatefulSet

T = TypeVar("T")

BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Refusals of an API server that may not be its last word."""


def pod_ready(kube: CoreV1Api, namespace: str, name: str, *, probe: float | None = None) -> Condition[str]:
    """Return the condition that a pod is Ready; met, it gives the name of the pod's node.

    It is hopeless when the pod has ended.
    """

    def look(seconds: float) -> str | Unmet:
        pod = kube.read_namespaced_pod(name, namespace, _request_timeout=seconds)
        if pod.status.phase in {"Failed", "Succeeded"}:
            message = f"pod {namespace}/{name} has ended, and won't be ready: {state(pod)}"
            raise HopelessError(message)
        return str(pod.spec.node_name) if is_ready(pod) else Unmet(state(pod))

    return asking(f"pod {namespace}/{name} is ready", look, probe, f"describe pod {name}", namespace)


def pods_ready(
    kube: CoreV1Api, namespace: str, selector: str, *, count: int = 1, probe: float | None = None
) -> Condition[tuple[str, ...]]:
    """Return the condition that all pods of a label selector are Ready; met, it gives their names.

    Pods that are being deleted, or have ended, don't count.

    Args:
        kube: The cluster's API.
        namespace: Where the pods are.
        selector: As for `kubectl get --selector`.
        count: How many there must be at least.
        probe: Seconds for one look.
    """

    def look(seconds: float) -> tuple[str, ...] | Unmet:
        listed = kube.list_namespaced_pod(namespace, label_selector=selector, _request_timeout=seconds).items
        pods = [pod for pod in listed if not has_ended(pod)]
        ready = tuple(pod.metadata.name for pod in pods if is_ready(pod))
        if count <= len(ready) == len(pods):
            return ready
        waiting = [state(pod) for pod in pods if not is_ready(pod)]
        return Unmet(" | ".join([f"{len(ready)} ready of {max(count, len(pods))}", *waiting]))

    description = f"pods {selector} of {namespace} are ready"
    return asking(description, look, probe, f"get pods --selector {selector}", namespace)


def job_complete(kube: CoreV1Api, namespace: str, name: str, *, probe: float | None = None) -> Condition[bool]:
    """Return the condition that a Job is complete. One that has failed is hopeless, for the reason it gives."""
    from kubernetes import client  # noqa: PLC0415 - takes half a second that most sessions don't need

    jobs = client.BatchV1Api(kube.api_client)

    def look(seconds: float) -> bool | Unmet:
        job = jobs.read_namespaced_job(name, namespace, _request_timeout=seconds)
        true = {each.type: each for each in job.status.conditions or () if each.status == "True"}
        failed = true.get("Failed") or true.get("FailureTarget")
        if failed:
            message = f"job {namespace}/{name} failed: {failed.reason}: {failed.message}"
            raise HopelessError(message)
        done, wanted = job.status.succeeded or 0, job.spec.completions or 1
        return "Complete" in true or Unmet(
            f"{done} of {wanted} completions, {job.status.active or 0} active, {job.status.failed or 0} failed"
        )

    return asking(f"job {namespace}/{name} is complete", look, probe, f"logs job/{name}", namespace)


def deployment_available(kube: CoreV1Api, namespace: str, name: str, *, probe: float | None = None) -> Condition[int]:
    """Return the condition that a Deployment's newest version is rolled out and available; met, it gives its replicas.

    It is hopeless when the Deployment's own deadline has passed.
    """
    from kubernetes import client  # noqa: PLC0415 - as above

    apps = client.AppsV1Api(kube.api_client)

    def look(seconds: float) -> int | Unmet:
        found = apps.read_namespaced_deployment(name, namespace, _request_timeout=seconds)
        for each in found.status.conditions or ():
            if each.reason == "ProgressDeadlineExceeded" and _is_seen(found):
                message = f"deployment {namespace}/{name} is stuck: {each.message}"
                raise HopelessError(message)
        return _rolled_out(found, found.status.updated_replicas, found.status.available_replicas, "available")

    return asking(f"deployment {namespace}/{name} is available", look, probe, f"describe deployment {name}", namespace)


def statefulset_ready(kube: CoreV1Api, namespace: str, name: str, *, probe: float | None = None) -> Condition[int]:
    """Return the condition that a StatefulSet's newest version is rolled out and ready; met, it gives its replicas."""
    from kubernetes import client  # noqa: PLC0415 - as above

    apps = client.AppsV1Api(kube.api_client)

    def look(seconds: float) -> int | Unmet:
        found = apps.read_namespaced_stateful_set(name, namespace, _request_timeout=seconds)
        return _rolled_out(found, found.status.updated_replicas, found.status.ready_replicas, "ready")

    return asking(f"statefulset {namespace}/{name} is ready", look, probe, f"describe statefulset {name}", namespace)


def _rolled_out(found: V1Deployment | V1StatefulSet, updated: int | None, good: int | None, word: str) -> int | Unmet:
    """Return the replicas of a workload where all of them are of its newest version and good."""
    wanted: int = found.spec.replicas
    if not _is_seen(found):
        return Unmet("its controller has not seen the newest version yet")
    if (updated or 0) < wanted or (good or 0) < wanted or (found.status.replicas or 0) > wanted:
        return Unmet(
            f"{good or 0} of {wanted} {word}, {updated or 0} of the newest version, {found.status.replicas or 0} in all"
        )
    return wanted


def _is_seen(found: V1Deployment | V1StatefulSet) -> bool:
    return bool((found.status.observed_generation or 0) >= found.metadata.generation)


def asking(
    description: str, look: Callable[[float], T | Unmet], probe: float | None, command: str, namespace: str
) -> Condition[T]:
    """Return a condition whose look asks the API: what is not there, and a server that is busy, mean "not yet".

    Args:
        description: What is so when it is met.
        look: Asks once, for no longer than the seconds it is given.
        probe: Seconds for one look; the table's unless given.
        command: What to look closer with, of kubectl.
        namespace: Where; empty for what is in none.
    """
    from kubernetes.client import ApiException  # noqa: PLC0415 - takes half a second that most sessions don't need

    def patient_look(seconds: float) -> T | Unmet:
        try:
            return look(seconds)
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return Unmet("there is none of that name")
            if error.status in BUSY:
                return Unmet(f"the API answered {error.status} {error.reason}")
            raise

    advice = f"Look closer with: kubectl {f'--namespace {namespace} ' if namespace else ''}{command}"
    return Condition(description, patient_look, (urllib3.exceptions.HTTPError,), probe, advice)
