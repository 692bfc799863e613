"""`summary.md`: what happened, for a reader."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from floe_ci import reasons
from floe_ci.junit import PROBLEM_SUITE, Case, Counts, Suite, first_line, xml_text
from floe_ci.listeners import Step
from floe_ci.shards import balance
from floe_ci.verdict import Verdict

_MESSAGE_LINES: Final = 10
_LINE_LENGTH: Final = 300
_MOST_FAILURES: Final = 50
_SLOWEST: Final = 10

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]|#~])")
FILES: Final = {
    "report.html": "the same with logs, timeline, trend and every test, as a page for a browser",
    "logs/": "what the tests and the services wrote, from their start",
    "events.txt": "what happened to the services, as the place where they ran tells it",
    "pods/": "each pod that was not well, and the nodes, as the cluster saw them",
    "junit.xml": "every test with its full output",
    "coverage.xml": "lines measured",
    "performance.json": "time and memory, as far as they were measured",
    "timings.json": "every step's duration",
    "shards/": "what the tests of each shard wrote",
    "durations.json": "how long each test took, by which the next run's shards are balanced",
    "history.jsonl": "what earlier runs into this folder came to",
}
"""What a results folder may hold beside this summary, and what each is."""
_NOT_TOLD: Final = frozenset({"summary.md", "exit-code", "run.json"})
_MOST_FILES: Final = 50


@dataclass(frozen=True)
class Page:
    """What the summary tells."""

    verdict: Verdict
    tier: str
    suites: Sequence[Suite] = ()
    steps: Sequence[Step] = ()
    problem: str | None = None
    run_id: str | None = None
    kept: Sequence[str] = ()
    """How to enter and to delete what was left."""
    earlier: Sequence[str] = ()
    """What became of attempts before this one."""
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """What the tests had around them, and in which version."""
    used: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """What pods and nodes took, for `performance.json`."""
    shards: Sequence[float] = ()
    """Seconds of the tests of each shard, where there are several."""
    folder: Path | None = None
    """The results, of which each file is named."""

    @property
    def cases(self) -> list[tuple[str, Case]]:
        """The tests, each with its suite: the problem has a block of its own, and its suite holds no test."""
        told = {PROBLEM_SUITE} if self.problem else set()
        return [(suite.name, case) for suite in self.suites if suite.name not in told for case in suite.cases]

    @property
    def tests(self) -> list[Case]:
        """The tests."""
        return [case for _, case in self.cases]

    @property
    def first_cause(self) -> str:
        """What went wrong first, in one line: what broke the run, or else the first test that failed."""
        lines = [line.strip() for line in _plain(self.problem or "").splitlines() if line.strip()]
        if lines:
            return " ".join(lines[:2] if lines[0].endswith(":") else lines[:1])
        failed = next((case for case in self.tests if case.bad), None)
        return f"{failed.title}: {_short_reason(failed)}" if failed else ""

    def files(self) -> list[tuple[str, str]]:
        """Return what is in the results, each with what it holds."""
        if self.folder is None or not self.folder.is_dir():
            return []
        names = {f"{path.name}/" if path.is_dir() else path.name for path in self.folder.iterdir()}
        others = sorted(name for name in names - FILES.keys() - _NOT_TOLD if not name.startswith("."))
        return [(name, told) for name, told in FILES.items() if name in names] + [
            (name, "written by the tests") for name in others
        ]

    def text(self, further_notes: Sequence[str] = ()) -> str:
        """Return `summary.md`: what happened, first in one plain line and then in detail."""
        cases, tests = self.cases, self.tests
        blocks = [
            _headline(self.verdict, self.tier, tests),
            *_cause(self.first_cause),
            *([f"Run {_code(self.run_id)}"] if self.run_id else []),
            *_problem_block(self.problem),
            *_list("## What was left", self.kept),
            *_list("## Attempts before this one", self.earlier),
            *_list("## Where the tests ran", (*self.notes, *further_notes)),
            *_suite_table(self.suites),
            *_balance(self.shards),
            *_failure_list(cases),
            *_flaky_list(cases),
            *_slowest_table(cases),
            *_step_table(self.steps),
            *_list(
                "## What the tests ran with", [f"{name} {version}".rstrip() for name, version in self.versions.items()]
            ),
            *_files(self.files()),
        ]
        return "\n\n".join(blocks) + "\n"


def _headline(verdict: Verdict, tier: str, tests: Sequence[Case]) -> str:
    counts = Counts.of(tests)
    told = ", ".join(
        f"{number} {name}"
        for name, number in (
            ("passed", counts.passed),
            ("of them flaky", sum(case.flaky for case in tests)),
            ("failed", counts.failed),
            ("errored", counts.errored),
            ("skipped", counts.skipped),
        )
        if number
    )
    return f"**{verdict.capitalize()}**: tier {_text(tier)}, {told or 'no test reported'}."


def _short_reason(case: Case) -> str:
    """Return in one line why a test did not pass; of a module that can't be imported pytest tells the place first."""
    reason = _plain(case.reason)
    raised = reasons.headline(reason) if case.of_collection else ""
    return raised or first_line(reason) or case.outcome


