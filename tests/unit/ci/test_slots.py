"""The cache volume's slots: each belongs to one run at a time, and is free again when that run ends, however it does.

The real script runs, with the kernel's own locks; in the place of Docker and the registry stand processes that wait.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import floe_ci
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(floe_ci.__file__).parent / "scripts"
PATIENCE = 60
"""Seconds for a script that is started, or killed, on a busy machine."""
DOCKERD = """#!/bin/sh
tools=$(dirname "$0")
while [ "$1" != --data-root ]; do shift; done
until [ -e "$tools/registry-$$" ]; do sleep 0.01; done
echo "$2"
exec cat "$tools/never"
"""
"""Starts nothing once it has said that it runs: a process of its own would hold the slot when it is killed."""

REGISTRY = """#!/bin/sh
exec 9>&-
: > "$(dirname "$0")/registry-$PPID"
"""
"""Lets go of the slot, which it would hold for as long as it runs, and says so."""


class Volume:
    """A cache volume, and the services that were started on it."""

    def __init__(self, folder: Path) -> None:
        """Put the stand-ins on the path."""
        self.folder, self.tools = folder / "volume", folder / "bin"
        self.tools.mkdir()
        for name, text in (("dockerd", DOCKERD), ("docker-registry", REGISTRY)):
            (self.tools / name).write_text(text)
            (self.tools / name).chmod(0o755)
        # Nobody ever writes to it, so who reads it waits.
        subprocess.run(["mkfifo", str(self.tools / "never")], check=True)
        self.running: list[subprocess.Popen[str]] = []

    def script(self, name: str, *args: str, cluster: str = "") -> subprocess.Popen[str]:
        """Start one of the scripts."""
        environment = {
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "FLOE_VOLUME": str(self.folder),
            "FLOE_REGISTRY_CONFIG": str(self.tools / "registry.yml"),
            "FLOE_CLUSTER": cluster,
            "FLOE_KIND_CONFIG": "/dev/null",
        }
        command = ["sh", str(SCRIPTS / name), *args]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    def service(self, cluster: str = "") -> tuple[subprocess.Popen[str], str]:
        """Start a service and return it with the slot it took; empty: it took none."""
        service = self.script("cluster-service.sh", cluster=cluster)
        self.running.append(service)
        assert service.stdout
        root = service.stdout.readline().strip()
        return service, Path(root).parent.name if root else ""

    def stop(self) -> None:
        """Kill what runs."""
        for service in self.running:
            service.kill()
            service.communicate(timeout=PATIENCE)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """Yield an empty volume."""
    made = Volume(tmp_path)
    yield made
    made.stop()


def test_two_runs_do_not_meet(volume: Volume) -> None:
    """Runs at the same time have a slot each."""
    assert [volume.service()[1] for _ in range(3)] == ["slot-0", "slot-1", "slot-2"]


def test_slot_of_a_run_that_was_killed(volume: Volume) -> None:
    """A slot is free again, with what is in it, when its run was killed."""
    service, slot = volume.service()
    volume.service()
    (volume.folder / slot / "docker" / "layer").touch()
    service.send_signal(signal.SIGKILL)
    service.wait(timeout=PATIENCE)
    assert volume.service()[1] == slot
    assert (volume.folder / slot / "docker" / "layer").exists()


def test_no_slot_is_left(volume: Volume) -> None:
    """The ninth run at a time is refused, and told why."""
    assert len({volume.service()[1] for _ in range(8)}) == 8
    ninth, slot = volume.service()
    assert slot == ""
    assert ninth.wait(timeout=PATIENCE) == 1
    assert ninth.stderr
    assert "every slot of the cache volume is in use" in ninth.stderr.read()


def test_named_cluster_has_its_own(volume: Volume) -> None:
    """A named cluster has a place under its name, which a second service of that name can't have."""
    assert volume.service("dev")[1] == "kept-dev"
    assert volume.service("dev")[1] == ""


@pytest.mark.parametrize(("cluster", "stays"), [("", False), ("dev", True)], ids=["a run's", "a named cluster's"])
def test_containers_of_before(volume: Volume, cluster: str, *, stays: bool) -> None:
    """Docker finds none of the containers that the last run left in a slot, and all of a cluster that was kept."""
    service, slot = volume.service(cluster)
    service.kill()
    service.wait(timeout=PATIENCE)
    container = volume.folder / slot / "docker" / "containers" / "node"
    container.mkdir(parents=True)
    assert volume.service(cluster)[1] == slot
    assert container.exists() == stays


def test_slot_that_can_not_be_cleared(volume: Volume) -> None:
    """Where what a run has left can't be put away, Docker begins with nothing, and the slot is of use."""
    service, slot = volume.service()
    service.kill()
    service.wait(timeout=PATIENCE)
    (volume.folder / slot / "docker" / "volumes").mkdir(parents=True)
    (volume.folder / slot / "pristine").touch()  # no folder, as after a fault of the disk
    assert volume.service()[1] == slot
    assert [*(volume.folder / slot / "docker").iterdir()] == []


def test_named_cluster_is_forgotten(volume: Volume) -> None:
    """What a named cluster left is removed, but not while it runs; and what isn't there is named as such."""
    service, slot = volume.service("dev")
    refused = volume.script("forget-cluster.sh", "dev")
    assert "cluster 'dev' is running" in refused.communicate(timeout=PATIENCE)[1]
    service.kill()
    service.wait(timeout=PATIENCE)
    forgotten = volume.script("forget-cluster.sh", "dev")
    forgotten.communicate(timeout=PATIENCE)
    assert forgotten.returncode == 0
    assert not (volume.folder / slot).exists()
    missing = volume.script("forget-cluster.sh", "dev")
    assert "there is no cluster 'dev'" in missing.communicate(timeout=PATIENCE)[1]
