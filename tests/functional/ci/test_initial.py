"""The initial database that runs copy instead of making one each."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("there is no local place on Windows", allow_module_level=True)

from floe_ci.local.initial import LONGEST, Initial

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an installation; the cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "17"
    (folder / "bin").mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / "bin" / name).write_text(name, encoding="utf-8")
    return folder


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a folder as initdb leaves it: closed to others, and with a file and a link in it."""
    folder = tmp_path / "made"
    (folder / "base").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "base" / "1").write_bytes(b"\0data")
    (folder / "link").symlink_to("base/1")
    return folder


def test_copy_is_the_same(installation: Path, made: Path, tmp_path: Path) -> None:
    """Nothing is copied before one is kept; then the copy has the same files, and is closed to others too."""
    initial = Initial.of(installation, "UTF8")
    assert not asyncio.run(initial.copy_to(tmp_path / "data", None))
    assert not (tmp_path / "data").exists()
    asyncio.run(initial.keep(made))
    assert asyncio.run(initial.copy_to(tmp_path / "data", None))
    assert (tmp_path / "data/base/1").read_bytes() == b"\0data"
    assert (tmp_path / "data/link").readlink().name == "1"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    (tmp_path / "data/base/1").write_bytes(b"changed")
    assert (initial.place / "base/1").read_bytes() == b"\0data"


def test_copy_is_closed_whatever_became_of_what_is_kept(installation: Path, made: Path, tmp_path: Path) -> None:
    """A server refuses a folder that others may look into: a cache that was put back open to all does no harm."""
    initial = Initial.of(installation)
    asyncio.run(initial.keep(made))
    initial.place.chmod(0o755)
    assert asyncio.run(initial.copy_to(tmp_path / "data", None))
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_other_settings_and_servers_have_another(installation: Path) -> None:
    """What another server, or the same with other settings, would make is another one."""
    first = Initial.of(installation, "UTF8")
    assert Initial.of(installation, "UTF8") == first
    assert Initial.of(installation, "LATIN1") != first
    (installation / "bin" / "postgres").write_text("a newer one", encoding="utf-8")
    assert Initial.of(installation, "UTF8") != first


def test_two_runs_keep_one(installation: Path, made: Path) -> None:
    """Where two runs make one at once, that of the first stays whole, and nothing else is left."""
    initial = Initial.of(installation)

    async def both() -> None:
        await asyncio.gather(initial.keep(made), initial.keep(made))

    asyncio.run(both())
    assert [path.name for path in initial.place.parent.iterdir()] == [initial.place.name]
    assert sorted(path.name for path in initial.place.iterdir()) == ["base", "link"]


def test_unused_one_goes(installation: Path, made: Path) -> None:
    """One that nobody has copied for a week goes when the next one is kept, and so does what a run that died left."""
    old, used, new = (Initial.of(installation, name) for name in ("old", "used", "new"))
    for each in (old, used):
        asyncio.run(each.keep(made))
    draft = old.place.parent / ".draft-died"
    draft.mkdir()
    long_ago = time.time() - LONGEST - 60
    for path in (old.place, used.place, draft):
        os.utime(path, (long_ago, long_ago))
    assert asyncio.run(used.copy_to(made.parent / "data", None))
    asyncio.run(new.keep(made))
    assert {path.name for path in old.place.parent.iterdir()} == {used.place.name, new.place.name}


def test_what_cannot_be_kept(installation: Path, tmp_path: Path) -> None:
    """Where it can't be kept, the run goes on, and nothing half is left in its place."""
    initial = Initial.of(installation)
    asyncio.run(initial.keep(tmp_path / "nothing"))
    assert list(initial.place.parent.iterdir()) == []
