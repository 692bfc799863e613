"""Runs in a cluster that was there before, and is as it was afterwards."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from floe_ci import engine_probe
from junitparser import JUnitXml

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Existing, Repository

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.environ.get("FLOE_LONG_TESTS"), reason="takes over ten minutes: set FLOE_LONG_TESTS=1"),
]

ONE = ("--keyword", "transaction")
"""Selects few tests, where the run is about something else."""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: of-somebody-else}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get]}]
"""
LIMITED = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: limited, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: limited}
rules:
  - {apiGroups: [""], resources: [namespaces], verbs: [create, list]}
  - {apiGroups: [""], resources: [configmaps, pods, secrets, serviceaccounts, services], verbs: ["*"]}
  - {apiGroups: [""], resources: [endpoints, events], verbs: [get, list, watch]}
  - {apiGroups: [apps, batch, discovery.k8s.io], resources: ["*"], verbs: ["*"]}
  - {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: limited}
subjects: [{kind: ServiceAccount, name: limited, namespace: default}]
"""


@pytest.mark.requirement("REQ-645")
def test_same_tests_pass_and_nothing_is_left(existing: Existing, tmp_path: Path) -> None:
    """The integration tier passes with images that are there, and the cluster has the same objects as before."""
    before, results = existing.inventory(), tmp_path / "results"
    done = existing.call("test", *existing.IMAGES, "--results", str(results))
    assert done.code == 0, done.errors[-3000:]
    suites = JUnitXml.fromfile(str(results / "junit.xml"))
    assert suites.tests >= 20
    assert suites.failures + suites.errors == 0
    assert {"coverage.xml", "events.txt", "exit-code", "logs", "summary.md", "timings.json"} <= names(results)
    assert "of context kind-floe" in (results / "summary.md").read_text()
    wait_until_same(existing, before)


@pytest.mark.requirement("REQ-645")
def test_run_leaves_its_namespace_alone(existing: Existing, tmp_path: Path) -> None:
    """Every object that a run makes is in its own namespace, or carries its label."""
    before = set(existing.inventory())
    argv = existing.argv("test", *existing.IMAGES, *ONE, "--results", str(tmp_path / "results"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        namespace = own_namespace(run)
        during = set(existing.inventory())
        run.communicate(timeout=400)
    made = {line for line in during - before if f" {namespace}/" not in line and f"/{namespace} " not in line}
    # What the cluster itself makes for a claim: the volume, and the pod that makes its folder.
    assert not {line for line in made if not re.match(r"PersistentVolume |Pod local-path-storage/", line)}
    assert run.returncode == 0


def test_image_that_is_pushed(existing: Existing, tmp_path: Path) -> None:
    """The runner and the services' own images are built, pushed to a registry, and pulled from it by what they are."""
    engine = engine_probe.engine()
    if engine is None or urlsplit(engine.what).scheme not in {"unix", "tcp"}:
        pytest.skip("the engine is in a container, and does not reach the registry that is open on this machine")
    results = tmp_path / "results"
    images = ("--push", f"{existing.registry}/pushed/runner:test", "--image", "172.18.0.1:5000/pushed/runner:test")
    done = existing.call("test", *images, *ONE, "--results", str(results))
    assert done.code == 0, done.errors[-3000:]
    events = (results / "events.txt").read_text()
    assert re.search(r'"172\.18\.0\.1:5000/pushed/runner@sha256:[0-9a-f]{64}"', events)
    assert re.search(r'"172\.18\.0\.1:5000/pushed/dagster@sha256:[0-9a-f]{64}"', events)


@pytest.mark.requirement("REQ-645")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run(existing: Existing, tmp_path: Path, number: signal.Signals) -> None:
    """A run that is told to stop leaves results within seconds, and a cluster that is soon as it was."""
    before, results = existing.inventory(), tmp_path / "results"
    argv = existing.argv("test", *existing.IMAGES, *ONE, "--results", str(results))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        own_namespace(run)
        sent = time.monotonic()
        run.send_signal(number)
        run.communicate(timeout=60)
    assert time.monotonic() - sent < 10  # floe: ignore[FT402] how long the interrupt may take is what is tested
    assert run.returncode == 2
    assert f"the run was interrupted by {number.name}" in (results / "summary.md").read_text()
    wait_until_same(existing, before)


@pytest.mark.requirement("REQ-649")
def test_failed_run_can_be_kept_and_deleted(existing: Existing, tmp_path: Path) -> None:
    """With --keep a run that failed is left, and its summary has the command that deletes it to the last object."""
    before, results = existing.inventory(), tmp_path / "results"
    options = ("--keep", "--timeout", "1", "--results", str(results))
    done = existing.call("test", *existing.IMAGES, *options)
    assert done.code == 124, done.errors[-3000:]
    summary = (results / "summary.md").read_text().replace("\\", "")
    namespace = re.search(r"in namespace (\S+) of", summary)
    delete = re.search(r"to delete it: kubectl (.*)", summary)
    assert namespace
    assert delete
    assert "floe-test-runner" in existing.kubectl("get", "pods", "--namespace", namespace[1])
    subprocess.run(["kubectl", *delete[1].split()], check=True, timeout=120, capture_output=True)
    wait_until_same(existing, before)


def test_services_for_the_inner_loop(existing: Existing) -> None:
    """`up` leaves the services, says so when it is called again, and `down` removes them; twice is no error."""
    before = existing.inventory()
    up = existing.call("up", *existing.IMAGES)
    assert up.code == 0, up.errors[-3000:]
    namespace = re.search(r"in namespace (\S+) of", up.output)
    assert namespace
    assert "postgres-0" in existing.kubectl("get", "pods", "--namespace", namespace[1])
    assert "are up already" in existing.call("up", *existing.IMAGES).output
    down = existing.call("down")
    assert down.code == 0, down.errors[-3000:]
    assert down.output == f"deleted {namespace[1]}\n"
    assert existing.call("down").output.startswith("no services of yours are up")
    wait_until_same(existing, before)


