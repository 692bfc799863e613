"""What the engine tests share: the Dagger command, small repositories, a cluster that is there already, and runs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.dagger_cli import find
from floe_ci.local.site import free_ports

from repositories import Done, Repository, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
OPTIONS = shlex.split(os.environ.get("FLOE_CI_OPTIONS", ""))
"""For every run: which registry and node image this machine has."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests that use the existing cluster run last: it stays open, and no other should run beside it."""

    def place(item: pytest.Item) -> int:
        used = getattr(item, "fixturenames", ())
        # Between both: what first starts another cluster, and then opens this one.
        return ("existing" in used) * (1 if "integration_results" in used else 2)

    items.sort(key=place)


@pytest.fixture(scope="session")
def floe_ci() -> Callable[..., Done]:
    """Return the command line, as a process of its own in this repository or another."""

    def call(*args: str, where: Path = ROOT, timeout: float = 600) -> Done:
        return run([sys.executable, "-m", "floe_ci", *args], where, timeout)

    return call


@dataclass(frozen=True)
class Dagger:
    """The Dagger command, and the module of this repository."""

    command: str
    root: Path = ROOT
    options: tuple[str, ...] = tuple(OPTIONS)
    registry: tuple[str, ...] = tuple(OPTIONS[OPTIONS.index("--registry") :][:2] if "--registry" in OPTIONS else ())
    """The options that name this machine's registry."""

    def argv(self, *args: str, shown: str = "--progress=plain") -> list[str]:
        """Return the command line of a call."""
        return [self.command, shown, "-m", str(ROOT), "call", *args]

    def call(self, *args: str, where: Path = ROOT, timeout: float = 600) -> Done:
        """Call a function of the module from the repository `where`."""
        return run(self.argv(*args), where, timeout)

    def test(self, tier: str, where: Path, results: Path, *more: str, timeout: float = 600) -> Done:
        """Run a tier and export its results; but for errors nothing is shown, since that takes much of a processor."""
        args = ("test", "--tier", tier, *self.options, *more, "export", "--path", str(results), "--wipe")
        return run(self.argv(*args, shown="--silent"), where, timeout)

    def run(self, tier: str, where: Path, results: Path, *more: str, timeout: float = 600) -> Done:
        """Run a tier by `floe-ci`: the module's own functions, without the seconds that loading the module takes."""
        args = ("test", "--on", "dagger", "--tier", tier, *self.options, "--results", str(results), *more)
        return run([sys.executable, "-m", "floe_ci", *args], where, timeout)


