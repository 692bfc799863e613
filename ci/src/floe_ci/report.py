"""What `results/` says of a run: the verdict, `junit.xml`, `coverage.xml` and `summary.md`."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Final

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from floe_ci.steps import Step

PROBLEM_SUITE: Final = "floe-ci"
"""The suite for what failed outside of pytest."""

_NO_TESTS: Final = 5
_OWN_ERRORS: Final = frozenset({2, 3, 4, 124, 137})
"""Pytest's interruption, internal error and wrong usage; `timeout`'s code; SIGKILL, often for memory."""
_SHORTEST_SECRET: Final = 6
_MESSAGE_LINES: Final = 10
_LINE_LENGTH: Final = 300
_MOST_FAILURES: Final = 50
_SLOWEST: Final = 10

_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]|#~])")
_PLACE: Final = re.compile(r"\S+:\d+: .*")


class Verdict(StrEnum):
    """What a run came to."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    NO_TESTS = "no tests ran"


@dataclass(frozen=True)
class Counts:
    """Test cases by outcome."""

    passed: int = 0
    failed: int = 0
    errored: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, cases: Iterable[TestCase]) -> "Counts":
        """Count each case once, under its worst outcome."""
        outcomes = [_outcome(case) for case in cases]
        return cls(*(outcomes.count(name) for name in ("passed", "failed", "errored", "skipped")))

    @property
    def total(self) -> int:
        """All cases."""
        return self.executed + self.skipped

    @property
    def executed(self) -> int:
        """The cases that weren't skipped."""
        return self.passed + self.failed + self.errored


def read_junit(text: str | None) -> JUnitXml | None:
    """Return the JUnit document, or None where there is none that can be read."""
    try:
        return JUnitXml.fromstring(text) if text else None
    except (SyntaxError, ValueError, JUnitXmlError):
        return None


def judge(exit_code: int | None, junit: JUnitXml | None, problem: str | None = None) -> Verdict:
    """Return the verdict on pytest's exit code, its JUnit file and what failed around it.

    Only proof makes it green: code 0, a JUnit file with a test that ran and none that failed, and no problem.
    """
    verdict = _judge_tests(exit_code, junit)
    return Verdict.ERRORED if problem and verdict is Verdict.PASSED else verdict


def _judge_tests(code: int | None, junit: JUnitXml | None) -> Verdict:
    counts = Counts.of(_cases(junit)) if junit is not None else None
    # Python's own code is 1 too, where pytest never started: without a JUnit file it is no verdict.
    if counts and (code == 1 or (code in {0, _NO_TESTS} and counts.failed)):
        return Verdict.FAILED
    if code == _NO_TESTS and not (counts and counts.errored):
        return Verdict.NO_TESTS
    if code != 0 or counts is None or counts.errored:
        return Verdict.ERRORED
    return Verdict.PASSED if counts.executed else Verdict.NO_TESTS


def exit_code(verdict: Verdict, pytest_code: int | None) -> int:
    """Return the run's exit code; only "passed" is 0."""
    match verdict:
        case Verdict.PASSED:
            return 0
        case Verdict.FAILED:
            return 1
        case Verdict.NO_TESTS:
            return _NO_TESTS
        case Verdict.ERRORED:
            return pytest_code if pytest_code in _OWN_ERRORS else 2


def merge_junit(parts: Mapping[str, str]) -> str:
    """Return one JUnit document with a suite per source; a part that can't be read is an errored case."""
    merged = JUnitXml()
    for source, text in parts.items():
        merged.add_testsuite(_suite(source, text))
    return _to_text(merged)


def problem_suite(steps: Sequence[Step], problem: str) -> str:
    """Return a JUnit document for what failed outside of pytest, one case named after the failed step."""
    failed = next((step for step in reversed(steps) if step.error is not None), None)
    case = _errored_case(failed.name if failed else "run", problem, failed.seconds if failed else 0.0)
    case.system_out = "\n".join(_step_line(step) for step in steps)
    suite = TestSuite(PROBLEM_SUITE)
    suite.add_testcase(case)
    document = JUnitXml()
    document.add_testsuite(suite)
    return _to_text(document)


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


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with each secret of six characters or more replaced by `***`."""
    # A shorter one would hit plain words. The longest comes first: one secret may begin with another.
    values = sorted({value for value in secrets if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, values)), "***", text) if values else text


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
    blocks = [
        _headline(verdict, tier, Counts.of(case for _, case in cases), run_id),
        *_problem_block(problem),
        *_kept_block(kept_as),
        *_notes_block(notes),
        *_suite_table(suites),
        *_failure_list(cases),
        *_slowest_table(cases),
        *_step_table(steps),
        _FURTHER,
    ]
    return "\n\n".join(blocks) + "\n"


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


_FURTHER: Final = """\
## To look further

