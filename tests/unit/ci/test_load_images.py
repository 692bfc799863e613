"""How images get to the nodes: the real script, with stand-ins of the programs that reach Docker and a registry."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import floe_ci
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(floe_ci.__file__).parent / "scripts" / "load-images.sh"
IMAGES = (
    "/images/0",
    "library/postgres:17",
    "docker.io/library/postgres:17",
    "/images/1",
    "app:ab12",
    "floe.local/app:ab12",
)
NODES = 'if [ "$1" = volume ]; then echo "%s"; fi'
NO_CLUSTER = '[ "$1" != volume ]'


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[str]]:
    """Return what loads two images, with a script in the place of `docker`, and returns all calls of the programs."""
    calls = tmp_path / "calls"

    def call(docker: str, kubeconfig: str = "nowhere") -> list[str]:
        for name, script in {"docker": docker, "skopeo": "true"}.items():
            (tmp_path / name).write_text(
                f'#!/bin/sh\necho {name} "$@" | tr "\\n" " " >> {calls}\necho >> {calls}\n{script}\n'
            )
            (tmp_path / name).chmod(0o755)
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "KUBECONFIG": kubeconfig}
        subprocess.run(["sh", str(SCRIPT), *IMAGES], env=environment, check=True, timeout=60)
        return calls.read_text().splitlines()

    return call


def copied(calls: list[str]) -> list[list[str]]:
    """Return from where to where images were copied."""
    return [call.split()[-2:] for call in calls if call.startswith("skopeo")]


def test_one_node_that_is_started_again(load: Callable[..., list[str]]) -> None:
    """The registry has each image by repository and tag, and the node is told to pull it under its whole name."""
    calls = load(NODES % "floe-control-plane ")
    assert copied(calls) == [
        ["oci:/images/0", "docker://cluster:5000/library/postgres:17"],
        ["oci:/images/1", "docker://cluster:5000/app:ab12"],
    ]
    (pull,) = [call for call in calls if "images pull" in call]
    assert pull.startswith("docker exec --detach floe-control-plane sh -c")
    assert pull.split()[-2:] == ["docker.io/library/postgres:17", "floe.local/app:ab12"]


@pytest.mark.parametrize("docker", [NODES % "floe-control-plane floe-worker ", NO_CLUSTER], ids=["several", "none"])
def test_nodes_that_are_not_told(load: Callable[..., list[str]], docker: str) -> None:
    """With several nodes, or before there is one, images go to the registry alone."""
    calls = load(docker)
    assert len(copied(calls)) == 2
    assert not any("exec" in call for call in calls)


def test_cluster_that_is_up(load: Callable[..., list[str]]) -> None:
    """A node whose cluster is up is told nothing: what needs an image pulls it at once."""
    calls = load(NODES % "floe-control-plane ", kubeconfig=__file__)
    assert len(copied(calls)) == 2
    assert not any("docker" in call.split()[0] for call in calls)
