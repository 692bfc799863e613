"""Puts a run's results where the caller wants them: the whole of them, or nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace as with_changes
from typing import TYPE_CHECKING, Final

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.results import Outcome

MARKS: Final = ("exit-code", "timings.json")
"""What every results directory holds, and hardly another folder."""


def check(target: Path) -> None:
    """Refuse a place for results that holds something else.

    Raises:
        UserError: It does; nothing of it was touched.
    """
    if target.is_dir():
        empty = next(target.iterdir(), None) is None
        if not empty and not all((target / name).is_file() for name in MARKS):
            msg = f"--results {target}: it holds something else than the results of a run; name another folder"
            raise UserError(msg)
    elif target.exists():
        msg = f"--results {target}: it is no folder; name another"
        raise UserError(msg)


def replace(outcome: Outcome, target: Path) -> Outcome:
    """Move a run's results into the place of an earlier run's.

    Raises:
        UserError: There is something else; it stays.
    """
    check(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside it first: only a rename within one file system is done as a whole.
    draft = target.with_name(f".{target.name}.{outcome.folder.parent.name}")
    shutil.copytree(outcome.folder, draft)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return with_changes(outcome, folder=target)
