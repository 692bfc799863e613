"""The verdict on a run, and the exit code that says it."""

from enum import StrEnum
from typing import Final

from junitparser import JUnitXml

from floe_ci.junit import Counts, all_cases

_NO_TESTS: Final = 5
_OWN_ERRORS: Final = frozenset({2, 3, 4, 124, 137})
"""Pytest's interruption, internal error and wrong usage; `timeout`'s code; SIGKILL, often for memory."""


class Verdict(StrEnum):
    """What a run came to."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    NO_TESTS = "no tests ran"


def judge(exit_code: int | None, junit: JUnitXml | None, problem: str | None = None) -> Verdict:
    """Return the verdict on pytest's exit code, its JUnit file and what failed around it.

    Only proof makes it green: code 0, a JUnit file with a test that ran and none that failed, and no problem.
    """
    verdict = _judge_tests(exit_code, junit)
    return Verdict.ERRORED if problem and verdict is Verdict.PASSED else verdict


def _judge_tests(code: int | None, junit: JUnitXml | None) -> Verdict:
    counts = Counts.of(all_cases(junit)) if junit is not None else None
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
