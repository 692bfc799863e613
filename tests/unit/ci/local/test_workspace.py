"""A run's folder is gone after it, also where the run was killed."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from floe_ci.local import workspace
from floe_ci.local.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder of the test's own the one for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_folder_is_removed(temporary: Path) -> None:
    """The folder is there inside, and gone after, with what is in it."""
    with Workspace() as made:
        (made.folder / "data").mkdir()
        (made.folder / "data" / "file").write_text("x")
        assert made.folder.parent == temporary
    assert list(temporary.iterdir()) == []


def test_folder_of_a_killed_run_is_removed(temporary: Path) -> None:
    """A folder that nobody holds is removed by the next run; the one of a run that lives stays."""
    orphan = temporary / f"{workspace.PREFIX}old"
    (orphan / "data").mkdir(parents=True)
    (orphan / workspace.LOCK).touch()
    with Workspace() as living, Workspace():
        assert not orphan.exists()
        assert living.folder.exists()


def test_other_folders_stay(temporary: Path) -> None:
    """A folder that is no run's is not touched, whatever its name."""
    other = temporary / f"{workspace.PREFIX}without-a-lock"
    other.mkdir()
    with Workspace():
        assert other.exists()