- `logs/`: each pod's log from its start, and previous containers' too
- `events.txt`: what Kubernetes said of the namespace
- `junit.xml`: every test with its full output
- `coverage.xml`: lines measured
- `timings.json`: every step's duration"""


def _suite(source: str, text: str) -> TestSuite:
    try:
        return _copied_suite(source, JUnitXml.fromstring(text))
    except (SyntaxError, ValueError, JUnitXmlError) as error:
        problem = f"its JUnit file can't be read: {error}" if text.strip() else "its JUnit file is empty"
        suite = TestSuite(source)
        suite.add_testcase(_errored_case("junit.xml", f"{source}: {problem}", 0.0, source))
        return suite


def _copied_suite(source: str, document: JUnitXml) -> TestSuite:
    """Return the document's suites as one, called `source`."""
    merged = TestSuite(source)
    for suite in document:
        merged.hostname = merged.hostname or suite.hostname
        merged.timestamp = merged.timestamp or suite.timestamp
        for item in suite.properties():  # type: ignore[no-untyped-call]
            merged.add_property(item.name, item.value)
    merged.add_testcases([case for suite in document for case in suite])
    return merged


def _errored_case(name: str, problem: str, seconds: float, classname: str = PROBLEM_SUITE) -> TestCase:
    text = _xml_text(problem)
    case = TestCase(_xml_text(name), classname, round(seconds, 3))
    error = Error(next(iter(text.strip().splitlines()), "unknown problem"), "Problem")
    error.text = text
    case.result = error
    return case


def _to_text(document: JUnitXml) -> str:
    document.update_statistics()  # type: ignore[no-untyped-call]
    file = BytesIO()
    document.write(file)
    return file.getvalue().decode() + "\n"


def _xml_text(text: str) -> str:
    """Leave out what XML can't hold: terminal colours and control characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _ANSI.sub("", text))


def _cases(document: JUnitXml) -> Iterator[TestCase]:
    for suite in document:
        yield from suite


def _outcome(case: TestCase) -> str:
    kinds = {type(result) for result in case.result}
    if Error in kinds:
        return "errored"
    if Failure in kinds:
        return "failed"
    return "skipped" if Skipped in kinds else "passed"


def _headline(verdict: Verdict, tier: str, counts: Counts, run_id: str | None) -> str:
    told = ", ".join(
        f"{number} {name}"
        for name, number in (
            ("passed", counts.passed),
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
    bad = [(suite, case) for suite, case in cases if _outcome(case) in {"failed", "errored"}]
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
    head = f"- {_outcome(case)}: {_code(_test_id(case))} ({_text(suite)})"
    if not lines:
        return head
    shown = [line[:_LINE_LENGTH] for line in lines[:_MESSAGE_LINES]]
    block = _indented(_fenced("\n".join(shown)))
    return f"{head}\n\n{block}"


def _slowest_table(cases: Sequence[tuple[str, TestCase]]) -> list[str]:
    timed = sorted(((case.time or 0.0, _test_id(case)) for _, case in cases), key=lambda item: -item[0])
    rows = [[_seconds(seconds), _cell(_code(name))] for seconds, name in timed[:_SLOWEST] if seconds > 0]
    return ["## Slowest tests", _table(["Time", "Test"], rows)] if rows else []


def _step_table(steps: Sequence[Step]) -> list[str]:
    rows = [
        [
            _text(step.name),
            _seconds(step.started),
            _seconds(step.seconds),
            _text(_first_line(step.error) or "done"),
        ]
        for step in steps
    ]
    return ["## Steps", _table(["Step", "Started", "Took", "Outcome"], rows)] if rows else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _step_line(step: Step) -> str:
    outcome = _xml_text(_first_line(step.error)) or "done"
    return f"{step.started:9.1f} s  {_xml_text(step.name)}: {outcome} after {step.seconds:.1f} s"


def _first_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()), "")[:_LINE_LENGTH]


def _test_id(case: TestCase) -> str:
    return "::".join(part for part in (case.classname, case.name) if part) or "unnamed test"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _plain(text: str) -> str:
    return _xml_text(text).replace("\r", "")


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
