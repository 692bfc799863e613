"""Results take the place of earlier results, and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.places import export
from floe_ci.results import Outcome
from floe_ci.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    """Return a run's results, in a folder of the run's own."""
    folder = tmp_path / "run" / "results"
    (folder / "logs").mkdir(parents=True)
    for name in (*export.MARKS, "new", "logs/runner.log"):
        (folder / name).write_text("new")
    return Outcome(Verdict.PASSED, 0, folder, "summary")


def names(folder: Path) -> set[str]:
    """Return what is in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("there", ["nothing", "empty", "earlier"])
def test_results_are_put_in_place(outcome: Outcome, tmp_path: Path, there: str) -> None:
    """Results go where nothing is, into an empty folder, and in place of earlier ones, of which nothing stays."""
    target = tmp_path / "out" / "results"
    if there != "nothing":
        target.mkdir(parents=True)
    if there == "earlier":
        for name in (*export.MARKS, "old"):
            (target / name).write_text("old")
    export.check(target)
    done = export.replace(outcome, target)
    assert done.folder == target
    assert names(target) == {*export.MARKS, "new", "logs"}
    assert (target / "exit-code").read_text() == "new"
    assert names(target.parent) == {"results"}


def test_another_folder_is_not_replaced(outcome: Outcome, tmp_path: Path) -> None:
    """A folder with anything else in it is refused, before and after a run, and stays as it is."""
    target = tmp_path / "home"
    target.mkdir()
    (target / "thesis.tex").write_text("years")
    for attempt in (lambda: export.check(target), lambda: export.replace(outcome, target)):
        with pytest.raises(UserError, match="it holds something else than the results of a run"):
            attempt()
    assert names(target) == {"thesis.tex"}


def test_file_is_not_replaced(tmp_path: Path) -> None:
    """A file is no place for results."""
    target = tmp_path / "file"
    target.write_text("x")
    with pytest.raises(UserError, match="it is no folder"):
        export.check(target)
