"""What pods and nodes need, where the cluster serves metrics.k8s.io."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from floe_testing.extras import extra
from floe_testing.measuring.models import Consumer
from floe_testing.unpatched import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import ExitStack

INTERVAL: Final = 15.0
"""Seconds between two samples: a metrics server itself looks no more often."""
_PATIENCE: Final = 2.0
"""Seconds that a request may take, as tests wait for it."""


class Sample(NamedTuple):
    """What one pod or node needs at a moment."""

    name: str
    cores: float
    memory: float
    cores_allocatable: float | None = None
    memory_allocatable: float | None = None


class Sampler:
    """Asks the cluster from time to time, and stops for good where it can't answer."""

    def __init__(self, sources: dict[str, Callable[[], Iterable[Sample]]]) -> None:
        """Take what gives samples.

        Args:
            sources: By kind, `pods` and `nodes`.
        """
        self._sources = sources
        self._samples: dict[str, dict[str, list[Sample]]] = {kind: defaultdict(list) for kind in sources}
        self._due = 0.0
        self.problems: dict[str, str] = {}
        """By kind, why there are no more samples."""

    def sample(self, *, now: bool = False) -> None:
        """Take a sample if one is due, or now."""
        if not now and clock.perf_counter() < self._due:
            return
        for kind, source in self._sources.items():
            if kind not in self.problems:
                try:
                    for sample in source():
                        self._samples[kind][sample.name].append(sample)
                except Exception as error:  # noqa: BLE001 - whatever it is, no test fails for want of metrics
                    self.problems[kind] = _shown(error)
        self._due = clock.perf_counter() + INTERVAL

    def consumers(self, kind: str) -> tuple[Consumer, ...]:
        """Return what was seen of each pod or node, by name."""
        return tuple(_consumer(name, samples) for name, samples in sorted(self._samples.get(kind, {}).items()))


def connect(stack: ExitStack, namespace: str) -> Sampler:
    """Return what asks the cluster for the pods of a namespace, and for its nodes.

    Args:
        stack: Closes the connection.
        namespace: The run's.

    Raises:
        NoClusterError: There is no cluster to ask.
    """
    with extra("kubernetes"):
        from kubernetes import client  # noqa: PLC0415 - an extra

        from floe_testing.cluster import kube  # noqa: PLC0415 - as above

    core = stack.enter_context(kube.connect())
    metrics = client.CustomObjectsApi(core.api_client)

    @cache
    def allocatable() -> dict[str, dict[str, str]]:
        found = core.list_node(_request_timeout=_PATIENCE).items
        return {node.metadata.name: node.status.allocatable for node in found}

    where = {"group": "metrics.k8s.io", "version": "v1beta1", "_request_timeout": _PATIENCE}
    return Sampler(
        {
            "pods": lambda: _pods(metrics.list_namespaced_custom_object(namespace=namespace, plural="pods", **where)),
            "nodes": lambda: _nodes(metrics.list_cluster_custom_object(plural="nodes", **where), allocatable()),
        }
    )


def _pods(found: Mapping[str, Any]) -> Iterable[Sample]:
    for pod in found["items"]:
        parts = [_quantities(container["usage"]) for container in pod["containers"]]
        yield Sample(pod["metadata"]["name"], sum(cores for cores, _ in parts), sum(memory for _, memory in parts))


def _nodes(found: Mapping[str, Any], allocatable: Mapping[str, Mapping[str, str]]) -> Iterable[Sample]:
    for node in found["items"]:
        name = node["metadata"]["name"]
        yield Sample(name, *_quantities(node["usage"]), *_quantities(allocatable[name]))


def _quantities(resources: Mapping[str, str]) -> tuple[float, float]:
    from kubernetes.utils.quantity import parse_quantity  # noqa: PLC0415 - as above

    return float(parse_quantity(resources["cpu"])), float(parse_quantity(resources["memory"]))


def _consumer(name: str, samples: list[Sample]) -> Consumer:
    return Consumer(
        name=name,
        samples=len(samples),
        cpu_cores_mean=fmean(sample.cores for sample in samples),
        cpu_cores_max=max(sample.cores for sample in samples),
        memory_bytes_mean=fmean(sample.memory for sample in samples),
        memory_bytes_max=max(sample.memory for sample in samples),
        cpu_cores_allocatable=samples[-1].cores_allocatable,
        memory_bytes_allocatable=samples[-1].memory_allocatable,
    )


def _shown(error: Exception) -> str:
    status, reason = getattr(error, "status", None), getattr(error, "reason", None)
    return f"{status} {reason}" if status else f"{type(error).__name__}: {error}"
