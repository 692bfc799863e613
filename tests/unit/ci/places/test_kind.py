"""A cluster of the run's own, as far as it is told apart from the engine that it is in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from floe_ci.errors import RunError
from floe_ci.places import kind
from floe_ci.places.kind import KindStay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def lost() -> int:
    """Lose the cluster while tests run."""
    msg = "the API is gone"
    raise RunError(msg)


async def silent() -> str:
    """Be an engine that takes what it is asked, and never answers."""
    await anyio.sleep_forever()
    return ""


async def answers() -> str:
    """Be an engine that is there."""
    return "v1"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (silent, "the Dagger engine doesn't answer any more, nor does the cluster in it: the API is gone"),
        (answers, "the API is gone"),
    ],
    ids=["silent", "there"],
)
def test_cluster_is_lost(version: Callable[[], Awaitable[str]], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is lost is told as such, and with the engine where that does not answer in time."""
    monkeypatch.setattr(kind, "dag", SimpleNamespace(version=version))
    monkeypatch.setattr(kind, "ANSWER", 0.01)
    nothing: Any = None
    stay = KindStay(nothing, nothing, name="mine")
    cluster: Any = SimpleNamespace(tests=lost, is_away=True)
    stay._driven = cluster  # noqa: SLF001 - what `enter` makes
    with pytest.raises(RunError) as caught:
        anyio.run(stay.tests)
    assert str(caught.value) == told
