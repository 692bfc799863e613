"""Samples of a cluster's metrics."""

from __future__ import annotations

from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from floe_testing.cluster.kube import NoClusterError
from floe_testing.measuring import cluster
from floe_testing.measuring.cluster import Sample, Sampler, connect
from serving import Handler, Server, serving, write_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-650")

MI = 1 << 20
METRICS = "/apis/metrics.k8s.io/v1beta1"
NODE = {"metadata": {"name": "node-1"}, "status": {"allocatable": {"cpu": "4", "memory": "8192Mi"}}}
ANSWERS: dict[str, Any] = {
    f"{METRICS}/namespaces/floe/pods": {
        "items": [
            {
                "metadata": {"name": "postgres-0"},
                "containers": [
                    {"name": "a", "usage": {"cpu": "250m", "memory": "64Mi"}},
                    {"name": "b", "usage": {"cpu": "1500000n", "memory": "1024Ki"}},
                ],
            }
        ]
    },
    f"{METRICS}/nodes": {"items": [{"metadata": {"name": "node-1"}, "usage": {"cpu": "2", "memory": "1024Mi"}}]},
    "/api/v1/nodes": {"kind": "NodeList", "apiVersion": "v1", "items": [NODE]},
}


@pytest.fixture
def answers() -> dict[str, Any]:
    """Return what the API answers, by path; a test may change it."""
    return dict(ANSWERS)


@pytest.fixture
def api(answers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve a Kubernetes API, to which the kubeconfig leads."""

    class Api(Handler):
        def do_GET(self) -> None:
            self.send_object(answers.get(self.path) or HTTPStatus.NOT_FOUND)

    with serving(Server(Api)) as server:
        config = write_kubeconfig(tmp_path / "kubeconfig", server.url)
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield


@pytest.fixture
def sampler(api: None) -> Iterator[Sampler]:
    """Return a sampler of that API."""
    del api
    with ExitStack() as stack:
        yield connect(stack, "floe")


def test_pods(sampler: Sampler) -> None:
    """A pod needs what its containers need together."""
    sampler.sample()
    (pod,) = sampler.consumers("pods")
    assert (pod.name, pod.samples, pod.cpu_cores_max) == ("postgres-0", 1, 0.2515)
    assert pod.memory_bytes_max == 65 * MI
    assert pod.cpu_cores_allocatable is None


@pytest.mark.requirement("REQ-650.3")
def test_nodes(sampler: Sampler) -> None:
    """A node stands beside what it has to give."""
    sampler.sample()
    (node,) = sampler.consumers("nodes")
    assert (node.name, node.cpu_cores_max, node.cpu_cores_allocatable) == ("node-1", 2.0, 4.0)
    assert (node.memory_bytes_max, node.memory_bytes_allocatable) == (1024 * MI, 8192 * MI)


def test_no_metrics(sampler: Sampler, answers: dict[str, Any]) -> None:
    """A cluster without metrics gives none, and the reason."""
    answers.clear()
    sampler.sample()
    assert sampler.consumers("pods") == sampler.consumers("nodes") == ()
    assert sampler.problems == {"pods": "404 Not Found", "nodes": "404 Not Found"}


def test_nodes_that_may_not_be_seen(sampler: Sampler, answers: dict[str, Any]) -> None:
    """Where nodes can't be seen, pods still are."""
    del answers[f"{METRICS}/nodes"]
    sampler.sample()
    assert set(sampler.problems) == {"nodes"}
    assert len(sampler.consumers("pods")) == 1


def test_no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no cluster, that is said."""
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with ExitStack() as stack, pytest.raises(NoClusterError):
        connect(stack, "floe")


def sequence(*samples: Sample) -> Callable[[], list[Sample]]:
    """Return a source that gives these one after the other."""
    rest = iter(samples)
    return lambda: [next(rest)]


def test_mean_and_most() -> None:
    """Over its samples, a pod has a mean and a highest figure of each kind."""
    sampler = Sampler({"pods": sequence(Sample("a", 1.0, 10), Sample("a", 3.0, 50))})
    sampler.sample(now=True)
    sampler.sample(now=True)
    (pod,) = sampler.consumers("pods")
    assert (pod.samples, pod.cpu_cores_mean, pod.cpu_cores_max) == (2, 2.0, 3.0)
    assert (pod.memory_bytes_mean, pod.memory_bytes_max) == (30, 50)


def test_samples_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tests end, the cluster is asked every fifteen seconds."""
    clock = [100.0]
    monkeypatch.setattr(cluster.clock, "perf_counter", lambda: clock[0])
    sampler = Sampler({"pods": sequence(*[Sample("a", 1.0, 1.0)] * 9)})
    for clock[0] in (100.0, 101.0, 114.9, 115.1, 120.0):
        sampler.sample()
    assert sampler.consumers("pods")[0].samples == 2


def test_a_source_that_fails_is_left_alone() -> None:
    """A source that failed once is not asked again, so that no test waits for it."""
    asked = []

    def fail() -> list[Sample]:
        asked.append(1)
        raise TimeoutError("slow")  # noqa: EM101 - as a client would

    sampler = Sampler({"pods": fail})
    sampler.sample(now=True)
    sampler.sample(now=True)
    assert len(asked) == 1
    assert sampler.problems == {"pods": "TimeoutError: slow"}
