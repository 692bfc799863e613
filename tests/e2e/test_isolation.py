"""Tests have namespaces of their own, which are gone after, or found again by their labels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kubernetes.client import CoreV1Api, V1ConfigMap, V1ObjectMeta

from floe_testing import PollingConfig, wait_for_condition
from floe_testing.cluster import namespaces
from floe_testing.cluster.namespaces import NamespaceStuckError
from floe_testing.contract import ENV_RUN_ID
from floe_testing.isolation.naming import generate_unique_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-645")

FINALIZER = "floe.dev/test"
SUITE = """
import os, signal
from pathlib import Path
import pytest

@pytest.mark.parametrize("turn", [1, 2, 3, 4])
def test_fills_it(namespace, kube, turn):
    labels = kube.read_namespace(namespace).metadata.labels
    kube.create_namespaced_config_map(namespace, {"metadata": {"name": "mine"}})
    Path(f"seen{turn}").write_text(f"{namespace} {labels['floe.dev/run-id']}")

def test_dies(namespace, postgres, minio_bucket, kube):
    kube.create_namespaced_config_map(namespace, {"metadata": {"name": "left"}})
    Path("left").write_text(f"{namespace} {postgres.info.dbname} {minio_bucket}")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def session(folder: Path, run_id: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests above in a process of their own, as a run of that id."""
    (folder / "test_suite.py").write_text(SUITE)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments],
        env=os.environ | {ENV_RUN_ID: run_id, "PYTEST_ADDOPTS": ""},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def names(kube: CoreV1Api) -> set[str]:
    """Return the names of all namespaces."""
    return {each.metadata.name for each in kube.list_namespace().items}


@pytest.mark.requirement("REQ-645.3")
@pytest.mark.journey("isolation")
def test_each_test_has_a_namespace(kube: CoreV1Api, tmp_path: Path) -> None:
    """Each test has a new namespace with its run's label, in parallel too, and none is left when the session ends."""
    done = session(tmp_path, "parallel1", "-n", "2", "-k", "fills")
    assert done.returncode == 0, done.stdout + done.stderr
    seen = [(tmp_path / f"seen{turn}").read_text().split() for turn in (1, 2, 3, 4)]
    assert len({namespace for namespace, _ in seen}) == 4
    assert {run for _, run in seen} == {"parallel1"}
    assert not {namespace for namespace, _ in seen} & names(kube)


@pytest.fixture
def stuck(kube: CoreV1Api, run_id: str) -> Iterator[str]:
    """Yield a namespace that can't go while one of its ConfigMaps has a finalizer; free it after."""
    name = generate_unique_namespace("stuck", run_id)
    namespaces.create(kube, name, run_id, "test_stuck_finalizer_is_named")
    metadata = V1ObjectMeta(name="kept", finalizers=[FINALIZER])
    kube.create_namespaced_config_map(name, V1ConfigMap(metadata=metadata))
    yield name
    kube.patch_namespaced_config_map("kept", name, {"metadata": {"finalizers": None}})
    namespaces.wait_until_gone(kube, [name])


@pytest.mark.long
def test_stuck_finalizer_is_named(kube: CoreV1Api, stuck: str) -> None:
    """A namespace that doesn't go is a failure that names it, its test, the object that holds it and the finalizer."""
    namespaces.delete(kube, stuck)

    def is_held() -> bool:
        told = kube.read_namespace(stuck).status.conditions or ()
        return any(each.type == "NamespaceFinalizersRemaining" and each.status == "True" for each in told)

    wait_for_condition(is_held, PollingConfig(timeout=60, interval=0.5))
    with pytest.raises(NamespaceStuckError) as refused:
        namespaces.wait_until_gone(kube, [stuck], timeout=1)
    assert f"namespace {stuck}, made by test_stuck_finalizer_is_named: " in str(refused.value)
    assert f"configmaps/kept waits for its finalizer {FINALIZER}" in str(refused.value)


@pytest.mark.requirement("REQ-645.6")
def test_leavings_of_a_killed_run_are_removed(kube: CoreV1Api, tmp_path: Path) -> None:
    """What a run left whose process was killed is found by the run's id, removed, and then no more found."""
    killed = session(tmp_path, "killed1", "-k", "dies")
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    left = (tmp_path / "left").read_text().split()
    assert left[0] in names(kube)

    cleanup = [sys.executable, "-m", "floe_testing", "cleanup", "--run-id", "killed1"]
    first, second = (
        subprocess.run(cleanup, capture_output=True, text=True, timeout=150, check=True).stdout for _ in range(2)
    )
    assert [name for name in left if name in first] == left
    assert [name for name in left if name in second] == []
    assert left[0] not in names(kube)
