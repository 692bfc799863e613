"""The end of every run: what it collected is judged, written, and shown to others."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from floe_ci import junit, reasons, report, reporter, shards, verdict
from floe_ci.junit import PROBLEM_KIND, PROBLEM_SUITE, Case, Document, Result, Suite
from floe_ci.report import joint_performance, performance
from floe_ci.shards import Shard
from floe_ci.summary import Page
from floe_ci.verdict import Evidence, Judgement, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from floe_ci.ends import End, Problem
    from floe_ci.folder import RunFolder
    from floe_ci.listeners import Step
    from floe_ci.live import LiveTests
    from floe_ci.steps import Measured, Timings

_LOG: Final = "runner.log"
_SHOWN_RUNNING: Final = 5
UNEQUAL: Final = (
    "the shards did not collect the same tests, so that some may have run twice and others not at all: give their "
    "parameters ids that are the same in every process, or leave the tests in one: --shards 1"
)


@dataclass(frozen=True)
class Part:
    """The tests of a shard, as far as it came to tell of them."""

    tests: tuple[str, ...] = ()
    """Their ids."""
    of: str = ""
    """Tells the tests that it had its part of from others."""

    @classmethod
    def read(cls, path: Path, live: LiveTests) -> Part:
        """Return what a shard's file says; where there is none, or something else, what was heard of it."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(map(str, found["tests"])), str(found["of"]))
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            return cls(tuple(live.tests), live.of)


@dataclass(frozen=True)
class Account:
    """What one process that ran tests told of them."""

    shard: Shard
    document: Document | None
    live: LiveTests | None
    exit_code: int | None
    rest: tuple[Case, ...] = ()
    """Those of its tests that did not run, because it ended before."""
    of: str = ""
    """Tells the tests that it had its part of from others; empty: it ended before it knew them."""

    @property
    def seconds(self) -> float:
        """The time of its tests."""
        return sum(case.seconds for case in self.document.cases) if self.document else 0.0

    def evidence(self, problem: Problem | None) -> Evidence:
        """Return what is known of it."""
        own_code = self.live.exit_code if self.live else None
        finished = own_code is not None if self.live and self.live.heard else None
        cases = None if self.document is None else tuple(self.document.cases)
        whole = self.document is None or self.document.problem is None
        lost = self.live.lost if self.live else ""
        return Evidence(self.exit_code, problem, cases, whole, finished, own_code, lost)

    def of_part(self, part: Part) -> Account:
        """Return it with what it had its part of, and those of its tests that it had no time for."""
        told = replace(self, of=part.of)
        if self.live is None or self.live.exit_code is not None:
            return told
        ended = {case.key for case in self.document.cases} if self.document else set()
        reason = Result("skipped", f"not run: {self.shard} ended before it", kind="floe-ci.not-run")
        rest = (Case(*reporter.address(test), results=(reason,)) for test in part.tests if test not in self.live.ended)
        return replace(
            told, rest=tuple(case for case in rest if case.key not in ended), document=self.document or Document()
        )

    def told(self) -> str:
        """Return what a reader knows it by, with how many tests it left."""
        return f"{self.shard}, {len(self.rest)} of its tests did not run" if self.rest else str(self.shard)

    def suite(self, tier: str) -> Suite:
        """Return its tests as a suite, named after the tier, and after the shard where there are several."""
        document = self.document or Document()
        name = tier if self.shard.is_all else f"{tier} [{self.shard.index + 1}/{self.shard.count}]"
        suite = document.as_suite(name)
        suite.cases += self.rest
        return suite


def finish(  # noqa: PLR0913, PLR0917 - all that is known of a run
    folder: RunFolder, tier: str, run_id: str, end: End, timings: Timings, live: LiveTests | None
) -> Outcome:
    """Judge a run by what is in its folder, complete that, and give it free.

    It never raises for what is in the folder, or for a disk that is full: what can't be written is told.

    Args:
        folder: What the run collected; `junit.xml`, if pytest wrote one, among it.
        tier: Names the suite.
        run_id: The run's.
        end: How it ended.
        timings: Its steps.
        live: What was heard of the tests while they ran, if anything was.
    """
    folder.spend_reserve()
    told = accounts_of(folder, live, end)
    accounts = told_once(told)
    document = joined(accounts)
    judged = judge(told, end, live.too_little if live else "", live.left if live else 0)
    problem = _problem(folder, end, judged, document, live)
    note_first_test(document, timings)
    suites = [each.suite(tier) for each in accounts if each.document is not None]
    if problem:
        step = end.problem.step if end.problem else None
        suites.append(problem_suite(timings.steps, problem, step))
    page = Page(
        verdict=judged.verdict,
        tier=tier,
        suites=suites,
        steps=timings.steps,
        problem=problem,
        run_id=run_id,
        kept=end.kept,
        earlier=end.earlier,
        shards=[each.seconds for each in accounts] if len(accounts) > 1 else (),
        notes=(*end.notes, *folder.incomplete_logs()),
        versions={"floe-ci": version("floe-ci"), **end.versions},
        used=end.used,
        folder=folder.path,
    )
    summary = _write(folder, judged, page, timings.measured(run_id, tier))
    folder.release()
    safe = folder.redactor.text
    began = end.exit_code is not None or bool(live and live.heard)
    lasts = end.problem is not None and end.problem.lasts
    said = safe(problem) if problem else None
    return Outcome(judged.verdict, judged.exit_code, folder.named, safe(summary), said, began, lasts)


