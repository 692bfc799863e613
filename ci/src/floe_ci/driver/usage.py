"""What a run's pods and the nodes take, by their kubelets' own word, where the cluster lets them be asked.

A kubelet tells it in a cluster without a metrics server as well. The right to ask, `get` on `nodes/proxy`, is one of
administrators: in somebody else's cluster there is nothing of it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import urllib3
from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from floe_ci.driver.pods import is_ready

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EVERY: Final = 10.0
"""Seconds between two looks: a kubelet itself looks no more often."""
PATIENCE: Final = 5.0
"""Seconds that a kubelet has for its answer."""
FEW: Final = 10
"""Nodes of a cluster that are all asked."""
REFUSED: Final = frozenset({401, 403})
_NANO: Final = 1e9


class Sample(NamedTuple):
    """What one pod or node takes at a moment."""

    cores: float
    memory: float
    """In bytes, without what can be given back."""


@dataclass(frozen=True)
class Used:
    """What a pod or a node took, in the form of `performance.json`: CPU in cores, memory in bytes."""

    name: str
    samples: int
    cpu_cores_mean: float
    cpu_cores_max: float
    memory_bytes_mean: float
    memory_bytes_max: float
    cpu_cores_allocatable: float | None = None
    memory_bytes_allocatable: float | None = None

    @classmethod
    def of(cls, name: str, samples: Sequence[Sample], allocatable: Mapping[str, str] | None = None) -> Used:
        """Return what samples come to, and for a node what its pods may have."""
        cores, memory = ([each[part] for each in samples] for part in (0, 1))
        room = [float(parse_quantity(allocatable[name])) for name in ("cpu", "memory")] if allocatable else (None, None)
        return cls(name, len(samples), fmean(cores), max(cores), fmean(memory), max(memory), *room)


class Usage:
    """Asks the kubelets from time to time, in the background, and stops for good where it may not."""

    def __init__(self, core: client.CoreV1Api, namespace: str) -> None:
        """Prepare; nobody is asked yet. The pods are those of a namespace."""
        self._core, self._namespace = core, namespace
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, list[Sample]]] = {"pods": defaultdict(list), "nodes": defaultdict(list)}
        self._allocatable: dict[str, Mapping[str, str]] = {}

    def begin(self) -> None:
        """Start to look, unless it does already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Look no more; an answer that comes later is not waited for."""
        self._over.set()

    def join(self, seconds: float) -> None:
        """Wait until it doesn't look any more, so long at most."""
        if self._thread:
            self._thread.join(seconds)

    def told(self) -> dict[str, list[Used]]:
        """Return what was seen until now, of `pods` and `nodes`, by name; nothing where nobody may be asked."""
        with self._lock:
            pods, nodes = (sorted(self._seen[kind].items()) for kind in ("pods", "nodes"))
            return {
                "pods": [Used.of(name, samples) for name, samples in pods],
                "nodes": [Used.of(name, samples, self._allocatable.get(name)) for name, samples in nodes],
            }

    def look(self) -> None:
        """Take a sample of each node, and of each pod on it; of a large cluster those where the run has pods.

        Raises:
            ApiException: The cluster refuses.
            HTTPError: It can't be reached.
        """
        there = [each for each in self._core.list_node(_request_timeout=PATIENCE).items if is_ready(each)]
        if len(there) > FEW:
            pods = self._core.list_namespaced_pod(self._namespace, _request_timeout=PATIENCE).items
            own = {pod.spec.node_name for pod in pods}
            there = [each for each in there if each.metadata.name in own]
        for node in there:
            try:
                self._take(node, summary(self._core, node.metadata.name, PATIENCE))
            except client.ApiException as error:
                if error.status in REFUSED:
                    raise
            except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError, AttributeError):
                continue  # another one may answer, and this one the next time

    def _take(self, node: client.V1Node, found: Mapping[str, Any]) -> None:
        name = node.metadata.name
        with self._lock:
            self._allocatable[name] = node.status.allocatable
            for sample in _samples(found.get("node")):
                self._seen["nodes"][name].append(sample)
            for pod in found.get("pods") or ():
                if pod["podRef"]["namespace"] == self._namespace:
                    for sample in _samples(pod):
                        self._seen["pods"][pod["podRef"]["name"]].append(sample)

    def _watch(self) -> None:
        while True:
            try:
                self.look()
            except client.ApiException as error:
                if error.status in REFUSED:
                    return
            except (urllib3.exceptions.HTTPError, ValueError):
                pass  # the next look may succeed, and a run goes on without it
            if self._over.wait(EVERY):
                return


def summary(core: client.CoreV1Api, node: str, timeout: float) -> dict[str, Any]:
    """Return what a node's kubelet tells of the node and its pods, in its own form.

    Raises:
        ApiException: The cluster refuses.
        HTTPError: It can't be reached, or took longer.
    """
    # The client's own method would write the slash of the kubelet's path as %2F.
    told: dict[str, Any] = core.api_client.call_api(
        f"/api/v1/nodes/{node}/proxy/stats/summary",
        "GET",
        auth_settings=["BearerToken"],
        response_type="object",
        _return_http_data_only=True,
        _request_timeout=timeout,
    )
    return told


def _samples(told: Any) -> Iterator[Sample]:  # noqa: ANN401 - as the kubelet has it
    """Yield what is told of a pod or a node; of one that has just begun there is nothing yet."""
    cores = (told or {}).get("cpu", {}).get("usageNanoCores")
    memory = (told or {}).get("memory", {}).get("workingSetBytes")
    if cores is not None and memory is not None:
        yield Sample(cores / _NANO, float(memory))
