"""What this machine has is told before a run: also the folders that one would write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.places.local import LocalPlace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("variable", "what"), [("XDG_CACHE_HOME", "cache"), ("TMPDIR", "temporary files")], ids=["cache", "temporary"]
)
def test_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, what: str
) -> None:
    """A folder that a run could not write to is a thing that the place lacks, with the variable to set."""
    monkeypatch.setattr("floe_ci.places.local.NEEDED", ())  # packages, which the runner image has not all
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert {each.what for each in LocalPlace().check() if each.needed and each.state != "here"} == set()
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file" / "folder"))
    lacking = [each for each in LocalPlace().check() if each.needed and each.state != "here"]
    assert [each.what for each in lacking] == [what]
    assert variable in lacking[0].detail