def accounts_of(folder: RunFolder, live: LiveTests | None, end: End) -> list[Account]:
    """Return what is told by each process that ran tests: by one, or by one a shard."""
    if live is None or not live.parts:
        return [Account(Shard(), _tests(folder, live), live, end.exit_code)]
    found = []
    for shard, part in zip(shards.all_of(len(live.parts)), live.parts, strict=True):
        account = Account(shard, _tests(folder, part, shard.file("junit.xml")), part, part.process_code)
        found.append(account.of_part(Part.read(folder.path / shard.file(reporter.PART), part)))
    return found


def told_once(accounts: Sequence[Account]) -> list[Account]:
    """Return accounts with each module that can't be imported in the first alone: every shard collects all modules."""
    found, modules = [], set[junit.Key]()
    for account in accounts:
        suites = []
        for suite in account.document.suites if account.document else ():
            cases = [case for case in suite.cases if case.classname or case.key not in modules]
            modules.update(case.key for case in cases if not case.classname)
            suites.append(replace(suite, cases=cases))
        found.append(
            replace(account, document=replace(account.document, suites=tuple(suites))) if account.document else account
        )
    return found


def joined(accounts: Sequence[Account]) -> Document | None:
    """Return what all processes told, as one document; None: none told of any test."""
    documents = [each.document for each in accounts if each.document is not None]
    if not documents:
        return None
    problem = next((each.problem for each in documents if each.problem), None)
    return Document(tuple(suite for each in documents for suite in each.suites), problem)


def judge(accounts: Sequence[Account], end: End, too_little: str = "", left: int = 0) -> Judgement:
    """Return the verdict on a run, by what each of its processes came to, and what they came to together."""
    alone = [verdict.judge(each.evidence(end.problem)) for each in accounts]
    if len(alone) == 1:
        return alone[0]
    told = {each.told(): judged for each, judged in zip(accounts, alone, strict=True)}
    judged = verdict.judge_together(told)
    if left:
        reason = f"{left} tests did not run, for no shard was left to hand them to"
        worse = (
            judged
            if judged.verdict not in {Verdict.PASSED, Verdict.NOTHING_RAN}
            else verdict.judgement(Verdict.ERRORED)
        )
        return replace(worse, reason="; ".join(filter(None, (judged.reason, reason))))
    if judged.verdict is not Verdict.PASSED:
        return judged
    if len({each.of for each in accounts if each.of}) > 1:
        return verdict.judgement(Verdict.REFUSED, UNEQUAL)
    return verdict.judgement(Verdict.FAILED, too_little) if too_little else judged


def problem_suite(steps: Iterable[Step], problem: str, step: str | None = None) -> Suite:
    """Return the suite for what failed outside of the tests: one case, named after the step that failed first."""
    steps = tuple(steps)
    failed = [each for each in steps if each.error is not None and not each.cancelled]
    first = min(failed, key=lambda each: each.started + each.seconds, default=None)
    named = next((each for each in steps if each.name == step), None)
    culprit = named or (None if step else first)
    result = Result("errored", junit.first_line(problem) or "unknown problem", problem, PROBLEM_KIND)
    told = "\n".join(map(_step_line, steps))
    name = step or (first.name if first else "run")
    return Suite(
        PROBLEM_SUITE,
        [Case(PROBLEM_SUITE, name, culprit.seconds if culprit else 0.0, (result,), outputs=(("system-out", told),))],
    )


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


def note_first_test(document: Document | None, timings: Timings) -> None:
    """Note when pytest began, by its own word, as the time of the first test; a clock that tests set says nothing."""
    try:
        moment = datetime.fromisoformat(document.timestamp if document else "")
        # Older versions of pytest leave out the zone; the runner's is UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        at = (moment - timings.started_at).total_seconds()
    except (ValueError, OverflowError):
        return
    if 0 <= at <= timings.elapsed:
        timings.first_test(at=at)


