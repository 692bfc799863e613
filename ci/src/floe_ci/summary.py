"""`summary.md`: what happened, for a reader."""

import html
import re
from collections.abc import Sequence
from typing import Final

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from floe_ci.attempts import attempts
from floe_ci.junit import PROBLEM_SUITE, Counts, first_line, flaky, name_of, outcome, xml_text
from floe_ci.steps import Step
from floe_ci.verdict import Verdict

_MESSAGE_LINES: Final = 10
_LINE_LENGTH: Final = 300
_MOST_FAILURES: Final = 50
_SLOWEST: Final = 10

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]|#~])")
_PLACE: Final = re.compile(r"\S+:\d+: .*")
_FURTHER: Final = """\
## To look further

- `logs/`: each pod's log from its start, and previous containers' too
- `events.txt`: what Kubernetes said of the namespace
- `junit.xml`: every test with its full output
- `coverage.xml`: lines measured
- `timings.json`: every step's duration"""


def summary(  # noqa: PLR0913 - one call writes the whole page
    *,
    verdict: Verdict,
    tier: str,
    junit: JUnitXml | None,
    steps: Sequence[Step] = (),
    problem: str | None = None,
    run_id: str | None = None,
    kept_as: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Return `summary.md`: what happened, first in one plain line and then in detail."""
    suites = list(junit) if junit is not None else []
    # The problem has a block of its own, and its suite holds no test.
    told = {PROBLEM_SUITE} if problem else set()
    cases = [(suite.name or "", case) for suite in suites if suite.name not in told for case in suite]
    tests = [case for _, case in cases]
    blocks = [
        _headline(verdict, tier, Counts.of(tests), len(flaky(tests)), run_id),
        *_problem_block(problem),
        *_kept_block(kept_as),
        *_notes_block(notes),
        *_suite_table(suites),
        *_failure_list(cases),
        *_flaky_list(cases),
        *_slowest_table(cases),
        *_step_table(steps),
        _FURTHER,
    ]
    return "\n\n".join(blocks) + "\n"


def _headline(verdict: Verdict, tier: str, counts: Counts, flaked: int, run_id: str | None) -> str:
    told = ", ".join(
        f"{number} {name}"
        for name, number in (
            ("passed", counts.passed),
            ("of them flaky", flaked),
            ("failed", counts.failed),
            ("errored", counts.errored),
            ("skipped", counts.skipped),
        )
        if number
    )
    line = f"**{verdict.capitalize()}**: tier {tier}, {told or 'no test reported'}."
    return f"{line}\n\nRun {_code(run_id)}" if run_id else line


def _problem_block(problem: str | None) -> list[str]:
    return ["## Problem", _fenced(_plain(problem))] if problem else []


def _kept_block(name: str | None) -> list[str]:
    """Return how to enter a cluster that was left, and how to be rid of it."""
    if name is None:
        return []
    return [
        "## The cluster is kept",
        f"Enter it: `dagger call cluster --name {name} shell terminal`, with the options of the run.",
        f"Delete it: `dagger call delete-cluster --name {name}`",
    ]


def _notes_block(notes: Sequence[str]) -> list[str]:
    return ["## Where the tests ran", "\n".join(f"- {_text(note)}" for note in notes)] if notes else []


def _suite_table(suites: Sequence[TestSuite]) -> list[str]:
    if not suites:
        return []
    rows = []
    for suite in suites:
        counts = Counts.of(suite)
        numbers = (counts.total, counts.passed, counts.failed, counts.errored, counts.skipped)
        rows.append([_text(suite.name or ""), *map(str, numbers), _seconds(suite.time or 0.0)])
    header = ["Suite", "Tests", "Passed", "Failed", "Errored", "Skipped", "Time"]
    return ["## Tests", _table(header, rows)]


def _failure_list(cases: Sequence[tuple[str, TestCase]]) -> list[str]:
    bad = [(suite, case) for suite, case in cases if outcome(case) in {"failed", "errored"}]
    if not bad:
        return []
    blocks = ["## Failures", *(_failure(suite, case) for suite, case in bad[:_MOST_FAILURES])]
    if len(bad) > _MOST_FAILURES:
        blocks.append(f"And {len(bad) - _MOST_FAILURES} more, in `junit.xml`.")
    return blocks


def _failure(suite: str, case: TestCase) -> str:
    """Return a list item: the test, and the first lines of its message with the place it came from."""
    results = [result for result in case.result if isinstance(result, (Failure, Error))]
    lines: list[str] = []
    for result in results:
        body = _plain(result.text or "").rstrip().splitlines()
        lines += _plain(result.message or "").splitlines() or body
        if body and _PLACE.fullmatch(body[-1]) and body[-1] not in lines:
            lines = [*lines[: _MESSAGE_LINES - 1], body[-1]]
    head = f"- {outcome(case)}: {_code(name_of(case))} ({_text(suite)})"
    if not lines:
        return head
    shown = [line[:_LINE_LENGTH] for line in lines[:_MESSAGE_LINES]]
    block = _indented(_fenced("\n".join(shown)))
    return f"{head}\n\n{block}"


def _flaky_list(cases: Sequence[tuple[str, TestCase]]) -> list[str]:
    found = flaky(case for _, case in cases)
    told = "\n".join(f"- {_code(name_of(case))}: passed in attempt {attempts(case)}" for case in found)
    return ["## Flaky", f"The log has what the earlier attempts failed with.\n\n{told}"] if found else []


def _slowest_table(cases: Sequence[tuple[str, TestCase]]) -> list[str]:
    timed = sorted(((case.time or 0.0, name_of(case)) for _, case in cases), key=lambda item: -item[0])
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
