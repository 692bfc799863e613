"""The wait until the services truly are ready: rolled out, reachable under their names, pods up, and Jobs done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci.driver import closer, pods, reach
from floe_ci.driver.problems import OutOfMemory
from floe_ci.errors import LastingError, RunError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from kubernetes.client import V1DaemonSetStatus, V1DeploymentStatus, V1Pod, V1StatefulSetStatus

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.manifests import Manifests


def wait_for_services(  # noqa: PLR0913 - what is waited for, and where
    apis: Apis,
    spec: RunSpec,
    services: Manifests,
    stop: threading.Event | None = None,
    *,
    what: str = "services",
    selector: str = "",
) -> None:
    """Wait until workloads have rolled out, Jobs are done, pods are up, and every Service has a pod behind it.

    Args:
        apis: The cluster's.
        spec: The run; its namespace is where they are.
        services: What is waited for.
        stop: Ends the wait at once when it is set.
        what: What they are, for the message of a timeout.
        selector: Selects their pods; empty: all of the namespace are theirs, but for tests'.

    Raises:
        RunError: A pod can't become ready any more, a Job failed, or the wait timed out; the message says which and
            why, with the last lines of its log.
        OutOfMemory: A pod took more memory than it may.
        Stopped: The wait was told to stop.
    """
    workloads, jobs, single = services.workloads(), services.jobs(), services.pods()
    selecting = services.selecting_services()
    waiting: list[V1Pod] = []
    rolled_out: set[tuple[str, str]] = set()

    def lacking() -> list[str]:
        """Return what workloads still lack; of one that has rolled out the cluster is asked when all have."""
        asked = [each for each in workloads if each not in rolled_out]
        states = {each: rollout_state(apis, *each, spec.namespace) for each in asked}
        rolled_out.update(each for each, state in states.items() if not state)
        found = [state for state in states.values() if state]
        if found or len(asked) == len(workloads):
            return found
        rolled_out.clear()
        return lacking()

    def observe() -> str | None:
        # The tests' pods wait beside them, and those of other runs.
        there = apis.pods(spec.namespace, selector)
        # What is being deleted is nobody's affair any more: the pod of a Job that was made anew, say.
        found = [pod for pod in there if not pods.is_of_tests(pod) and not pod.metadata.deletion_timestamp]
        refuse_hopeless(apis, spec, found)
        states: list[str | None] = [*lacking()]
        states += [job_state(apis, name, spec.namespace) for name in jobs]
        states += [pod_state(apis, name, spec.namespace, found) for name in single]
        if not any(states):
            # The last to come: the cluster knows of a pod behind it a moment after the pod's probe has passed.
            states = [endpoint_state(apis, name, spec.namespace) for name in selecting]
        unready = [state for state in states if state]
        waiting[:] = [pod for pod in found if not pods.is_ready(pod) and pod.status.phase != "Succeeded"]
        told = f" ({' | '.join(pods.state(pod) for pod in waiting)})" if waiting else ""
        return ", ".join(unready) + told if unready else None

    def look() -> str:
        return closer.look(apis, spec.namespace, waiting)

    apis.wait_until(what, observe, timeout=spec.timeouts.services, look=look, stop=stop)


def wait_for_dns(apis: Apis, spec: RunSpec, stop: threading.Event | None = None) -> None:
    """Wait until the names of Services are answered for, in a cluster that has begun a moment ago.

    Raises:
        RunError: The wait timed out.
        Stopped: The wait was told to stop.
    """

    def look() -> str:
        return f"look further with `{apis.command('--namespace', 'kube-system', 'describe', 'pods')}`"

    def observe() -> str | None:
        return endpoint_state(apis, "kube-dns", "kube-system")

    apis.wait_until("the cluster's DNS", observe, timeout=spec.timeouts.services, look=look, stop=stop)


def refuse_hopeless(apis: Apis, spec: RunSpec, found: Iterable[V1Pod]) -> None:
    """End the wait where a pod can't become ready any more."""
    hopeless = {reason: pod for pod in found if (reason := pods.failure(pod))}
    if hopeless:
        msg = f"{'; '.join(hopeless)}\n{closer.look(apis, spec.namespace, hopeless.values())}"
        if any(map(pods.out_of_memory, hopeless.values())):
            raise OutOfMemory(msg)
        raise (LastingError if any(map(pods.will_fail_again, hopeless.values())) else RunError)(msg)


def rollout_state(apis: Apis, kind: str, name: str, namespace: str) -> str | None:
    """Return what a workload still lacks, or None when its newest version is rolled out and ready."""
    read = {
        "Deployment": apis.apps.read_namespaced_deployment_status,
        "StatefulSet": apis.apps.read_namespaced_stateful_set_status,
        "DaemonSet": apis.apps.read_namespaced_daemon_set_status,
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
    if (ready or 0) < wanted:
        return f"{name}: {ready or 0} of {wanted} ready{refused(status)}"
    if (updated or 0) < wanted:
        return f"{name}: {updated or 0} of {wanted} are of the newest version"
    # Those of the version before are ready, and answer, until the new ones are.
    if kind == "Deployment" and (former := (status.replicas or 0) - (updated or 0)) > 0:
        return f"{name}: {former} of the version before are still there"
    return None


def refused(status: V1DeploymentStatus | V1StatefulSetStatus | V1DaemonSetStatus) -> str:
    """Return why the cluster makes no pods of a workload, such as for a quota, where it says so."""
    met = [each for each in status.conditions or () if each.type == "ReplicaFailure" and each.status == "True"]
    return f" ({met[0].message})" if met else ""


def job_state(apis: Apis, name: str, namespace: str) -> str | None:
    """Return what a Job still lacks, or None when it is complete.

    Raises:
        RunError: It failed; the message has the last lines of its pods' logs.
    """
    found = apis.batch.read_namespaced_job_status(name, namespace)
    met = {condition.type: condition for condition in found.status.conditions or () if condition.status == "True"}
    if failed := met.get("Failed"):
        selector = f"{pods.JOB_NAME}={name}"
        its_pods = apis.pods(namespace, selector)
        msg = f"Job {name} failed: {failed.message or failed.reason}\n{closer.look(apis, namespace, its_pods)}"
        raise RunError(msg.rstrip())
    if "Complete" in met:
        return None
    return f"Job {name}: {found.status.succeeded or 0} of {found.spec.completions or 1} complete"


def pod_state(apis: Apis, name: str, namespace: str, found: Iterable[V1Pod]) -> str | None:
    """Return what a pod of its own still lacks, or None when it is ready, or has ended as it should.

    Raises:
        RunError: It failed; the message has the last lines of its log.
    """
    there = next((pod for pod in found if pod.metadata.name == name), None)
    if there is None:
        return f"pod {name}: not there"
    if there.status.phase == "Failed":
        msg = f"pod {pods.state(there)}\n{closer.look(apis, namespace, [there])}"
        raise RunError(msg.rstrip())
    if pods.is_ready(there) or there.status.phase == "Succeeded":
        return None
    return f"pod {name}: not ready"


def endpoint_state(apis: Apis, name: str, namespace: str) -> str | None:
    """Return that a Service has no ready pod behind it, or None when it has one."""
    endpoints = [each for found in reach.slices(apis, namespace, name) for each in found.get("endpoints") or ()]
    return None if any(map(reach.is_ready, endpoints)) else f"Service {name}: no ready endpoint"
