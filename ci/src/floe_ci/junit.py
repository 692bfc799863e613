"""JUnit documents: read, counted, and merged into one with a suite per source."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from floe_ci.attempts import attempts, one_case_each
from floe_ci.steps import Step

PROBLEM_SUITE: Final = "floe-ci"
"""The suite for what failed outside of pytest."""

_LINE_LENGTH: Final = 300
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
        outcomes = [outcome(case) for case in cases]
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


def all_cases(document: JUnitXml) -> Iterator[TestCase]:
    """Yield the cases of every suite."""
    for suite in document:
        yield from suite


def outcome(case: TestCase) -> str:
    """Return a case's worst outcome: errored, failed, skipped or passed."""
    kinds = {type(result) for result in case.result}
    if Error in kinds:
        return "errored"
    if Failure in kinds:
        return "failed"
    return "skipped" if Skipped in kinds else "passed"


def flaky(cases: Iterable[TestCase]) -> list[TestCase]:
    """Return the tests that passed only when they were tried again."""
    return [case for case in cases if attempts(case) > 1 and outcome(case) == "passed"]


def name_of(case: TestCase) -> str:
    """Return what a test is called."""
    return "::".join(part for part in (case.classname, case.name) if part) or "unnamed test"


def first_line(text: str | None) -> str:
    """Return a text's first line, of 300 characters at most."""
    return next(iter((text or "").strip().splitlines()), "")[:_LINE_LENGTH]


def xml_text(text: str) -> str:
    """Leave out what XML can't hold: terminal colours and control characters."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _ANSI.sub("", text))


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
    merged.add_testcases(one_case_each(case for suite in document for case in suite))
    return merged


def _errored_case(name: str, problem: str, seconds: float, classname: str = PROBLEM_SUITE) -> TestCase:
    text = xml_text(problem)
    case = TestCase(xml_text(name), classname, round(seconds, 3))
    error = Error(next(iter(text.strip().splitlines()), "unknown problem"), "Problem")
    error.text = text
    case.result = error
    return case


def _to_text(document: JUnitXml) -> str:
    document.update_statistics()  # type: ignore[no-untyped-call]
    file = BytesIO()
    document.write(file)
    return file.getvalue().decode() + "\n"


def _step_line(step: Step) -> str:
    outcome = xml_text(first_line(step.error)) or "done"
    return f"{step.started:9.1f} s  {xml_text(step.name)}: {outcome} after {step.seconds:.1f} s"
