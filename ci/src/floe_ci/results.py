"""The results directory: what every run leaves, whatever became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_ci import report
from floe_ci.report import Verdict

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
        parts[report.PROBLEM_SUITE] = report.problem_suite(timings.steps, problem)
    merged = report.merge_junit(parts)
    tests = report.read_junit(report.merge_junit({tier: parts[tier]})) if tier in parts else None
    verdict = report.judge(driven.exit_code, tests, problem)
    exit_code = report.exit_code(verdict, driven.exit_code)
    note_first_test(parts.get(tier, ""), tier, run_id, timings)
    summary = report.summary(
        verdict=verdict,
        tier=tier,
        junit=report.read_junit(merged),
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
        "summary.md": summary,
        "exit-code": f"{exit_code}\n",
    }
    where_missing = {
        "coverage.xml": report.empty_coverage(),
        "events.txt": "the run ended before there were events\n",
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in where_missing.items():
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    return Outcome(verdict, exit_code, folder, summary)


def note_first_test(junit: str, tier: str, run_id: str, timings: Timings) -> None:
    """Note when pytest began, by its own word, as the time of the first test."""
    document = report.read_junit(junit)
    began = next((suite.timestamp for suite in document or () if suite.timestamp), None)
    if began:
        moment = datetime.fromisoformat(began)
        # Older versions of pytest leave out the zone; the runner's is UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        timings.first_test(at=(moment - timings.measured(run_id, tier).started_at).total_seconds())
