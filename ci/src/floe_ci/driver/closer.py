"""A closer look at pods that a run waits for in vain, for the message that ends the wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3
from kubernetes import client

from floe_ci.driver import events, pods
from floe_ci.driver.apis import explain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from floe_ci.driver.apis import Apis

LINES = 15
"""Of each log."""
MOST_PODS = 3
"""Pods that wait for the same thing say the same."""


def look(apis: Apis, namespace: str, found: Iterable[client.V1Pod]) -> str:
    """Return what the first of these pods say: the last warning, the log's last lines, and what to type next."""
    return "\n".join(look_at(apis, namespace, pod) for pod in list(found)[:MOST_PODS])


def look_at(apis: Apis, namespace: str, pod: client.V1Pod) -> str:
    """Return what there is to know of one pod; a cluster that doesn't answer hides nothing that was known before."""
    name = pod.metadata.name
    lines = []
    try:
        lines += [f"{name}, last warning: {warning}" for warning in events.warnings(apis.core, namespace, name)[-1:]]
        lines += tail(apis.core, namespace, pod)
    except (client.ApiException, urllib3.exceptions.HTTPError) as error:
        lines.append(f"{name}: no more could be read: {explain(error)}")
    command = apis.command("--namespace", namespace, "describe", "pod", name)
    return "\n".join([*lines, f"look further with `{command}`, where --keep has left the cluster"])


def tail(core: client.CoreV1Api, namespace: str, pod: client.V1Pod) -> list[str]:
    """Return the last lines of the first container that isn't well, under a heading; of its last start, if it died."""
    status = next((status for status in pods.statuses(pod) if not pods.is_well(status)), None)
    died = bool(status and status.state.waiting and status.last_state.terminated)
    if status is None or not (died or status.state.running or status.state.terminated):
        return []  # it never began
    response = core.read_namespaced_pod_log(
        pod.metadata.name,
        namespace,
        container=status.name,
        previous=died,
        tail_lines=LINES,
        _preload_content=False,
    )
    said = response.data.decode(errors="replace").splitlines()
    return [f"{pod.metadata.name}, container {status.name}, last lines of its log:", *(f"    {line}" for line in said)]
