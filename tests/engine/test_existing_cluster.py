"""Runs in a cluster that was there before, and is as it was afterwards."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from floe_ci import engine_probe
from junitparser import JUnitXml

from tests.engine.conftest import SMALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Done, Existing, Repository

pytestmark = pytest.mark.timeout(900)

OWN_SERVICE = Path(__file__).parents[2] / "examples" / "own-service"
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: small}
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
rules: [{apiGroups: [""], resources: [configmaps, secrets], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: limited}
subjects: [{kind: ServiceAccount, name: limited, namespace: default}]
"""
MEASURED = ("class", "line")
"""What a report of coverage has of files, and of lines with their branches."""
ITS_OWN = re.compile(r"(PersistentVolume|IPAddress) /|Pod local-path-storage/")
"""What the cluster itself makes for a run: a volume and the pod that makes its folder, and a Service's address."""


@pytest.mark.requirement("REQ-645.5")
def test_cluster_has_nothing_of_an_earlier_run(existing: Existing) -> None:
    """A cluster of Kind has no namespace of the runs that were on its part of the cache volume before."""
    of_runs = ("--selector", "app.kubernetes.io/managed-by=floe-ci", "--output", "name")
    assert existing.kubectl("get", "namespaces", *of_runs).split() == ["namespace/neighbour"]


@pytest.mark.requirement("REQ-645")
@pytest.mark.long
def test_same_tests_pass(existing_results: Path) -> None:
    """The integration tier passes with images that are there, leaves what every run leaves, and says where it was."""
    suites = JUnitXml.fromfile(str(existing_results / "junit.xml"))
    assert suites.tests >= 20
    assert suites.failures + suites.errors == 0
    names = {path.name for path in existing_results.iterdir()}
    assert names >= {"coverage.xml", "events.txt", "exit-code", "logs", "summary.md", "timings.json"}
    assert "of context kind-floe" in (existing_results / "summary.md").read_text()


@pytest.mark.requirement("REQ-645", "REQ-649", "REQ-639.7", "REQ-645.3")
def test_failed_run_can_be_kept_and_deleted(existing: Existing, repository: Repository) -> None:
    """What a run makes is its namespace's or labelled; with --keep it is left, a failed Job too, till it is deleted."""
    before = existing.inventory()
    repository.write("pyproject.toml", '[tool.floe-ci.tiers.integration]\nmanifests = ["role.yaml"]\n')
    repository.write("role.yaml", ROLE)
    done = existing.call("test", *existing.IMAGE, "--keyword", "fails", "--keep", where=repository.folder)
    assert done.code == 1, done.errors[-3000:]
    summary = (repository.folder / "results/integration/summary.md").read_text().replace("\\", "")
    namespace = re.search(r"in namespace (\S+) of", summary)
    delete = re.search(r"to delete it: kubectl (.*)", summary)
    assert namespace
    assert delete
    job = ("job/floe-test-runner", "--namespace", namespace[1])
    existing.kubectl("wait", "--for=condition=Failed", "--timeout=60s", *job)
    own = existing.inventory(f"--selector=floe.dev/run-id={namespace[1].rpartition('-')[2]}")
    made = existing.inventory() - before
    assert {each.split()[1] for each in made} >= {f"/{namespace[1]}", f"{namespace[1]}/floe-test-runner", "/small"}
    outside = {each for each in made - own if f" {namespace[1]}/" not in each and not ITS_OWN.match(each)}
    assert not outside
    subprocess.run(["kubectl", *shlex.split(delete[1])], check=True, timeout=120, capture_output=True)
    existing.wait_until_same(before)


@pytest.mark.long
def test_service_that_is_pushed(existing: Existing, repository: Repository) -> None:
    """The runner and a service of the repository's own are built, pushed, pulled by what they are, and tested."""
    require_reachable_registry()
    before = existing.inventory()
    shutil.copytree(OWN_SERVICE, repository.folder, dirs_exist_ok=True)
    # Layers that the registry has are not sent again.
    pushed = ("--push", f"{existing.registry}/small:pushed", "--image", f"{existing.NODES_REGISTRY}/small:pushed")
    done = existing.call("test", *pushed, where=repository.folder)
    assert done.code == 0, done.errors[-3000:]
    results = repository.folder / "results" / "integration"
    names = {case.name for suite in JUnitXml.fromfile(str(results / "junit.xml")) for case in suite}
    assert names == {"test_greets", "test_strangers_are_refused"}
    for name in ("small", "greeter"):
        used = rf'"{re.escape(existing.NODES_REGISTRY)}/{name}@sha256:[0-9a-f]{{64}}"'
        assert re.search(used, (results / "events.txt").read_text())
    existing.wait_until_same(before)


