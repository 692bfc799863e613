"""The object store's sockets are where a path can be as long as a socket's."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.catalog import Catalog
from floe_ci.local import objects
from floe_ci.local.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

MINIO = Catalog.of_package().services["minio"]


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Yield a run's folder that is too deep for a socket; what the store has outside of it is removed."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    yield folder
    objects.give_back(folder)


def sockets(process_command: tuple[str, ...]) -> list[Path]:
    """Return the paths of the sockets that a command names."""
    return [Path(part.partition("=")[2]) for part in process_command if part.partition("=")[0].endswith("localSocket")]


@pytest.mark.skipif(objects.installation() is None, reason="the object store's package is not installed")
def test_sockets_of_a_deep_folder_are_in_a_short_one(deep: Path) -> None:
    """Where the run's folder is too deep, sockets are in a private folder that is short, and gone with the run's."""
    (process,) = asyncio.run(objects.processes(Site.plan([MINIO], deep)))
    found = sockets(process.command)
    assert len(found) == 2
    for path in found:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    assert found[0].parent.stat().st_mode & 0o077 == 0
    objects.give_back(deep)
    assert not found[0].parent.exists()


@pytest.mark.skipif(objects.installation() is None, reason="the object store's package is not installed")
def test_sockets_of_a_short_folder_are_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is room, nothing is made outside of the run's folder."""
    monkeypatch.setattr(objects, "LONGEST_SOCKET", len(str(tmp_path)) + 50)
    (process,) = asyncio.run(objects.processes(Site.plan([MINIO], tmp_path)))
    assert [path.parent for path in sockets(process.command)] == [tmp_path / "minio"] * 2
