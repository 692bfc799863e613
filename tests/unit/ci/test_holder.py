"""What holds a cluster that stays: how long it does, and who can ask it for something."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import anyio
import pytest
import yaml
from floe_ci import held_cluster, holder

from tests.unit.ci.test_held_cluster import record

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.requirement("REQ-648"), pytest.mark.anyio]

LONG = 3600.0


@pytest.fixture
def anyio_backend() -> str:
    """Have the loop that the holder has."""
    return "asyncio"


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a cluster's name, in a state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    held_cluster.file("shop", "use").touch()
    return "shop"


async def ends(name: str, idle: float, *, within: float = 20) -> bool:
    """Tell whether the wait ends."""
    with anyio.move_on_after(within) as scope:
        await holder.told_to_stop(name, idle)
    return not scope.cancelled_caught


async def test_told(name: str) -> None:
    """It ends when it is told to, however long it might have stayed."""
    held_cluster.file(name, "stop").touch()
    assert await ends(name, LONG)


async def test_unused(name: str) -> None:
    """A cluster that nobody has used for long ends by itself."""
    os.utime(held_cluster.file(name, "use"), (0, 0))
    assert await ends(name, LONG)


async def test_used_lately(name: str) -> None:
    """One that was used a moment ago stays."""
    assert not await ends(name, LONG, within=1)


async def test_in_use(name: str, tmp_path: Path) -> None:
    """One that is in use stays, however long the run has been going on."""
    os.utime(held_cluster.file(name, "use"), (0, 0))
    with held_cluster.using(record(tmp_path, name=name)):
        assert not await ends(name, LONG, within=1)


async def test_socket() -> None:
    """The socket is this user's alone, has a path that is short enough, and goes with its holder."""
    async with holder.listening() as (_, path):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(str(path)) < 100
    assert not path.parent.exists()


def test_namespace() -> None:
    """Other tools that take the kubeconfig are in the services' namespace."""
    given = {"contexts": [{"name": "kind-floe", "context": {"cluster": "kind-floe", "user": "kind-floe"}}]}
    (context,) = yaml.safe_load(holder.in_namespace(yaml.safe_dump(given)))["contexts"]
    assert context["context"] == {"cluster": "kind-floe", "user": "kind-floe", "namespace": "floe-test"}
