"""The verdict on a run, and the exit code that says it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from floe_ci.ends import Problem
    from floe_ci.junit import Case


class Verdict(StrEnum):
    """What a run came to."""

    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    ERRORED = "errored"
    NOTHING_RAN = "nothing ran"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Outcome:
    """The verdict on a run, and its results directory."""

    verdict: Verdict
    exit_code: int
    folder: Path
    summary: str
    problem: str | None = None
    """What went wrong beside the tests, whole."""
    began: bool = True
    """Whether the tests' process was started."""
    lasts: bool = False
    """Whether another attempt would come to the same."""

    @property
    def reason(self) -> str:
        """The verdict, and what it is for in as few words as there are."""
        return (
            f"{self.verdict}: {self.problem}" if self.problem else self.summary.strip().splitlines()[0].replace("*", "")
        )

    @property
    def passed(self) -> bool:
        """Whether tests ran, and all of them passed."""
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True)
class Meaning:
    """A verdict's exit codes, and what they mean."""

    verdict: Verdict
    codes: tuple[int, ...]
    text: str


EXIT_CODES: Final = (
    Meaning(Verdict.PASSED, (0,), "tests ran, and none failed"),
    Meaning(Verdict.FAILED, (1,), "tests failed, or the repository's own gate on them did, such as --cov-fail-under"),
    Meaning(
        Verdict.REFUSED,
        (2,),
        "bad input: options, configuration, packages that can't be resolved, a conftest.py or test module that can't "
        "be imported, arguments that pytest refuses",
    ),
    Meaning(
        Verdict.ERRORED,
        (3,),
        "infrastructure: a service, the cluster, the engine, the connection; or the test process ended before its time",
    ),
    Meaning(Verdict.NOTHING_RAN, (5,), "no test is selected, or every one was skipped"),
    Meaning(Verdict.TIMED_OUT, (124,), "the tests took longer than they may"),
    Meaning(Verdict.OUT_OF_MEMORY, (137,), "the kernel ended the tests or a service for want of memory"),
    Meaning(Verdict.INTERRUPTED, (129, 130, 143), "the run was ended by SIGHUP, SIGINT or SIGTERM"),
)
"""The same in every place."""

_CODES: Final = {meaning.verdict: meaning.codes[0] for meaning in EXIT_CODES}
_BY_PROBLEM: Final = {
    "memory": Verdict.OUT_OF_MEMORY,
    "timeout": Verdict.TIMED_OUT,
    "infrastructure": Verdict.ERRORED,
}
_WORST_FIRST: Final = (
    Verdict.INTERRUPTED,
    Verdict.OUT_OF_MEMORY,
    Verdict.TIMED_OUT,
    Verdict.FAILED,
    Verdict.REFUSED,
    Verdict.ERRORED,
    Verdict.PASSED,
)
"""The order in which the verdicts on several processes count, as what decides on one does."""
_SIGNALLED: Final = 128
_TESTS_FAILED, _PYTEST_INTERRUPTED, _USAGE_ERROR, _NO_TESTS = 1, 2, 4, 5
"""pytest's exit codes."""


def of_exit_code(code: int) -> Verdict:
    """Return the verdict that an exit code stands for."""
    return next((meaning.verdict for meaning in EXIT_CODES if code in meaning.codes), Verdict.ERRORED)


@dataclass(frozen=True)
class Evidence:
    """What is known of a run that has ended."""

    exit_code: int | None = None
    """The test process's own, as a shell gives it; None: it never ended by itself."""
    problem: Problem | None = None
    """What ended the run beside the tests' own verdict."""
    cases: Sequence[Case] | None = None
    """The tests that ended; None: nothing tells of any."""
    whole: bool = True
    """Whether those are all that ran, as far as their file tells."""
    finished: bool | None = None
    """Whether pytest came to its end; None: nothing tells."""
    own_code: int | None = None
    """The exit code that pytest said it ends with, if it did."""
    lost: str = ""
    """What became of the test process, where it has no exit code."""


@dataclass(frozen=True)
class Judgement:
    """The verdict, its exit code, and the reason where no test tells it."""

    verdict: Verdict
    exit_code: int
    reason: str | None = None

    @property
    def meaning(self) -> str:
        """What the verdict means, in the words of the table of exit codes."""
        return next(meaning.text for meaning in EXIT_CODES if meaning.verdict is self.verdict)


