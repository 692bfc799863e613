"""Whether Services answer where the tests are, once their pods do."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from floe_ci.addons import Addons
from floe_ci.driver import reach
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from floe_ci.driver.spec import RunSpec

    from tests.unit.ci.conftest import ApiServer

HERE = "127.0.0.1"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
SERVICES = Manifests.parse(
    """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: admin, port: 81}, {name: dns, port: 53}]}
---
apiVersion: v1
kind: Service
metadata: {name: bare}
spec: {selector: {app: bare}, clusterIP: None, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {type: ExternalName, externalName: example.com}
""",
    "test",
)
ADDON = """\
apiVersion: v1
kind: Service
metadata: {name: operator, namespace: operators}
spec: {selector: {app: operator}, ports: [{port: 443}]}
"""


def of(service: str, ports: list[dict[str, object]], *pods: str, ready: bool | None = True) -> dict[str, object]:
    """Return a slice of a Service."""
    endpoints = [{"addresses": [pod], "conditions": {"ready": ready}} for pod in pods]
    return {"metadata": {"labels": {reach.SERVICE: service}}, "ports": ports, "endpoints": endpoints or None}


@pytest.fixture
def taken() -> Iterator[tuple[str, int]]:
    """Yield the address of a pod that listens."""
    with socket.create_server((HERE, 0)) as pod:
        yield pod.getsockname()


@pytest.fixture
def free() -> tuple[str, int]:
    """Return an address at which nothing listens."""
    with socket.create_server((HERE, 0)) as former:
        address: tuple[str, int] = former.getsockname()
    return address


def waiting(limit: float, *ways: tuple[str, int, list[tuple[str, int]]]) -> subprocess.Popen[str]:
    """Begin to wait as it is done where the tests are."""
    command = [sys.executable, "-c", reach.WAIT, str(limit), json.dumps(ways)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_what_is_waited_for(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """Each TCP port of a Service is asked by its name, beside ready pods, in the run's namespace and in add-ons'."""
    api.objects[SLICES.format("ns")] = {
        "items": [
            of("web", [{"name": "http", "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}], "10.0.0.1"),
            of("web", [{"name": "http", "port": 8080}], "10.0.0.2", "10.0.0.3", "10.0.0.4", ready=None),
            of("web", [{"name": "admin", "port": 9090}], "10.0.0.5", ready=False),
            of("bare", [{"port": 8080}], "10.0.0.6"),
            of("bare", [{"port": 8080}]),
            of("of-somebody-else", [{"port": 8080}], "10.0.0.7"),
        ]
    }
    api.objects[SLICES.format("operators")] = {"items": [of("operator", [{"port": 8443}], "10.0.1.1")]}
    *_, found = reach.command(api.apis, run_spec(), SERVICES, Addons.parse({"operator": ADDON}))
    assert json.loads(found) == [
        ["web", 80, [["10.0.0.1", 8080], ["10.0.0.2", 8080], ["10.0.0.3", 8080]]],
        ["bare", 8080, [["10.0.0.6", 8080]]],
        ["operator.operators", 443, [["10.0.1.1", 8443]]],
    ]


def test_no_services(api: ApiServer, run_spec: Callable[..., RunSpec]) -> None:
    """Where there are no Services, nothing is asked and nothing is run."""
    assert reach.command(api.apis, run_spec(), Manifests(()), Addons()) == ()
    assert api.asked == []


def test_service_that_answers_later(taken: tuple[str, int], free: tuple[str, int]) -> None:
    """The wait goes on while a Service refuses and its pod answers, and ends when the Service does."""
    with socket.create_server((HERE, 0)) as pod, waiting(60, (*free, [pod.getsockname()]), (*taken, [])) as running:
        # It has asked the pod, since the Service had refused.
        with closing(pod.accept()[0]):
            assert running.poll() is None
        with socket.create_server(free):
            _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (0, "")


def test_service_whose_pod_does_not_answer(free: tuple[str, int]) -> None:
    """What the pods don't answer themselves is not waited for: tests may be there to find that."""
    with waiting(60, (*free, [free])) as running:
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (0, "")


def test_service_that_never_answers(taken: tuple[str, int], free: tuple[str, int]) -> None:
    """A Service that does not answer in time, though its pod does, is told with both addresses."""
    with waiting(0.2, (*free, [free, taken])) as running:
        _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert said == (
        f"Service {HERE}:{free[1]} does not answer on the tests' node after 0.2 s; its pod does, at {HERE}:{taken[1]}\n"
    )
