"""What of a repository is no source, where something else than runs has a folder `results`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.excluded import NOT_SOURCE, has_own_results, patterns, patterns_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ((), ["results"]),
        (("unit/run.json", ".e2e.draft/x"), ["results"]),
        (("run.json", "logs/a.log"), ["results"]),
        (("__init__.py", "model.py"), []),
        (("__init__.py", "unit/run.json", "mine/exit-code"), ["results/mine", "results/unit"]),
    ],
)
def test_folder_of_results(tmp_path: Path, files: tuple[str, ...], left: list[str]) -> None:
    """The folder is no source as a whole, unless it holds something of the repository's own: then what runs left."""
    for name in files:
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).touch()
    assert patterns_for(tmp_path) == [*NOT_SOURCE, *left]
    assert has_own_results(tmp_path) == (bool(files) and left != ["results"])


def test_names_alone(tmp_path: Path) -> None:
    """Where files can't be looked at, a tier's folder is a run's by its name."""
    assert patterns(["integration", "model.py"]) == [*NOT_SOURCE, "results/integration"]
    assert patterns(["integration"]) == [*NOT_SOURCE, "results"]
    assert patterns_for(tmp_path / "gone") == [*NOT_SOURCE, "results"]