@pytest.mark.requirement("REQ-645")
@pytest.mark.long
def test_shards_come_to_what_one_pod_does(existing: Existing, tmp_path: Path) -> None:
    """Shards run each test once, on either schedule, cover what one pod does, and leave a suite of each."""
    before, found, covered = existing.inventory(), {}, {}
    for count, schedule in (("1", "static"), ("3", "dynamic"), ("3", "static")):
        way = f"{count} {schedule}"
        results = tmp_path / way
        chosen = ("--keyword", "part and not held", "--pytest-args=--cov-branch")
        which = (*chosen, "--shards", count, "--schedule", schedule, "--results", str(results))
        done = existing.call("test", *existing.IMAGE, *which)
        assert done.code == 0, done.errors[-3000:]
        suites = JUnitXml.fromfile(str(results / "junit.xml"))
        found[way] = sorted(case.name for suite in suites for case in suite)
        report = ET.parse(results / "coverage.xml")  # noqa: S314 - our own
        covered[way] = [dict(each.attrib) for each in report.iter() if each.tag in MEASURED]
    assert found["3 static"] == found["3 dynamic"] == found["1 static"]
    assert covered["3 static"] == covered["3 dynamic"] == covered["1 static"]
    assert any("condition-coverage" in each for each in covered["1 static"])
    assert len(found["1 static"]) == 8
    assert [suite.name for suite in suites] == [f"integration [{number}/3]" for number in (1, 2, 3)]
    assert "Slowest of 3 shards" in (results / "summary.md").read_text()
    existing.wait_until_same(before)


@pytest.mark.requirement("REQ-645")
@pytest.mark.long
def test_durations_stay_in_the_cluster(existing: Existing, repository: Repository) -> None:
    """A ConfigMap that a tier names has what a run learned of its tests, and balances the next one's shards by it."""
    for path, text in SMALL.items():
        repository.write(path, text)
    table = SMALL["pyproject.toml"].replace("manifests =", 'durations-config-map = "default/times"\nmanifests =')
    repository.write("pyproject.toml", table)
    which = (*existing.IMAGE, "--keyword", "part and not held", "--shards", "2")
    try:
        first, second = (
            existing.call("test", *which, "--results", f"results/{number}", where=repository.folder)
            for number in (1, 2)
        )
        kept = existing.kubectl("get", "configmap", "times", "--namespace", "default", "--output", "name")
    finally:
        existing.kubectl("delete", "configmap", "times", "--namespace", "default", "--ignore-not-found")
    assert [first.code, second.code] == [0, 0], first.errors[-3000:] + second.errors[-3000:]
    assert kept.strip() == "configmap/times"
    assert "no durations of earlier runs are known" in first.errors
    assert re.search(r"2 shards, balanced by the durations of [1-8] tests", second.errors)


