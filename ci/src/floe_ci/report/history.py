"""`history.jsonl`: what earlier runs into the same folder came to, a line each; the one file that outlives a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from floe_ci.files import cautiously
from floe_ci.folder import HISTORY, LARGEST_HISTORY
from floe_ci.junit import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from floe_ci.junit import Case
    from floe_ci.steps import Measured
    from floe_ci.verdict import Judgement

MOST: Final = 50
"""Runs that are remembered."""
_MOST_TESTS: Final = 20
"""Of one run, of those that failed and of those that were flaky."""
_LONGEST_TITLE: Final = 200


class Entry(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    started_at: str
    """In ISO 8601."""
    verdict: str
    exit_code: int
    seconds: float
    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0
    bad_tests: tuple[str, ...] = ()
    """Some of those that failed or errored."""
    flaky_tests: tuple[str, ...] = ()
    """Some of those that passed only when they were tried again."""

    @classmethod
    def of(cls, measured: Measured, judged: Judgement, cases: Sequence[Case]) -> Self:
        """Return what is remembered of a run."""
        counts = Counts.of(cases)
        return cls(
            run_id=measured.run_id,
            started_at=measured.started_at.isoformat(timespec="seconds"),
            verdict=judged.verdict,
            exit_code=judged.exit_code,
            seconds=round(measured.total_seconds, 3),
            passed=counts.passed,
            failed=counts.failed,
            errored=counts.errored,
            skipped=counts.skipped,
            bad_tests=_titles([case for case in cases if case.bad]),
            flaky_tests=_titles([case for case in cases if case.flaky]),
        )


def read(folder: Path) -> list[Entry]:
    """Return the runs that are remembered in a results folder, oldest first; other lines are passed over."""
    try:
        with open(folder / HISTORY, "rb", opener=cautiously) as file:
            lines = file.read(LARGEST_HISTORY).splitlines()
    except OSError:
        return []
    return [entry for line in lines if (entry := _entry(line))][-MOST:]


def text(entries: Sequence[Entry]) -> str:
    """Return the text of the file, with the newest runs only."""
    return "".join(f"{entry.model_dump_json()}\n" for entry in entries[-MOST:])


def _entry(line: bytes) -> Entry | None:
    try:
        return Entry.model_validate_json(line)
    except (ValidationError, RecursionError):
        return None


def _titles(cases: Sequence[Case]) -> tuple[str, ...]:
    return tuple(case.title[:_LONGEST_TITLE] for case in cases[:_MOST_TESTS])