@pytest.fixture(scope="session")
def dagger() -> Dagger:
    """Return the Dagger command, where it reaches an engine."""
    try:
        command = find()
        subprocess.run([command, "core", "version"], capture_output=True, timeout=120, check=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no engine
        pytest.skip(f"there is no Dagger engine: {error}")
    return Dagger(command)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a small repository, to be filled by the test."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


SMALL = {
    "pyproject.toml": """
[tool.floe-ci.runner]
install = ["pytest"]
[tool.floe-ci.tiers.integration]
manifests = ["web.yaml"]
""",
    "web.yaml": """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1 # it takes no notice of SIGTERM
      containers: [{name: web, image: "floe.local/runner:dev", command: [python, -m, http.server]}]
""",
    "tests/integration/test_web.py": """
from threading import Event
from urllib.request import urlopen

def test_answers():
    assert urlopen("http://web:8000", timeout=10).status == 200

def test_fails():
    assert 1 + 1 == 3

def test_waits():
    Event().wait()
""",
    "tests/integration/test_parts.py": """
from threading import Event

import pytest

@pytest.mark.parametrize("number", range(8))
def test_part(number):
    if number % 2:
        assert number < 8
    elif number < 100:
        assert number % 2 == 0

@pytest.mark.parametrize("number", range(6))
def test_held(number):
    if number == 3:
        Event().wait()
""",
}
"""A repository with one service and tests for those who name them; a run in a cluster takes seconds."""
NEIGHBOUR = """
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: neighbour, labels: &labels {app.kubernetes.io/managed-by: floe-ci, floe.dev/run-id: neighbour}}
  - apiVersion: v1
    kind: Secret
    metadata: {name: floe-credentials, namespace: neighbour, labels: *labels}
  - apiVersion: v1
    kind: ServiceAccount
    metadata: {name: floe-test-runner, namespace: neighbour, labels: *labels}
  - apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: neighbour, labels: *labels}
    spec: {ports: [{port: 8000}]}
  - apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata: {name: neighbour, labels: *labels}
    rules: [{apiGroups: [""], resources: [nodes], verbs: [get]}]
"""
"""What another run has in the cluster: the same names in a namespace of its own, and something outside of it."""
UNSTEADY = frozenset(
    {
        "componentstatuses",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
    }
)
"""The kinds that a cluster writes by itself all the time."""


@dataclass(frozen=True)
class Existing:
    """A Kind cluster that a test has started, open on this machine, with another run's objects in it."""

    kubeconfig: Path
    registry: str
    """The registry that its nodes pull from, as this machine reaches it."""
    repository: Path
    """The small repository whose runner image is in that registry."""

    NODES_REGISTRY = "172.18.0.1:5000"
    """The same registry as the nodes reach it."""
    IMAGE = ("--image", f"{NODES_REGISTRY}/small:dev")
    """Names the small repository's runner image."""
    IMAGES = (
        *("--image", f"{NODES_REGISTRY}/runner:dev"),
        *("--images", f"floe.local/dagster={NODES_REGISTRY}/dagster:dev"),
        *("--registry", NODES_REGISTRY),
    )
    """Names those of this repository."""

    def kubectl(self, *args: str, kubeconfig: Path | None = None, stdin: str = "") -> str:
        """Return what kubectl prints; it must succeed."""
        command = ["kubectl", "--kubeconfig", str(kubeconfig or self.kubeconfig), *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def inventory(self, *which: str) -> set[str]:
        """Return every object of every kind, with what tells whether it is another one, or was changed."""
        kinds = set(self.kubectl("api-resources", "--verbs=list", "--output", "name").split())
        steady = ",".join(sorted(kinds - UNSTEADY))
        found = json.loads(self.kubectl("get", steady, "--all-namespaces", "--output", "json", *which))
        return {describe(each) for each in found["items"]}

    def argv(self, *args: str, kubeconfig: Path | None = None) -> list[str]:
        """Return the command line that does something in this cluster."""
        command, *rest = args
        where = ("--on", "cluster", "--kubeconfig", str(kubeconfig or self.kubeconfig))
        return [sys.executable, "-m", "floe_ci", command, *where, *rest]

    def call(self, *args: str, kubeconfig: Path | None = None, where: Path | None = None, timeout: float = 700) -> Done:
        """Have `floe-ci` do something in this cluster, for the small repository if for no other."""
        return run(self.argv(*args, kubeconfig=kubeconfig), where or self.repository, timeout)

    def wait_until_same(self, before: set[str], timeout: float = 120) -> None:
        """Wait until the cluster has the objects that it had before, and no others."""
        deadline = time.monotonic() + timeout
        while (now := self.inventory()) != before:
            assert time.monotonic() < deadline, f"new: {now - before}; gone: {before - now}"


def describe(item: dict[str, Any]) -> str:
    """Return an object's kind and name, which one of that name it is, and how often it was changed."""
    metadata = item["metadata"]
    # What has a status is written by the cluster as well.
    changed = metadata.get("generation") if "status" in item else metadata["resourceVersion"]
    return f"{item['kind']} {metadata.get('namespace', '')}/{metadata['name']} {metadata['uid']} {changed}"


@pytest.fixture(scope="session")
def existing(
    dagger: Dagger, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Existing]:
    """Yield a cluster that has nothing to do with the runs in it."""
    folder = tmp_path_factory.mktemp("existing")
    small = Repository(folder / "small")
    for path, text in SMALL.items():
        small.write(path, text)
    api, registry = free_ports(2)
    kubeconfig, log = folder / "kubeconfig", folder / "cluster.log"
    program = str(Path(__file__).with_name("open_cluster.py"))
    own = any("existing_results" in getattr(item, "fixturenames", ()) for item in request.session.items)
    with_own = ("--own-tier",) if own else ()
    where = (str(kubeconfig), str(api), str(registry), str(small.folder))
    command = [sys.executable, program, *where, *with_own, *dagger.options]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output) as holder,
    ):
        try:
            wait_for_file(kubeconfig, holder, log)
            cluster = Existing(kubeconfig, f"localhost:{registry}", small.folder)
            settle(cluster)
            yield cluster
        finally:
            holder.communicate(timeout=120)  # closes its standard input


def settle(cluster: Existing) -> None:
    """Have the neighbour move in, and wait until the cluster has made all that it makes by itself."""
    cluster.kubectl("apply", "--filename", "-", stdin=NEIGHBOUR)
    wait = ("wait", "--timeout=110s")
    cluster.kubectl(*wait, "--for=condition=Available", "deployment", "--all", "--all-namespaces")
    cluster.kubectl(*wait, "--for=condition=Ready", "pod", "--all", "--all-namespaces")
    for made in ("configmap/kube-root-ca.crt", "serviceaccount/default"):
        cluster.kubectl(*wait, "--for=create", made, "--namespace", "neighbour")


@pytest.fixture(scope="session")
def integration_results(dagger: Dagger) -> Path:
    """Return the results of the integration tier in Kind inside Dagger, which stay for the trace of requirements."""
    folder = dagger.root / "results" / "integration"
    done = dagger.test("integration", dagger.root, folder)
    assert done.code == 0, done.errors[-3000:]
    return folder


@pytest.fixture(scope="session")
def existing_results(existing: Existing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of the integration tier in the existing cluster, which is afterwards as it was before."""
    before, results = existing.inventory(), tmp_path_factory.mktemp("existing-run") / "results"
    done = existing.call("test", *existing.IMAGES, "--results", str(results), where=ROOT)
    assert done.code == 0, done.errors[-3000:]
    existing.wait_until_same(before)
    return results


@pytest.fixture(scope="session")
def local_results(floe_ci: Callable[..., Done], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of the integration tier with services of this machine."""
    results = tmp_path_factory.mktemp("local-run") / "results"
    done = floe_ci("test", "--on", "local", "--results", str(results))
    assert done.code == 0, done.errors[-3000:]
    return results


def wait_for_file(path: Path, process: subprocess.Popen[bytes], log: Path, timeout: float = 500) -> None:
    """Wait until a process has written a file."""
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert process.poll() is None, f"it ended before {path}:\n{log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"no {path} after {timeout} s:\n{log.read_text()[-2000:]}"
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