def _cause(cause: str) -> list[str]:
    return [f"**First cause**: {_text(cause[:_LINE_LENGTH])}"] if cause else []


def _problem_block(problem: str | None) -> list[str]:
    return ["## Problem", _fenced(_plain(problem))] if problem else []


def _list(heading: str, lines: Sequence[str]) -> list[str]:
    return [heading, "\n".join(f"- {_text(line)}" for line in lines)] if lines else []


def _files(files: Sequence[tuple[str, str]]) -> list[str]:
    lines = [f"- {_code(name)}: {told}" for name, told in files]
    more = [f"- and {len(lines) - _MOST_FILES} more"] if len(lines) > _MOST_FILES else []
    return ["## To look further", "\n".join([*lines[:_MOST_FILES], *more])] if lines else []


def _suite_table(suites: Sequence[Suite]) -> list[str]:
    if not suites:
        return []
    rows = []
    for suite in suites:
        counts = Counts.of(suite.cases)
        numbers = (counts.total, counts.passed, counts.failed, counts.errored, counts.skipped)
        rows.append([_text(suite.name), *map(str, numbers), _seconds(suite.seconds)])
    header = ["Suite", "Tests", "Passed", "Failed", "Errored", "Skipped", "Time"]
    return ["## Tests", _table(header, rows)]


def _balance(seconds: Sequence[float]) -> list[str]:
    if not seconds:
        return []
    slowest = max(range(len(seconds)), key=seconds.__getitem__)
    mean = sum(seconds) / len(seconds)
    line = (
        f"Slowest of {len(seconds)} shards: shard {slowest + 1} with {_seconds(seconds[slowest])} of tests; "
        f"the mean is {_seconds(mean)} (slowest/mean {balance(seconds):.2f}; 1 is balanced)."
    )
    return [line]


def _failure_list(cases: Sequence[tuple[str, Case]]) -> list[str]:
    bad = [(suite, case) for suite, case in cases if case.bad]
    if not bad:
        return []
    blocks = ["## Failures", *(_failure(suite, case) for suite, case in bad[:_MOST_FAILURES])]
    if len(bad) > _MOST_FAILURES:
        blocks.append(f"And {len(bad) - _MOST_FAILURES} more, in `junit.xml`.")
    return blocks


def _failure(suite: str, case: Case) -> str:
    """Return a list item: the test, and the first lines of its reason with the place it came from."""
    head = f"- {case.outcome}: {_code(case.title)} ({_text(suite)})"
    lines = brief(_plain(case.reason))
    return f"{head}\n\n{_indented(_fenced(chr(10).join(lines)))}" if lines else head


def brief(reason: str, most: int = _MESSAGE_LINES) -> list[str]:
    """Return a reason's first lines, and the last, which says where it came from."""
    lines = [line[:_LINE_LENGTH] for line in reason.splitlines() if line.strip()]
    return lines if len(lines) <= most else [*lines[: most - 2], "[...]", lines[-1]]


def _flaky_list(cases: Sequence[tuple[str, Case]]) -> list[str]:
    told = "\n".join(f"- {_code(case.title)}: passed in attempt {case.attempts}" for _, case in cases if case.flaky)
    return ["## Flaky", f"The log has what the earlier attempts failed with.\n\n{told}"] if told else []


def _slowest_table(cases: Sequence[tuple[str, Case]]) -> list[str]:
    timed = sorted(((case.seconds, case.title) for _, case in cases), key=lambda item: -item[0])
    rows = [[_seconds(seconds), _cell(_code(name))] for seconds, name in timed[:_SLOWEST] if seconds > 0]
    return ["## Slowest tests", _table(["Time", "Test"], rows)] if rows else []


def _step_table(steps: Sequence[Step]) -> list[str]:
    rows = [
        [
            _text(step.name),
            _seconds(step.started),
            _seconds(step.seconds),
            _text(first_line(step.error) or "done"),
        ]
        for step in steps
    ]
    return ["## Steps", _table(["Step", "Started", "Took", "Outcome"], rows)] if rows else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _plain(text: str) -> str:
    return xml_text(text).replace("\r", "")


def _text(text: str) -> str:
    """Return `text` on one line, so that nothing in it is markup."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(_plain(text).split()), quote=False))


def _code(text: str) -> str:
    """Return `text` as inline code, with more backticks around it than it has within."""
    line = " ".join(_plain(text).split())
    fence = "`" * (_longest_run(line) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def _cell(text: str) -> str:
    """Return `text` for a table, where a bar ends the cell even inside code."""
    return text.replace("|", "\\|")


def _fenced(text: str) -> str:
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
