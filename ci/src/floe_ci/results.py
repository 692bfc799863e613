"""The results directory: what every run leaves, whatever became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_ci import verdict
from floe_ci.junit import PROBLEM_SUITE, merge_junit, problem_suite, read_junit
from floe_ci.summary import summary
from floe_ci.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.driver.spec import DriverReport
    from floe_ci.steps import Timings


@dataclass(frozen=True)
class Outcome:
    """The verdict on a run, and its results directory."""

    verdict: Verdict
    exit_code: int
    folder: Path
    summary: str

    @property
    def passed(self) -> bool:
        """Whether tests ran, and all of them passed."""
        return self.verdict is Verdict.PASSED


def assemble(folder: Path, run_id: str, tier: str, driven: DriverReport, timings: Timings) -> Outcome:
    """Complete what a run collected in a folder to the files that a results directory always holds."""
    problem, parts = driven.problem, {}
    junit = folder / "junit.xml"
    if junit.exists():
        parts[tier] = junit.read_text(encoding="utf-8")
    elif not problem:
        ended = f"the test process ended with exit code {driven.exit_code}"
        problem = f"{ended} and left no junit.xml; its log says why"
    if problem:
        parts[PROBLEM_SUITE] = problem_suite(timings.steps, problem)
    merged = merge_junit(parts)
    tests = read_junit(merge_junit({tier: parts[tier]})) if tier in parts else None
    judged = verdict.judge(driven.exit_code, tests, problem)
    exit_code = verdict.exit_code(judged, driven.exit_code)
    note_first_test(parts.get(tier, ""), tier, run_id, timings)
    page = summary(
        verdict=judged,
        tier=tier,
        junit=read_junit(merged),
        steps=timings.steps,
        problem=problem,
        run_id=run_id,
        kept_as=driven.kept_as,
        notes=driven.notes,
    )
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    written = {
        "junit.xml": merged,
        "timings.json": timings.to_json(run_id, tier),
        "summary.md": page,
        "exit-code": f"{exit_code}\n",
    }
    where_missing = {
        "coverage.xml": empty_coverage(),
        "events.txt": "the run ended before there were events\n",
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in where_missing.items():
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    return Outcome(judged, exit_code, folder, page)


def empty_coverage() -> str:
    """Return a Cobertura document without a line, for a run that measured none."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">\n'
        '<coverage version="floe-ci" timestamp="0" lines-valid="0" lines-covered="0" line-rate="0" '
        'branches-valid="0" branches-covered="0" branch-rate="0" complexity="0">\n'
        "  <sources/>\n"
        "  <packages/>\n"
        "</coverage>\n"
    )


def note_first_test(junit: str, tier: str, run_id: str, timings: Timings) -> None:
    """Note when pytest began, by its own word, as the time of the first test."""
    document = read_junit(junit)
    began = next((suite.timestamp for suite in document or () if suite.timestamp), None)
    if began:
        moment = datetime.fromisoformat(began)
        # Older versions of pytest leave out the zone; the runner's is UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        timings.first_test(at=(moment - timings.measured(run_id, tier).started_at).total_seconds())
