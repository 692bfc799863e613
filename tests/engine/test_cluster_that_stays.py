"""A cluster that stays: seconds from a change to its verdict, and the verdict that a fresh cluster would give."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.engine.conftest import OPTIONS, ROOT, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.conftest import Dagger

pytestmark = [pytest.mark.engine, pytest.mark.requirement("REQ-648"), pytest.mark.timeout(1200)]

PYPROJECT = """
[project]
name = "shop"
version = "1"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel]
packages = ["src/shop"]
[tool.floe-ci.runner]
install = [".", "pytest", "psycopg[binary]"]
[tool.floe-ci.tiers.integration]
services = ["postgres"]
"""
OWN_SERVICE = ROOT / "examples" / "own-service"
ADDRESS = 'GREETER_URL = "http://${GREETER_HOST}:${GREETER_PORT}"'
WITH_OWN_SERVICE = f"""{PYPROJECT.replace('["postgres"]', '["postgres", "greeter"]')}
environment = {{ {ADDRESS} }}
[tool.floe-ci]
service-folders = ["services"]
"""
TESTS = """
import os
from pathlib import Path

import psycopg
import pytest
import shop


def test_price():
    assert shop.PRICE == {price}


def test_database():
    parts = {{name: name.upper() for name in ("host", "port", "user", "password")}} | {{"dbname": "DATABASE"}}
    with psycopg.connect(**{{name: os.environ[f"FLOE_POSTGRES_{{end}}"] for name, end in parts.items()}}) as database:
        assert database.execute("select 1").fetchone() == (1,)


def test_nothing_can_be_written():
    with pytest.raises(OSError, match="Read-only"):
        Path(__file__).with_name("new").write_text("")
"""


class Shop(Repository):
    """A repository with a package and a database."""

    def __init__(self, folder: Path) -> None:
        """Fill it."""
        super().__init__(folder)
        self.write("pyproject.toml", PYPROJECT)
        self.write("src/shop/__init__.py", "PRICE = 1\n")
        self.write("tests/integration/test_shop.py", TESTS.format(price=1))

    def floe_ci(self, *args: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `floe-ci` in it."""
        command = [sys.executable, "-m", "floe_ci", *args]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False)

    def test(self, *args: str, results: str = "results/integration") -> subprocess.CompletedProcess[str]:
        """Run its integration tier in the engine."""
        return self.floe_ci("test", "--on", "dagger", *OPTIONS, "--results", results, *args)

    def cases(self, results: str = "results/integration") -> dict[str, str]:
        """Return how each of its tests ended."""
        root = ET.parse(self.folder / results / "junit.xml").getroot()  # noqa: S314 - our own
        outcomes = {}
        for case in root.iter("testcase"):
            ends = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
            outcomes[f"{case.get('classname')}::{case.get('name')}"] = (*ends, "passed")[0]
        return outcomes

    def steps(self, results: str = "results/integration") -> dict[str, float]:
        """Return how long each step of its last run took."""
        timings = json.loads((self.folder / results / "timings.json").read_text(encoding="utf-8"))
        return {step["name"]: step["seconds"] for step in timings["steps"]}


@pytest.mark.long
def test_failed_run_that_is_kept(tmp_path: Path, dagger: Dagger) -> None:  # noqa: ARG001 - there is an engine
    """With `--keep`, a failed run's cluster is entered and deleted with the two commands that are printed."""
    there = Shop(tmp_path / "kept")
    there.write("tests/integration/test_shop.py", TESTS.format(price=7))
    try:
        failed = there.test("--keep")
        assert failed.returncode == 1, failed.stderr
        assert "`floe-ci shell`" in failed.stderr
        assert "`floe-ci down --on dagger`" in failed.stderr
        pods = there.floe_ci("shell", "--", "kubectl", "get", "pods", "--output=name")
        assert "pod/floe-test-runner" in pods.stdout, pods.stderr
    finally:
        ended = there.floe_ci("down", "--on", "dagger")
    assert ended.returncode == 0, ended.stderr
    gone = there.floe_ci("shell")
    assert gone.returncode == 2
    assert "no cluster is up" in gone.stderr


def test_named_cluster_that_is_not_there(dagger: Dagger, tmp_path: Path) -> None:
    """`dagger call test --cluster` refuses a name under which nothing was left, and makes nothing."""
    refused = dagger.test("integration", ROOT, tmp_path / "results", "--cluster", "no-such-cluster")
    assert refused.code != 0
    assert "there is no cluster 'no-such-cluster'" in refused.message


