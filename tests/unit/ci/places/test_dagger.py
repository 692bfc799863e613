"""Where in Dagger's engine a run stays, as far as that is told before the engine is asked."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci import held_cluster
from floe_ci.places.dagger import DaggerPlace
from floe_ci.places.held import HeldStay
from floe_ci.places.kind import KindStay
from floe_ci.request import RunRequest

from tests.unit.ci.test_held_cluster import Told, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-648")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository, with a state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


@contextmanager
def up(source: Path, tier: str) -> Iterator[None]:
    """Have a repository's cluster up for a tier."""
    there = record(source, tier=tier)
    with held_cluster.holding(there.name):
        held_cluster.write(there)
        yield


def stay_of(request: RunRequest, told: Told) -> object:
    """Return the stay of a run that is asked for."""
    run: Any = SimpleNamespace(request=request, note=told.note)
    return DaggerPlace().stay(run)


@pytest.mark.parametrize(("keep", "kind"), [(True, HeldStay), (False, KindStay)])
def test_nothing_is_up(source: Path, keep: bool, kind: type) -> None:  # noqa: FBT001
    """A run that is to be kept when it fails has a cluster that can be; any other one has a throw-away cluster."""
    told = Told()
    assert isinstance(stay_of(RunRequest(source=source, keep=keep), told), kind)
    assert told.lines == []


@pytest.mark.parametrize("keep", [True, False])
def test_up_for_another_tier(source: Path, keep: bool) -> None:  # noqa: FBT001
    """A cluster that is up for another tier is left alone: the run takes a new one, kept or not, and says so."""
    told = Told()
    with up(source, "e2e"):
        assert isinstance(stay_of(RunRequest(source=source, keep=keep), told), KindStay)
    assert told.lines == [
        f"cluster {held_cluster.name_of(source)} is up for tier e2e; tier integration takes a new one"
    ]