def judge(evidence: Evidence) -> Judgement:
    """Return the verdict on a run: only proof makes it green.

    What stopped the run from outside comes first, then the tests that failed, then the test process's exit code.
    """
    problem = evidence.problem
    if problem and problem.kind == "interrupted":
        return Judgement(Verdict.INTERRUPTED, _SIGNALLED + (problem.signal or signal.SIGINT))
    if problem and problem.kind in _BY_PROBLEM:
        return judgement(_BY_PROBLEM[problem.kind])
    bad = [case for case in evidence.cases or () if case.bad and not (case.of_pytest or case.is_unfinished)]
    if bad:
        return judgement(Verdict.REFUSED if all(case.of_collection for case in bad) else Verdict.FAILED)
    if problem:
        return judgement(Verdict.REFUSED)
    if any(case.of_pytest for case in evidence.cases or ()):
        return judgement(Verdict.ERRORED, "pytest or one of its plugins broke")
    return _by_exit_code(evidence)


def judge_together(judgements: Mapping[str, Judgement]) -> Judgement:
    """Return the verdict on a run of several parts, each judged by itself, by what a reader calls it.

    A part that ran nothing counts only where none ran anything; else the worst decides, and all reasons are told.
    """
    ran = {name: each for name, each in judgements.items() if each.verdict is not Verdict.NOTHING_RAN}
    if not ran:
        return judgement(Verdict.NOTHING_RAN)
    worst = min(ran.values(), key=lambda each: _WORST_FIRST.index(each.verdict))
    reasons = {name: each.reason for name, each in ran.items() if each.reason}
    if len(reasons) == len(judgements) and len(set(reasons.values())) == 1:
        return worst
    told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    return Judgement(worst.verdict, worst.exit_code, told or None)


def _by_exit_code(evidence: Evidence) -> Judgement:
    code, cases = evidence.exit_code, evidence.cases
    ran = any(case.ran for case in cases or ())
    came_to_end = evidence.finished is not False and not any(case.is_unfinished for case in cases or ())
    # That pytest ran is known from what it wrote: a Python that can't even import it ends with 1 as well.
    ended = came_to_end and cases is not None and evidence.whole and evidence.own_code in {None, code}
    if code == _USAGE_ERROR and came_to_end and not ran:
        return judgement(Verdict.REFUSED, "pytest could not start")
    if code == _NO_TESTS and came_to_end and not ran:
        return judgement(Verdict.NOTHING_RAN)
    if code == 0 and ended:
        return judgement(Verdict.PASSED if ran else Verdict.NOTHING_RAN)
    if code == _TESTS_FAILED and ended:
        return judgement(Verdict.FAILED, "no test failed, and pytest ended with exit code 1 all the same")
    return judgement(Verdict.ERRORED, _before_its_time(evidence))


def _before_its_time(evidence: Evidence) -> str:
    code = evidence.exit_code
    if code is None:
        return evidence.lost or "the test process did not come to an end of its own"
    if name := _signal_name(code - _SIGNALLED):
        hint = ", which is often the kernel's, for want of memory" if name == "SIGKILL" else ""
        return f"the test process was ended by {name}{hint}"
    told = {
        f"the test process ended with exit code {code} and told of no test": evidence.cases is None,
        f"pytest ended with exit code {evidence.own_code}, and the test process then with {code}": (
            evidence.own_code not in {None, code}
        ),
        f"the account of the tests is not whole; the test process ended with exit code {code}": not evidence.whole,
        "pytest was interrupted from within: it ended with exit code 2": code == _PYTEST_INTERRUPTED,
    }
    return next(
        (text for text, is_so in told.items() if is_so),
        f"the test process ended before its time, with exit code {code}",
    )


def judgement(verdict: Verdict, reason: str | None = None) -> Judgement:
    """Return a verdict with its own exit code."""
    return Judgement(verdict, _CODES[verdict], reason)


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def table(meanings: Iterable[Meaning] = EXIT_CODES) -> str:
    """Return the exit codes for a terminal, a line each."""
    return "\n".join(f"{', '.join(map(str, each.codes)):<13} {each.verdict}: {each.text}" for each in meanings)