@pytest.mark.long
def test_named_cluster(dagger: Dagger, tmp_path: Path) -> None:
    """`dagger call test --cluster` runs in the cluster that `cluster --name` has left, and leaves it again."""
    shop = Shop(tmp_path / "shop")
    call = ("cluster", "--name", "stays", *dagger.options, "kubeconfig", "contents")
    made = dagger.call(*call, where=shop.folder, timeout=900)
    assert made.code == 0, made.errors
    try:
        done = dagger.test("integration", shop.folder, tmp_path / "results", "--cluster", "stays", timeout=900)
        assert done.code == 0, done.errors
        assert (tmp_path / "results" / "exit-code").read_text(encoding="utf-8").strip() == "0"
    finally:
        gone = dagger.call("delete-cluster", "--name", "stays", *dagger.registry)
    assert gone.code == 0, gone.errors


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, dagger: Dagger) -> Iterator[Shop]:  # noqa: ARG001 - there is an engine
    """Return a repository whose cluster is up, with a service that the repository brings."""
    there = Shop(tmp_path_factory.mktemp("work") / "shop")
    there.write("pyproject.toml", WITH_OWN_SERVICE)
    shutil.copytree(OWN_SERVICE / "services", there.folder / "services")
    shutil.copy(OWN_SERVICE / "tests" / "integration" / "test_greeter.py", there.folder / "tests" / "integration")
    up = there.floe_ci("up", "--on", "dagger", *OPTIONS, timeout=900)
    assert up.returncode == 0, up.stderr
    assert "`floe-ci test` runs in it" in up.stdout
    yield there
    down = there.floe_ci("down", "--on", "dagger")
    assert down.returncode == 0, down.stderr
    assert "is deleted" in down.stdout
    assert "nothing is up" in there.floe_ci("status").stdout


@pytest.fixture
def restored(shop: Shop) -> Iterator[Shop]:
    """Return it, and put its files back afterwards."""
    yield shop
    shop.write("src/shop/__init__.py", "PRICE = 1\n")
    shop.write("tests/integration/test_shop.py", TESTS.format(price=1))
    (shop.folder / "tests/integration/test_new.py").unlink(missing_ok=True)


def test_changed_test(restored: Shop) -> None:
    """A test that was changed is the one that runs, at once: nothing is created, built or loaded for it."""
    restored.write("tests/integration/test_new.py", "def test_new():\n    assert 1 + 1 == 3\n")
    failed = restored.test()
    assert failed.returncode == 1, failed.stderr
    assert restored.cases() == {
        "tests.integration.test_greeter::test_greets": "passed",
        "tests.integration.test_greeter::test_strangers_are_refused": "passed",
        "tests.integration.test_new::test_new": "failure",
        "tests.integration.test_shop::test_price": "passed",
        "tests.integration.test_shop::test_database": "passed",
        "tests.integration.test_shop::test_nothing_can_be_written": "passed",
    }
    restored.write("tests/integration/test_new.py", "def test_new():\n    assert 1 + 1 == 2\n")
    passed = restored.test()
    assert passed.returncode == 0, passed.stderr
    assert "in cluster shop-" in passed.stderr
    assert set(restored.steps()) <= {"configure", "services ready", "tests", "collect"}
    assert set(restored.cases().values()) == {"passed"}


def test_changed_source(restored: Shop) -> None:
    """A package that was changed is the one that is tested: a pass that is out of date can't be."""
    restored.write("src/shop/__init__.py", "PRICE = 2\n")
    failed = restored.test("-k", "price")
    assert failed.returncode == 1, failed.stderr
    assert "build runner" in restored.steps()
    restored.write("tests/integration/test_shop.py", TESTS.format(price=2))
    passed = restored.test("-k", "price")
    assert passed.returncode == 0, passed.stderr
    assert "build runner" not in restored.steps()


def test_shards(restored: Shop) -> None:
    """Split among pods, each test runs once, against the services that are there, and the results are one."""
    assert restored.test().returncode == 0
    whole = restored.cases()
    split = restored.test("--shards", "2")
    assert split.returncode == 0, split.stderr
    assert restored.cases() == whole
    assert set(restored.steps()) <= {"configure", "services ready", "tests", "combine coverage", "collect"}
    root = ET.parse(restored.folder / "results/integration/junit.xml").getroot()  # noqa: S314 - our own
    assert [suite.get("name") for suite in root] == ["integration [1/2]", "integration [2/2]"]


@pytest.mark.long
def test_same_as_fresh(restored: Shop) -> None:
    """A fresh cluster comes to the same verdict, test by test."""
    restored.write("tests/integration/test_new.py", "def test_new():\n    assert False\n")
    assert restored.test().returncode == 1
    fresh = restored.test("--fresh", results="results/fresh")
    assert fresh.returncode == 1, fresh.stderr
    assert "create cluster" in restored.steps("results/fresh")
    assert restored.cases() == restored.cases("results/fresh")


