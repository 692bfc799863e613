"""The results directory: what every run leaves, whatever became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_ci import report
from floe_ci.errors import UserError
from floe_ci.report import Verdict

if TYPE_CHECKING:
    import dagger

    from floe_ci.driver.spec import DriverReport
    from floe_ci.steps import Timings


@dataclass(frozen=True)
class Outcome:
    """The verdict on a run, and its results directory."""

    verdict: Verdict
    exit_code: int
    directory: dagger.Directory
    summary: str

    def require_passed(self) -> dagger.Directory:
        """Return the results of a run that passed.

        Raises:
            UserError: It did not; the message is the summary.
        """
        if self.verdict is not Verdict.PASSED:
            raise UserError(self.summary)
        return self.directory


async def assemble(
    run_id: str, tier: str, driven: DriverReport, collected: dagger.Directory, timings: Timings
) -> Outcome:
    """Complete what a run collected to the files that a results directory always holds."""
    problem, parts = driven.problem, {}
    if await collected.exists("junit.xml"):
        parts[tier] = await collected.file("junit.xml").contents()
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
    )
    directory = (
        collected.with_new_file("junit.xml", merged)
        .with_new_file("timings.json", timings.to_json(run_id, tier))
        .with_new_file("summary.md", summary)
        .with_new_file("exit-code", f"{exit_code}\n")
    )
    if not await collected.exists("coverage.xml"):
        directory = directory.with_new_file("coverage.xml", report.empty_coverage())
    if not await collected.exists("events.txt"):
        directory = directory.with_new_file("events.txt", "the run ended before there were events\n")
    if not await collected.exists("logs"):
        directory = directory.with_new_directory("logs")
    return Outcome(verdict, exit_code, directory, summary)


def note_first_test(junit: str, tier: str, run_id: str, timings: Timings) -> None:
    """Note when pytest began, by its own word, as the time of the first test."""
    document = report.read_junit(junit)
    began = next((suite.timestamp for suite in document or () if suite.timestamp), None)
    if began:
        moment = datetime.fromisoformat(began)
        # Older versions of pytest leave out the zone; the runner's is UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        timings.first_test(at=(moment - timings.measured(run_id, tier).started_at).total_seconds())