def _tests(folder: RunFolder, live: LiveTests | None, name: str = "junit.xml") -> Document | None:
    """Return the tests that ended, by pytest's own file, and by what was heard where that is missing or cut."""
    heard = live if live and live.heard else None
    told = junit.with_late(heard.cases, heard.late) if heard else []
    path = folder.path / name
    if not path.exists() or (heard and not folder.has_gathered(name)):
        return Document((Suite("", told),)) if heard else None
    document = junit.read(path).of_tests()
    if heard is None:
        return document
    suite = document.as_suite("")
    suite.cases = junit.with_late(junit.with_attempts(suite.cases, heard.attempts), heard.late)
    if document.problem or heard.exit_code is None:
        there = {case.key for case in suite.cases}
        suite.cases += [case for case in told if case.key not in there]
    return Document((suite,), document.problem)


def _problem(
    folder: RunFolder, end: End, judged: Judgement, document: Document | None, live: LiveTests | None
) -> str | None:
    """Return what went wrong beside the tests, whole: its first line says it in short."""
    parts, said = [], ""
    if end.problem:
        parts.append(end.problem.text.strip() or f"the run ended: {end.problem.kind}")
    elif judged.reason:
        log = reasons.tail(_runner_log(folder.path / "logs"))
        said = reasons.of_gate(log) if judged.verdict is Verdict.FAILED else reasons.last_words(log)
        headline = reasons.headline(said) if judged.verdict in {Verdict.FAILED, Verdict.REFUSED} else ""
        told = f"{judged.reason}: {headline}" if headline else judged.reason
        parts.append(f"{told}; {remedy}" if (remedy := reasons.remedy(headline)) else told)
        said = reasons.without_headline(said, headline) if headline else said
    if document and document.problem:
        parts.append(f"junit.xml: {document.problem}; the tests that were told of before are kept")
    if live and live.broken and judged.verdict is not Verdict.FAILED:
        parts.append(live.broken)
    if parts and live and live.running:
        more = len(live.running) - _SHOWN_RUNNING
        which = ", ".join(live.running[:_SHOWN_RUNNING]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"had started and not ended: {which}")
    if said:
        parts.append(said)
    return "\n".join(parts) or None


def _runner_log(logs: Path) -> Path:
    """Return where the tests' process wrote: in a cluster the folder of its pod has it, and the last pod counts."""
    pods = sorted(logs.glob(f"*/{_LOG}"), key=lambda path: path.stat().st_mtime)
    return pods[-1] if pods and not (logs / _LOG).exists() else logs / _LOG


def _write(folder: RunFolder, judged: Judgement, page: Page, measured: Measured) -> str:
    """Write every file, the most needed first, and return the summary."""
    failed = []

    def attempt(name: str, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            failed.append(f"{name}: it can't be written: {error.strerror or error}")

    summary = page.text()
    attempt("exit-code", lambda: folder.write("exit-code", f"{judged.exit_code}\n"))
    attempt("summary.md", lambda: folder.write("summary.md", summary))
    attempt("timings.json", lambda: folder.write("timings.json", measured.to_json()))
    attempt("junit.xml", lambda: folder.write_parts("junit.xml", junit.write(page.suites)))
    for name, text in {"coverage.xml": empty_coverage(), "events.txt": "no events were recorded\n"}.items():
        if not (folder.path / name).is_file():
            attempt(name, lambda name=name, text=text: folder.write(name, text))  # type: ignore[misc]
    if page.shards:
        attempt(performance.FILE, lambda: _join_performance(folder, len(page.shards), measured.run_id))
    attempt(performance.FILE, lambda: _complete_performance(folder, page, measured))
    ended = {"verdict": judged.verdict, "exit_code": judged.exit_code, "versions": dict(page.versions)}
    attempt("run.json", lambda: folder.end(**ended))
    try:  # last, for it takes the most room, of which there may be little
        report.write(folder, page, measured, judged)
    except Exception as error:  # noqa: BLE001 - the verdict stands, whatever is wrong with the page that shows it
        failed.append(f"{report.FILE}: it can't be written: {junit.first_line(str(error)) or type(error).__name__}")
    # Once more: now it is known what is there.
    summary = page.text(failed)
    attempt("summary.md", lambda: folder.write("summary.md", summary))
    return summary


def _join_performance(folder: RunFolder, count: int, run_id: str) -> None:
    if text := joint_performance.joined(folder.path, shards.all_of(count), run_id):
        folder.write(performance.FILE, text)


def _complete_performance(folder: RunFolder, page: Page, measured: Measured) -> None:
    if text := performance.completed(folder.path, page.used, measured):
        folder.write(performance.FILE, text)


def _step_line(step: Step) -> str:
    outcome = junit.first_line(step.error) or "done"
    return f"{step.started:9.1f} s  {step.name}: {outcome} after {step.seconds:.1f} s"