@pytest.mark.requirement("REQ-645.5")
def test_two_at_once(shop: Shop) -> None:
    """Two runs at once in the same cluster have each their own tests and results."""
    names = ("price", "database")
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda name: shop.test("-k", name, results=f"results/{name}"), names))
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
    for name in names:
        assert set(shop.cases(f"results/{name}")) == {f"tests.integration.test_shop::test_{name}"}


def left_in(shop: Shop) -> list[str]:
    """Return what is in the cluster once a run's Job is gone, and the next run's waits."""
    script = """
        timeout 60 sh -c 'until [ "$(kubectl get jobs --output=name | wc -l)" = 1 ]; do :; done' &&
        kubectl get jobs,configmaps,secrets --output=name
    """
    return shop.floe_ci("shell", "--", "sh", "-c", textwrap.dedent(script)).stdout.split()


def test_nothing_is_left_of_a_run(shop: Shop) -> None:
    """What a run brings into the cluster goes with it: only the services stay, and the pod of the next run."""
    before = left_in(shop)
    assert shop.test("-k", "price").returncode == 0
    after = left_in(shop)
    runners = [[name for name in names if "runner" in name or "reporter" in name] for names in (before, after)]
    assert [len(names) for names in runners] == [2, 2]
    assert set(runners[0]).isdisjoint(runners[1])
    assert set(before) - set(runners[0]) == set(after) - set(runners[1])
    assert "secret/floe-credentials" in after


@pytest.mark.long
def test_pod_that_waits_in_vain(shop: Shop) -> None:
    """Where the pod that waited for the next run is gone, the run makes another, and says so."""
    assert len(left_in(shop))
    gone = shop.floe_ci("shell", "--", "kubectl", "delete", "pods", "--selector=job-name", "--now")
    assert "floe-test-runner" in gone.stdout, gone.stderr
    done = shop.test("-k", "price")
    assert done.returncode == 0, done.stderr
    assert "tried again: the pod that waited for tests is gone" in done.stderr


def test_interrupted_run(restored: Shop) -> None:
    """A run that is told to end leaves what there is within seconds, and the cluster as it was."""
    hanging = "import threading\ndef test_a(): ...\ndef test_b():\n    threading.Event().wait(300)\n"
    restored.write("tests/integration/test_new.py", hanging)
    command = [sys.executable, "-m", "floe_ci", "test", "--on", "dagger", *OPTIONS, "-k", "test_new"]
    with subprocess.Popen(command, cwd=restored.folder, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        for line in running.stderr:
            if "1 of 2" in line:
                break
        running.terminate()
        told = time.monotonic()
        running.communicate(timeout=120)
    assert running.returncode == 143
    assert time.monotonic() - told < 30
    assert restored.cases()["tests.integration.test_new::test_a"] == "passed"
    assert len([name for name in left_in(restored) if name.startswith("job")]) == 1


def test_status(shop: Shop) -> None:
    """What is up is listed with its repository, its age and its size."""
    (there,) = json.loads(shop.floe_ci("status", "--json").stdout)
    assert (there["source"], there["tier"]) == (str(shop.folder), "integration")
    assert 100e6 < there["memory_bytes"] < 10e9
    assert there["ends"] > there["since"]


def test_services_that_change(restored: Shop) -> None:
    """A manifest that was changed is deployed before the tests run, over what somebody has changed by hand."""
    changed = WITH_OWN_SERVICE.replace(
        f"environment = {{ {ADDRESS}", f'manifests = ["settings.yaml"]\nenvironment = {{ COLOUR = "red", {ADDRESS}'
    )
    restored.write("pyproject.toml", changed)
    restored.write("settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n")
    restored.write(
        "tests/integration/test_new.py", "import os\ndef test_colour():\n    assert os.environ['COLOUR'] == 'red'\n"
    )
    done = restored.test("-k", "colour")
    assert done.returncode == 0, done.stderr
    kubectl = ("shell", "--", "kubectl")
    by_hand = restored.floe_ci(*kubectl, "patch", "configmap", "settings", '--patch={"data": {"a": "by hand"}}')
    assert by_hand.returncode == 0, by_hand.stderr
    restored.write("settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: c}\n")
    done = restored.test("-k", "colour")
    restored.write("pyproject.toml", WITH_OWN_SERVICE)
    assert done.returncode == 0, done.stderr
    found = restored.floe_ci(*kubectl, "get", "configmap", "settings", "--output=jsonpath={.data.a}")
    assert found.stdout.strip() == "c", found.stderr
