"""The verdict on a run, and the exit code that says it: the first that is known of what may be true."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from floe_ci.contract import NO_RESULT
from floe_ci.ends import Problem
from floe_ci.junit import Case, Result
from floe_ci.verdict import EXIT_CODES, Evidence, Verdict, judge, of_exit_code, table

GOOD = Case("t", "good")
SKIPPED = Case("t", "skipped", 0.0, (Result("skipped", "no"),))
EXPECTED = Case("t", "expected", 0.0, (Result("skipped", "bug", "", "pytest.xfail"),))
FAILED = Case("t", "failed", 0.0, (Result("failed", "assert 0"),))
ERRORED = Case("t", "errored", 0.0, (Result("errored", "no server"),))
COLLECTION = Case("", "tests.test_c", 0.0, (Result("errored", "collection failure"),))
UNFINISHED = Case("t", "unfinished", 0.0, (Result("errored", f"{NO_RESULT}it was running"),))
INTERNAL = Case("pytest", "internal", 0.0, (Result("errored", "internal error"),))

P, F, R, E, N = Verdict.PASSED, Verdict.FAILED, Verdict.REFUSED, Verdict.ERRORED, Verdict.NOTHING_RAN

CASES = {
    "unknown": None,
    "none": (),
    "good": (GOOD, SKIPPED),
    "expected": (EXPECTED,),
    "skipped": (SKIPPED,),
    "failed": (GOOD, FAILED),
    "errored": (GOOD, ERRORED),
    "collection": (COLLECTION,),
    "collection, good": (COLLECTION, GOOD),
    "collection, failed": (COLLECTION, FAILED),
    "unfinished": (GOOD, UNFINISHED),
    "unfinished, failed": (FAILED, UNFINISHED),
    "internal": (INTERNAL, GOOD),
    "internal, failed": (INTERNAL, FAILED),
}
CODES = (0, 1, 2, 3, 4, 5, 124, 130, 137, 139, None)
TABLE = {
    # by what there is of tests: the verdict for each of the exit codes
    "unknown": (E, E, E, E, R, N, E, E, E, E, E),
    "none": (N, F, E, E, R, N, E, E, E, E, E),
    "good": (P, F, E, E, E, E, E, E, E, E, E),
    "expected": (P, F, E, E, E, E, E, E, E, E, E),
    "skipped": (N, F, E, E, R, N, E, E, E, E, E),
    "failed": (F,) * 11,
    "errored": (F,) * 11,
    "collection": (R,) * 11,
    "collection, good": (R,) * 11,
    "collection, failed": (F,) * 11,
    "unfinished": (E,) * 11,
    "unfinished, failed": (F,) * 11,
    "internal, failed": (F,) * 11,
}
"""Of tests whose account is whole, as far as is known."""
NUMBER = {P: 0, F: 1, R: 2, E: 3, N: 5}


@pytest.mark.parametrize(("cases", "number"), [*product(TABLE, range(len(CODES)))])
def test_of_tests(cases: str, number: int) -> None:
    """Tests that failed win over every exit code, collection errors alone are a refusal, and only proof is green."""
    judged = judge(Evidence(CODES[number], None, CASES[cases]))
    expected = TABLE[cases][number]
    assert (judged.verdict, judged.exit_code) == (expected, NUMBER[expected])


def test_test_that_says_no_result() -> None:
    """A test that is skipped, or fails, with words like those of one without an end is what it says of itself."""
    skipped = Case("t", "skipped", 0.0, (Result("skipped", f"{NO_RESULT}no backend"),))
    assert judge(Evidence(0, None, (GOOD, skipped), own_code=0)).exit_code == 0
    failed = Case("t", "failed", 0.0, (Result("failed", f"{NO_RESULT}no backend"),))
    assert judge(Evidence(1, None, (failed,), own_code=1)).exit_code == 1


@pytest.mark.parametrize("code", CODES)
def test_internal_error(code: int | None) -> None:
    """An error in pytest itself is no failed test, and no success."""
    for cases in (CASES["internal"], (INTERNAL,)):
        judged = judge(Evidence(code, None, cases))
        assert (judged.exit_code, judged.reason) == (3, "pytest or one of its plugins broke")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5, 139, None])
@pytest.mark.parametrize("incomplete", [{"whole": False}, {"finished": False}, {"finished": True, "own_code": 77}])
def test_account_that_is_not_whole(code: int | None, incomplete: dict[str, Any]) -> None:
    """Where tests are missing from the account, or it was another end, no exit code is a success or a gate."""
    judged = judge(Evidence(code, None, (GOOD,), **incomplete))
    assert (judged.verdict, judged.exit_code) == (E, 3)
    assert judge(Evidence(code, None, (GOOD, FAILED), **incomplete)).exit_code == 1


@pytest.mark.parametrize("code", [4, 5])
@pytest.mark.parametrize("cases", ["none", "skipped"])
def test_process_that_ends_with_a_code_of_pytests(code: int, cases: str) -> None:
    """A process that a test ends has not been refused by pytest, nor had no tests, though its exit code says so."""
    judged = judge(Evidence(code, None, CASES[cases], finished=False))
    assert (judged.verdict, judged.exit_code) == (E, 3)


PROBLEMS: dict[str, tuple[Problem, Verdict, int]] = {
    "hangup": (Problem("interrupted", "x", signal=1), Verdict.INTERRUPTED, 129),
    "interrupt": (Problem("interrupted", "x", signal=2), Verdict.INTERRUPTED, 130),
    "unknown signal": (Problem("interrupted", "x"), Verdict.INTERRUPTED, 130),
    "terminated": (Problem("interrupted", "x", signal=15), Verdict.INTERRUPTED, 143),
    "memory": (Problem("memory", "x"), Verdict.OUT_OF_MEMORY, 137),
    "timeout": (Problem("timeout", "x"), Verdict.TIMED_OUT, 124),
    "infrastructure": (Problem("infrastructure", "x"), Verdict.ERRORED, 3),
}


@pytest.mark.parametrize(("problem", "cases"), [*product(PROBLEMS, CASES)])
def test_what_stopped_the_run(problem: str, cases: str) -> None:
    """What ended a run from outside decides, whatever its tests and its process came to until then."""
    given, verdict, number = PROBLEMS[problem]
    for code, whole, finished in product(CODES, (True, False), (True, False, None)):
        judged = judge(Evidence(code, given, CASES[cases], whole, finished))
        assert (judged.verdict, judged.exit_code) == (verdict, number)


@pytest.mark.parametrize("code", CODES)
def test_bad_input(code: int | None) -> None:
    """Bad input is a refusal, unless tests ran and failed."""
    problem = Problem("input", "no such option")
    for cases in (None, (), (GOOD,), (SKIPPED,), (COLLECTION,)):
        assert judge(Evidence(code, problem, cases)).exit_code == 2
    assert judge(Evidence(code, problem, (FAILED,))).exit_code == 1


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(1, None, (GOOD,)), "no test failed, and pytest ended with exit code 1 all the same"),
        (Evidence(4, None, ()), "pytest could not start"),
        (
            Evidence(1, None, (GOOD,), finished=True, own_code=0),
            "pytest ended with exit code 0, and the test process then with 1",
        ),
        (Evidence(1), "the test process ended with exit code 1 and told of no test"),
        (Evidence(0, None, (GOOD,), finished=False), "the test process ended before its time, with exit code 0"),
        (Evidence(2, None, (GOOD,)), "pytest was interrupted from within: it ended with exit code 2"),
        (Evidence(139, None, (GOOD,)), "the test process was ended by SIGSEGV"),
        (
            Evidence(137, None, (GOOD,)),
            "the test process was ended by SIGKILL, which is often the kernel's, for want of memory",
        ),
        (Evidence(250, None, (GOOD,)), "the test process ended before its time, with exit code 250"),
        (Evidence(None, None, (GOOD,)), "the test process did not come to an end of its own"),
        (Evidence(0, None, (GOOD,)), None),
        (Evidence(1, None, (FAILED,)), None),
        (Evidence(5, None, ()), None),
    ],
)
def test_reason(evidence: Evidence, reason: str | None) -> None:
    """A verdict that no test explains is explained in words."""
    assert judge(evidence).reason == reason


def test_each_code_has_one_meaning() -> None:
    """Every verdict has an exit code of its own, and no code has two meanings."""
    codes = [code for meaning in EXIT_CODES for code in meaning.codes]
    assert len(codes) == len(set(codes))
    assert {meaning.verdict for meaning in EXIT_CODES} == set(Verdict)
    assert all(of_exit_code(code) is meaning.verdict for meaning in EXIT_CODES for code in meaning.codes)
    assert of_exit_code(77) is Verdict.ERRORED


def test_table() -> None:
    """The table for `--help` has a line for each verdict, with all its codes."""
    lines = table().splitlines()
    assert len(lines) == len(EXIT_CODES)
    assert lines[0] == "0             passed: tests ran, and none failed"
    assert lines[-1].startswith("129, 130, 143 interrupted: ")
