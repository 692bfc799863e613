"""A run's folder is its own, and gone after it, also where the run was killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import psutil
import pytest
from floe_ci.errors import UserError
from floe_ci.local import postgres, workspace
from floe_ci.local.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of the test's own the one for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    return tmp_path


@pytest.fixture
def orphan(temporary: Path) -> Path:
    """Return the folder of a run that was killed."""
    folder = temporary / f"{workspace.PREFIX}old"
    (folder / "data").mkdir(parents=True)
    (folder / workspace.LOCK).touch()
    return folder


def test_folder_is_removed(temporary: Path) -> None:
    """The folder is there inside, and gone after, with what is in it."""
    with Workspace() as made:
        (made.folder / "data").mkdir()
        (made.folder / "data" / "file").write_text("x")
        assert made.folder.parent == temporary
    assert list(temporary.iterdir()) == []


def test_folder_is_closed_to_others() -> None:
    """Nobody else may look into a run's folder, also where a database of another account is among its services."""
    with Workspace() as made:
        assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700


def test_folder_of_a_killed_run_is_removed(orphan: Path) -> None:
    """A folder that nobody holds is removed by the next run; the one of a run that lives stays."""
    with Workspace() as living, Workspace():
        assert not orphan.exists()
        assert living.folder.exists()


def test_processes_of_a_killed_run_are_ended(orphan: Path) -> None:
    """What a killed run has left running is ended by the next one, and nothing of anybody else's."""

    def start(folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.pause()"],
            env={**os.environ, "TMPDIR": str(folder)},
            start_new_session=True,
        )

    with start(orphan / "tmp") as left, start(orphan.parent) as other:
        with Workspace():
            assert left.wait(timeout=10) == -9
            assert other.poll() is None
        other.kill()
    assert not psutil.pid_exists(left.pid)


def test_database_of_a_killed_run_is_removed(orphan: Path, temporary: Path) -> None:
    """The folder that a database of another account had beside the run's goes too; another link leads nowhere."""
    home, elsewhere = temporary / "floe-ci-postgres-x", temporary / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (orphan / postgres.NAME).symlink_to(home)
    with Workspace():
        assert not home.exists()
    orphan.mkdir()
    (orphan / postgres.NAME).symlink_to(elsewhere)
    postgres.give_back(orphan)
    assert elsewhere.exists()


def test_other_folders_stay(temporary: Path) -> None:
    """A folder that is no run's is not touched, whatever its name, and what is no file is not waited for."""
    other, pipe = temporary / f"{workspace.PREFIX}without-a-lock", temporary / f"{workspace.PREFIX}pipe"
    other.mkdir()
    pipe.mkdir()
    os.mkfifo(pipe / workspace.LOCK)
    with Workspace():
        assert other.exists()
        assert pipe.exists()


@pytest.mark.parametrize("place", ["missing", "file"])
def test_folder_for_temporary_files_that_cannot_be_used_is_told(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A TMPDIR that is none is told; no other folder is taken without a word."""
    (temporary / "file").touch()
    monkeypatch.setenv("TMPDIR", str(temporary / place))
    with pytest.raises(UserError, match=rf"^TMPDIR=.*{place}: there is no such folder; name a folder"), Workspace():
        pass
