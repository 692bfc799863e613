"""Clusters as they were created: what is kept beside Docker's data, and put in its place again.

The real script runs on folders as Docker lays them out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import floe_ci
import pytest

SCRIPT = Path(floe_ci.__file__).parent / "scripts" / "pristine.sh"
DAY = 24 * 60 * 60


class Slot:
    """A slot of the cache volume, and the configuration that its clusters are made by."""

    def __init__(self, folder: Path) -> None:
        """Lay out an image and a container."""
        self.folder, self.docker, self.config = folder / "slot", folder / "slot" / "docker", folder / "kind.yaml"
        self.config.write_text("nodes: 1\n")
        self.image = "kindest/node:v1"
        self.write("overlay2/image/diff/bin", "a program")
        self.create("first")

    def write(self, path: str, text: str) -> None:
        """Write a file of Docker's."""
        file = self.docker / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def create(self, name: str) -> None:
        """Have a container, with its layer and its volume."""
        self.write(f"containers/{name}/hostconfig.json", "{}")
        self.write(f"image/overlay2/layerdb/mounts/{name}/mount-id", f"{name}-layer")
        self.write(f"image/overlay2/layerdb/mounts/{name}/init-id", f"{name}-layer-init")
        for layer in (f"{name}-layer", f"{name}-layer-init"):
            self.write(f"overlay2/{layer}/diff/etc", "as it was created")
            self.write(f"overlay2/{layer}/link", f"L{layer}")
            (self.docker / "overlay2" / "l").mkdir(exist_ok=True)
            (self.docker / "overlay2" / "l" / f"L{layer}").symlink_to(f"../{layer}/diff")
        self.write(f"volumes/{name}/_data/etcd", "as it was created")

    def run(self, what: str, **environment: str) -> None:
        """Run the script."""
        command = ["sh", str(SCRIPT), what, str(self.folder), str(self.config), self.image]
        subprocess.run(command, env=os.environ | environment, check=True, timeout=30)

    def files(self) -> dict[str, str]:
        """Return what Docker has of files, with their text."""
        found = [each for each in self.docker.rglob("*") if each.is_file()]
        return {str(each.relative_to(self.docker)): each.read_text() for each in found}

    @property
    def kept(self) -> list[Path]:
        """The clusters that are kept."""
        return sorted((self.folder / "pristine").iterdir())


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    """Return a slot with one container."""
    return Slot(tmp_path)


def test_is_as_it_was_created(slot: Slot) -> None:
    """What a run has changed, added or removed is as it was before, and what is of no container stays."""
    slot.run("save")
    before = slot.files()
    slot.write("volumes/first/_data/etcd", "changed")
    slot.write("overlay2/first-layer/diff/new", "added")
    (slot.docker / "overlay2/first-layer/diff/etc").unlink()
    slot.create("second")
    slot.write("overlay2/pulled/diff/bin", "another program")
    slot.run("restore")
    assert slot.files() == before | {"overlay2/pulled/diff/bin": "another program"}
    assert (slot.docker / "overlay2/l/Lfirst-layer").readlink() == Path("../first-layer/diff")
    assert not (slot.docker / "overlay2/l/Lsecond-layer").is_symlink()


def test_nothing_of_a_run_that_died(slot: Slot) -> None:
    """Where nothing is kept, the containers of an earlier run are gone, and the images are not."""
    slot.run("restore")
    assert slot.files() == {"overlay2/image/diff/bin": "a program"}


def test_other_configuration(slot: Slot) -> None:
    """A cluster of another configuration is not put in place, and stays for runs of its own."""
    slot.run("save")
    slot.config.write_text("nodes: 3\n")
    slot.run("restore")
    assert "containers/first/hostconfig.json" not in slot.files()
    slot.config.write_text("nodes: 1\n")
    slot.run("restore")
    assert "containers/first/hostconfig.json" in slot.files()


def test_two_are_kept(slot: Slot) -> None:
    """Of more configurations than two, the clusters of the latest are kept."""
    for number in range(8):
        slot.config.write_text(f"nodes: {number}\n")
        slot.run("save")
        assert len(slot.kept) == min(number + 1, 2)
        for kept in slot.kept:  # a second apart, as `ls` tells them by
            os.utime(kept, (kept.stat().st_mtime - 60,) * 2)
        slot.run("restore")
        assert "containers/first/hostconfig.json" in slot.files()


@pytest.mark.parametrize("days", [-31, 1], ids=["its certificates end", "the clock was set back"])
def test_of_another_time(slot: Slot, days: int) -> None:
    """A cluster whose certificates may not count at this time is not kept any more."""
    slot.run("save")
    (kept,) = slot.kept
    os.utime(kept, (time.time() + days * DAY,) * 2)
    slot.run("restore")
    assert slot.kept == []
    assert "containers/first/hostconfig.json" not in slot.files()


def test_of_a_month(slot: Slot) -> None:
    """A cluster of less than thirty days ago is put in place."""
    slot.run("save")
    (kept,) = slot.kept
    os.utime(kept, (time.time() - 29 * DAY,) * 2)
    slot.run("restore")
    assert "containers/first/hostconfig.json" in slot.files()


@pytest.mark.parametrize(
    "lost",
    [
        "overlay2/first-layer",
        "overlay2/l/Lfirst-layer",
        "overlay2/first-layer-init/link",
        "image/overlay2/layerdb/mounts",
        "containers",
        "volumes",
    ],
)
def test_run_that_was_killed_meanwhile(slot: Slot, lost: str) -> None:
    """Whatever is not there yet, or any more, of a cluster when a run is killed: the next one has it as it was."""
    slot.run("save")
    before = slot.files()
    path = slot.docker / lost
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    slot.run("restore")
    assert slot.files() == before
    slot.run("restore")
    assert slot.files() == before


def test_file_that_a_full_disk_left_empty(slot: Slot) -> None:
    """A container that does not say which layer is its own takes no image with it."""
    slot.write("image/overlay2/layerdb/mounts/first/mount-id", "")
    slot.run("restore")
    assert slot.files()["overlay2/image/diff/bin"] == "a program"


def test_copy_that_was_interrupted(slot: Slot) -> None:
    """Half of a copy is not taken for one, in either direction, and does not stay."""
    slot.run("save")
    (kept,) = slot.kept
    before = slot.files()
    for half in (slot.folder / "pristine" / ".new", slot.folder / "coming"):
        (half / "containers").mkdir(parents=True)
    slot.run("restore")
    assert slot.files() == before
    assert slot.kept == [kept]
    assert not (slot.folder / "coming").exists()


def test_what_is_put_away_is_removed(slot: Slot) -> None:
    """What a run has left of its cluster does not stay on the disk."""
    slot.run("restore")
    deadline = time.monotonic() + 30
    while found := [*slot.folder.glob("gone-*")]:
        assert time.monotonic() < deadline, found


def test_other_image(slot: Slot) -> None:
    """A cluster of another image is not put in place."""
    slot.run("save")
    slot.image = "kindest/node:v2"
    slot.run("restore")
    assert "containers/first/hostconfig.json" not in slot.files()


def test_disk_without_room(slot: Slot) -> None:
    """Where the disk has little room for the run itself, nothing is kept."""
    few = slot.folder.parent / "bin"
    few.mkdir()
    (few / "df").write_text("#!/bin/sh\necho header\necho disk 100 99 1 99% /\n")
    (few / "df").chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError):
        slot.run("save", PATH=f"{few}:{os.environ['PATH']}")
    assert slot.kept == []
