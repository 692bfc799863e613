"""Whether a cluster enforces network policies: many accept them and don't."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from floe_testing.conditions import pod_ready, tcp_open
from floe_testing.errors import FloeTestingError
from floe_testing.waiting.polling import ConditionTimeoutError, PollingConfig, wait_for_condition

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, V1NetworkPolicy, V1NetworkPolicyPeer, V1Pod

PROBE: Final = 2.0
"""Seconds for one attempt to connect: a policy drops packets, and says nothing."""
SOON: Final = PollingConfig(timeout=15, interval=0.5)
"""How soon a policy must have taken effect."""

_LISTENER: Final = "listener"
_LABELS: Final = {"floe.dev/network-check": _LISTENER}
_PORT: Final = 8080


class NoPodError(FloeTestingError):
    """A process that runs in no pod can't tell what a policy does to pods."""


def policies_not_enforced(kube: CoreV1Api, namespace: str) -> str | None:
    """Return what shows that the cluster accepts network policies and doesn't enforce them; nothing where it does.

    A pod is started that listens. A policy denies all connections to it, and then another allows those from here.

    Args:
        kube: The cluster's API.
        namespace: A namespace of the test's own: pod and policies are left in it.

    Raises:
        NoPodError: This process runs in no pod.
        ConditionTimeoutError: The pod never took a connection, or took none though a policy allowed it to.
    """
    from kubernetes import client  # noqa: PLC0415 - takes half a second that most sessions don't need

    here = own_pod(kube)
    kube.create_namespaced_pod(namespace, listener(here))
    wait_for_condition(pod_ready(kube, namespace, _LISTENER), PollingConfig(timeout=60))
    reached = tcp_open(kube.read_namespaced_pod(_LISTENER, namespace).status.pod_ip, _PORT, probe=PROBE)
    wait_for_condition(reached)

    policies = client.NetworkingV1Api(kube.api_client)
    policies.create_namespaced_network_policy(namespace, policy("deny"))
    try:
        wait_for_condition(~reached, SOON)
    except ConditionTimeoutError as error:
        return (
            "This cluster doesn't enforce network policies: it accepted one that denies all connections to a pod, "
            f"and {error.elapsed:.0f} s later the pod still took them."
        )
    own_namespace = client.V1LabelSelector(match_labels={"kubernetes.io/metadata.name": here.metadata.namespace})
    neighbours = client.V1NetworkPolicyPeer(namespace_selector=own_namespace)
    policies.create_namespaced_network_policy(namespace, policy("allow", neighbours))
    wait_for_condition(reached, SOON)
    return None


def own_pod(kube: CoreV1Api) -> V1Pod:
    """Return the pod that this process runs in.

    Raises:
        NoPodError: It runs in none.
    """
    from floe_testing.cluster.kube import current_namespace  # noqa: PLC0415 - it loads the Kubernetes client

    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        message = (
            "Network policies are checked from a pod, and this process runs in none. "
            "Run them with `floe-ci test --tier e2e`, in a place that has a cluster."
        )
        raise NoPodError(message)
    return kube.read_namespaced_pod(socket.gethostname(), current_namespace())


def listener(like: V1Pod) -> V1Pod:
    """Return a pod that takes connections, with the image of a pod that has Python, and on its node."""
    from kubernetes import client  # noqa: PLC0415 - as above

    container = client.V1Container(
        name=_LISTENER,
        image=like.spec.containers[0].image,
        image_pull_policy="IfNotPresent",
        command=["python", "-m", "http.server", str(_PORT), "--directory", "/tmp"],  # noqa: S108 - empty, in a pod of its own
        resources=client.V1ResourceRequirements(
            requests={"cpu": "10m", "memory": "32Mi"}, limits={"cpu": "500m", "memory": "128Mi"}
        ),
        security_context=client.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=client.V1Capabilities(drop=["ALL"]),
        ),
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=_LISTENER, labels=_LABELS),
        spec=client.V1PodSpec(
            containers=[container],
            # Where the image is already.
            node_name=like.spec.node_name,
            automount_service_account_token=False,
            termination_grace_period_seconds=0,
            security_context=client.V1PodSecurityContext(
                run_as_non_root=True, run_as_user=1000, seccomp_profile=client.V1SeccompProfile(type="RuntimeDefault")
            ),
        ),
    )


def policy(name: str, *allowed: V1NetworkPolicyPeer) -> V1NetworkPolicy:
    """Return a policy that denies all connections to the listener but those from some peers."""
    from kubernetes import client  # noqa: PLC0415 - as above

    return client.V1NetworkPolicy(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1NetworkPolicySpec(
            pod_selector=client.V1LabelSelector(match_labels=_LABELS),
            policy_types=["Ingress"],
            ingress=[client.V1NetworkPolicyIngressRule(_from=list(allowed))] if allowed else [],
        ),
    )