@pytest.mark.requirement("REQ-645")
def test_pod_of_a_shard_is_deleted(existing: Existing, tmp_path: Path) -> None:
    """Of a shard whose pod is deleted the finished tests count, the others are told as not run, and it is named."""
    results = tmp_path / "results"
    argv = existing.argv("test", *existing.IMAGE, "--keyword", "held", "--shards", "2", "--results", str(results))
    with subprocess.Popen(argv, cwd=existing.repository, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        told = []
        for line in run.stderr:
            told.append(line)
            if "tests: 4 of 6" in line and "test_held[3] runs" in line:
                break
        where = re.search(r"in namespace (\S+) of", "".join(told))
        assert where, told[-20:]
        pods = existing.kubectl("get", "pods", "--namespace", where[1], "--output", "name").split()
        (pod,) = [each for each in pods if each.startswith("pod/floe-test-runner-1-")]
        existing.kubectl("delete", pod, "--namespace", where[1], "--wait=false")
        run.communicate(timeout=200)
    assert run.returncode == 3
    cases = {case.name: case for suite in JUnitXml.fromfile(str(results / "junit.xml")) for case in suite}
    outcomes = {name: "not run" if case.is_skipped else "passed" for name, case in cases.items() if "held" in name}
    assert outcomes == {f"test_held[{number}]": "not run" if number in {3, 5} else "passed" for number in range(6)}
    said = (results / "summary.md").read_text().replace("\\", "")
    assert "shard 2 of 2, 2 of its tests did not run: its pod floe-test-runner-1-" in said
    assert "was deleted while its tests ran" in said


def test_registry_that_does_not_answer(existing: Existing) -> None:
    """A registry that can't be pushed to is named, with what the network said, and nothing was made in the cluster."""
    before = existing.inventory()
    done = existing.call("test", "--push", "127.0.0.1:9/runner:test")
    assert done.code == 2
    refusal = reason(done)
    assert "push to 127.0.0.1:9/runner:test: the registry 127.0.0.1:9 does not answer" in refusal
    assert "connection refused" in refusal
    assert existing.inventory() == before


@pytest.mark.requirement("REQ-645")
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_interrupted_run(existing: Existing, tmp_path: Path, number: signal.Signals) -> None:
    """A run that is told to stop leaves results within seconds, and a cluster that is soon as it was."""
    before, results = existing.inventory(), tmp_path / "results"
    argv = existing.argv("test", *existing.IMAGE, "--keyword", "waits", "--results", str(results))
    with subprocess.Popen(argv, cwd=existing.repository, stderr=subprocess.PIPE, text=True) as run:
        wait_for_line(run, "tests …")
        sent = time.monotonic()
        run.send_signal(number)
        run.communicate(timeout=60)
    assert time.monotonic() - sent < 30
    assert run.returncode == 128 + number
    assert f"the run was interrupted by {number.name}" in (results / "summary.md").read_text()
    existing.wait_until_same(before)


@pytest.mark.requirement("REQ-645")
def test_node_that_knows_late_of_a_service(existing: Existing, tmp_path: Path) -> None:
    """Tests begin when the Services answer on their node, which may know of ready pods later than the cluster does."""
    results = tmp_path / "results"
    argv = existing.argv("test", *existing.IMAGE, "--keyword", "answers", "--results", str(results))
    proxy = ("daemonset/kube-proxy", "--namespace", "kube-system")
    existing.kubectl("patch", *proxy, "--patch", where_it_runs("true"))
    try:
        existing.kubectl("wait", "pods", *proxy[1:], "--selector", "k8s-app=kube-proxy", "--for=delete")
        with subprocess.Popen(argv, cwd=existing.repository, stderr=subprocess.PIPE, text=True) as run:
            wait_for_line(run, "tests …")
            existing.kubectl("patch", *proxy, "--patch", where_it_runs(None))
            _, said = run.communicate(timeout=200)
    finally:
        existing.kubectl("patch", *proxy, "--patch", where_it_runs(None))
        existing.kubectl("rollout", "status", *proxy)
    assert run.returncode == 0, said[-3000:]
    assert "tried again" not in (results / "summary.md").read_text()


@pytest.mark.long
def test_services_for_the_inner_loop(existing: Existing, tmp_path: Path) -> None:
    """`up` leaves the services, a run beside them touches none, and `down` removes them; each is right twice."""
    before = existing.inventory()
    up = existing.call("up", *existing.IMAGE)
    assert up.code == 0, up.errors[-3000:]
    namespace = re.search(r"in namespace (\S+) of", up.output)
    assert namespace
    assert "web-" in existing.kubectl("get", "pods", "--namespace", namespace[1])
    assert "are up already" in existing.call("up", *existing.IMAGE).output
    there = existing.inventory()
    run = existing.call("test", *existing.IMAGE, "--keyword", "answers", "--results", str(tmp_path / "results"))
    assert run.code == 0, run.errors[-3000:]
    existing.wait_until_same(there)
    down = existing.call("down")
    assert down.code == 0, down.errors[-3000:]
    assert down.output == f"deleted {namespace[1]}\n"
    assert existing.call("down").output.startswith("no services of yours are up")
    existing.wait_until_same(before)


@pytest.mark.requirement("REQ-645")
def test_object_of_somebody_else(existing: Existing, repository: Repository) -> None:
    """An object without a namespace that is there already is not taken over, changed or deleted; the run breaks."""
    existing.kubectl("apply", "--filename", "-", stdin=ROLE)
    before = existing.inventory()
    repository.write("pyproject.toml", '[tool.floe-ci.tiers.integration]\nmanifests = ["role.yaml"]\n')
    repository.write("role.yaml", ROLE)
    done = existing.call("test", *existing.IMAGE, where=repository.folder)
    assert done.code == 3
    assert (
        'clusterroles.rbac.authorization.k8s.io "small" already exists'
        in (repository.folder / "results" / "integration" / "summary.md").read_text()
    )
    existing.wait_until_same(before)
    existing.kubectl("delete", "--filename", "-", stdin=ROLE)


def test_manifest_of_another_namespace(existing: Existing, repository: Repository) -> None:
    """A manifest that names a namespace is refused before anything is made, though that namespace is there."""
    before = existing.inventory()
    repository.write("pyproject.toml", '[tool.floe-ci.tiers.integration]\nmanifests = ["reaches.yaml"]\n')
    repository.write("reaches.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: ours, namespace: neighbour}}")
    done = existing.call("test", *existing.IMAGE, where=repository.folder)
    assert done.code == 2
    assert "leave it out of ConfigMap ours (neighbour)" in reason(done)
    assert existing.inventory() == before


@pytest.fixture
def limited(existing: Existing, tmp_path: Path) -> Iterator[Path]:
    """Yield a kubeconfig of an account that may do little."""
    existing.kubectl("apply", "--filename", "-", stdin=LIMITED)
    config = json.loads(existing.kubectl("config", "view", "--raw", "--output", "json"))
    token = existing.kubectl("create", "token", "limited", "--namespace", "default").strip()
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    file = tmp_path / "limited"
    file.write_text(json.dumps(config), encoding="utf-8")
    yield file
    existing.kubectl("delete", "--filename", "-", stdin=LIMITED)


@pytest.mark.requirement("REQ-645")
def test_missing_rights(existing: Existing, limited: Path, tmp_path: Path) -> None:
    """An account is told all that it lacks at once, before anything is made; given just that, its run passes."""
    before, results = existing.inventory(), tmp_path / "results"
    options = ("test", *existing.IMAGE, "--keyword", "answers", "--results", str(results))
    refused = existing.call(*options, kubeconfig=limited)
    assert refused.code == 2
    assert existing.inventory() == before
    page = (results / "summary.md").read_text().splitlines()
    told = [rule(line) for line in page if re.match(r" {4}[a-z]", line)]
    (deployments,) = [each for each in told if each["resources"] == ["deployments"]]
    assert deployments["apiGroups"] == ["apps"]
    assert {*deployments["verbs"]} >= {"create", "patch"}
    # What the tests' own role hands out is asked for as well; what the account has is not told.
    assert any(each["resources"] == ["pods/portforward"] for each in told)
    assert not any(each["resources"] in (["configmaps"], ["secrets"]) for each in told)

    grant(existing, told)
    passed = existing.call(*options, kubeconfig=limited)
    assert passed.code == 0, passed.errors[-3000:]


def test_context_that_was_not_named(existing: Existing, tmp_path: Path) -> None:
    """A current context that is not called like Kind's is not used, though its cluster is here; named, it is."""
    before, renamed = existing.inventory(), tmp_path / "renamed"
    renamed.write_text(existing.kubeconfig.read_text().replace("kind-floe", "production"), encoding="utf-8")
    done = existing.call("test", *existing.IMAGE, kubeconfig=renamed)
    assert done.code == 2
    assert "the current one, production, is not a Kind cluster on this machine" in reason(done)
    assert existing.inventory() == before
    named = existing.call("down", "--context", "production", kubeconfig=renamed)
    assert (named.code, named.output) == (0, "no services of yours are up in context production\n")


def test_too_few_nodes(existing: Existing) -> None:
    """The end-to-end tier is refused by a cluster of one node, before anything is made."""
    before = existing.inventory()
    done = existing.call("test", "--tier", "e2e", *existing.IMAGE)
    assert done.code == 2
    assert "tier e2e wants 3 nodes that take pods; context kind-floe has 1" in reason(done)
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
    done = existing.call("test", *existing.IMAGE, kubeconfig=other)
    assert done.code == 2
    assert said in reason(done)


def reason(done: Done) -> str:
    """Return what a run that was refused says of why: it is said once, beside its verdict, and without a traceback."""
    assert "Traceback" not in done.errors + done.output
    told, _, _ = done.output.partition("\nrefused: ")
    assert told != done.output
    assert told.splitlines()[0] not in done.errors
    return told


def where_it_runs(nowhere: str | None) -> str:
    """Return the patch by which a DaemonSet runs on no node, or again on all."""
    return json.dumps({"spec": {"template": {"spec": {"nodeSelector": {"floe.dev/nowhere": nowhere}}}}})


def wait_for_line(run: subprocess.Popen[str], ending: str) -> None:
    """Wait until a run tells a line that ends like that."""
    assert run.stderr
    told = []
    for line in run.stderr:
        told.append(line)
        if line.rstrip().endswith(ending):
            return
    msg = f"it ended too early: {''.join(told)[-2000:]}"
    raise AssertionError(msg)


def require_reachable_registry() -> None:
    """Skip where the engine, which pushes, is in a container of its own."""
    engine = engine_probe.engine()
    if engine is None or urlsplit(engine.what).scheme not in {"unix", "tcp"}:
        pytest.skip("the engine is in a container, and does not reach the registry that is open on this machine")


def rule(line: str) -> dict[str, list[str]]:
    """Return a line of missing rights as a rule of a role."""
    what, _, verbs = line.strip().partition(": ")
    kind, slash, part = what.partition("/")
    plural, _, group = kind.partition(".")
    return {"apiGroups": [group], "resources": [f"{plural}{slash}{part}"], "verbs": verbs.split(", ")}


def grant(existing: Existing, rules: list[dict[str, list[str]]]) -> None:
    """Give the limited account more rights."""
    role = json.loads(existing.kubectl("get", "clusterrole", "limited", "--output", "json"))
    existing.kubectl("apply", "--filename", "-", stdin=json.dumps(role | {"rules": [*role["rules"], *rules]}))