@pytest.mark.requirement("REQ-645")
def test_object_of_somebody_else(existing: Existing, repository: Repository) -> None:
    """An object without a namespace that is there already is not taken over, changed or deleted; the run breaks."""
    existing.kubectl("apply", "--filename", "-", stdin=ROLE)
    before = existing.kubectl("get", "clusterrole", "of-somebody-else", "--output", "yaml")
    inventory = existing.inventory()
    repository.write("pyproject.toml", '[tool.floe-ci.tiers.integration]\nmanifests = ["role.yaml"]\n')
    repository.write("role.yaml", ROLE)
    done = existing.call("test", *existing.IMAGES, where=repository.folder)
    assert done.code == 2
    assert (
        'clusterroles.rbac.authorization.k8s.io "of-somebody-else" already exists'
        in (repository.folder / "results" / "integration" / "summary.md").read_text()
    )
    assert existing.kubectl("get", "clusterrole", "of-somebody-else", "--output", "yaml") == before
    assert existing.inventory() == inventory


@pytest.mark.requirement("REQ-645")
def test_missing_rights(existing: Existing, tmp_path: Path) -> None:
    """An account that may not do everything is told all that it lacks at once, and nothing was made."""
    existing.kubectl("apply", "--filename", "-", stdin=LIMITED)
    before = existing.inventory()
    limited = tmp_path / "limited"
    limited.write_text(kubeconfig_of_limited(existing), encoding="utf-8")
    done = existing.call("test", *existing.IMAGES, "--results", str(tmp_path / "results"), kubeconfig=limited)
    assert done.code == 2
    told = {line.strip() for line in done.errors.splitlines()}
    # What the tests' own role hands out is asked for as well; what the account has is not told.
    assert {"namespaces: delete", "nodes: list", "pods/exec: create"} <= told
    assert any(line.startswith("pods/log: ") for line in told)
    assert not any(line.startswith(("configmaps: ", "secrets: ", "deployments.apps: ")) for line in told)
    assert existing.inventory() == before
    assert not (tmp_path / "results").exists()


def test_context_that_was_not_named(existing: Existing, tmp_path: Path) -> None:
    """A current context that is not called like Kind's is not used, though its cluster is here; named, it is."""
    renamed = tmp_path / "renamed"
    renamed.write_text(existing.kubeconfig.read_text().replace("kind-floe", "production"), encoding="utf-8")
    done = existing.call("test", *existing.IMAGES, kubeconfig=renamed)
    assert done.code == 2
    assert "the current one, production, is not a Kind cluster on this machine" in done.errors
    named = existing.call("down", "--context", "production", kubeconfig=renamed)
    assert (named.code, named.output) == (0, "no services of yours are up in context production\n")


def test_too_few_nodes(existing: Existing) -> None:
    """The end-to-end tier is refused by a cluster of one node, before anything is made."""
    before = existing.inventory()
    done = existing.call("test", "--tier", "e2e", *existing.IMAGES)
    assert done.code == 2
    assert "tier e2e wants 3 nodes that take pods; context kind-floe has 1" in done.errors
    assert existing.inventory() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((r"localhost:\d+", "localhost:9"), "does not answer"),
        (
            ("certificate-authority-data:", "tls-server-name: nowhere\n    certificate-authority-data:"),
            "can't be talked to",
        ),
        (("client-certificate-data:", "token: wrong\n    old-data:"), "refuses these credentials: 401"),
    ],
    ids=["nobody", "another certificate", "no credentials"],
)
def test_cluster_that_can_not_be_used(existing: Existing, tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """A cluster that doesn't answer, isn't the one that was meant, or doesn't know the caller, is told in one line."""
    other = tmp_path / "other"
    other.write_text(re.sub(*change, existing.kubeconfig.read_text()), encoding="utf-8")
    done = existing.call("test", *existing.IMAGES, kubeconfig=other)
    assert done.code == 2
    (line,) = [line for line in done.errors.splitlines() if line.startswith("floe-ci: ")]
    assert said in line
    assert "Traceback" not in done.errors


def names(folder: Path) -> set[str]:
    """Return the names of what is in a folder."""
    return {path.name for path in folder.iterdir()}


def own_namespace(run: subprocess.Popen[str]) -> str:
    """Return a run's namespace, once it waits for its services."""
    namespace = None
    assert run.stderr
    told = []
    for line in run.stderr:
        told.append(line)
        if found := re.match(r"in namespace (\S+) of", line):
            namespace = found[1]
        if "services ready …" in line and namespace:
            return namespace
    msg = f"it ended too early: {''.join(told)[-2000:]}"
    raise AssertionError(msg)


def wait_until_same(existing: Existing, before: list[str], timeout: float = 120) -> None:
    """Wait until the cluster has the objects that it had before, and no others."""
    deadline = time.monotonic() + timeout
    while (now := existing.inventory()) != before:
        assert time.monotonic() < deadline, f"still there: {set(now) - set(before)}; gone: {set(before) - set(now)}"


def kubeconfig_of_limited(existing: Existing) -> str:
    """Return a kubeconfig of the account that may not do everything."""
    config = json.loads(existing.kubectl("config", "view", "--raw", "--output", "json"))
    token = existing.kubectl("create", "token", "limited", "--namespace", "default").strip()
    assert base64.urlsafe_b64decode(token.partition(".")[0] + "==")
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    return json.dumps(config)
