"""What a `junit.xml` holds of a session that came to a sudden end."""

from __future__ import annotations

import random
import signal
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from floe_testing.results.junit import NO_RESULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.requirement("REQ-644")

MANY = """
import random
import pytest

@pytest.mark.parametrize("number", range(400))
def test_one(number):
    print("output of", number, "<&]]>--" * random.randrange(1000))
    assert number % 7
"""
HANGING = """
import logging
import os
import sys

def test_before():
    pass

def test_hangs(say, hang):
    print("printed < so far")
    print("and to stderr", file=sys.stderr)
    logging.getLogger("app").warning("logged so far")
    os.system("echo by a process")
    say("hangs")
    hang()
"""


def told(lines: Iterable[str]) -> dict[str, set[str]]:
    """Return the tests that are said to have begun and ended."""
    found: dict[str, set[str]] = {"began": set(), "ended": set()}
    for line in lines:
        word, _, name = line.partition(" ")
        found[word].add(name)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_random(seed: int, start: Callable[..., Any]) -> None:
    """SIGKILL at any moment leaves a file with every test that had ended, and as an error the one that ran."""
    session = start(MANY, "-o", "junit_logging=all")
    moment = random.Random(seed).randrange(1, 800)  # noqa: S311 - no secret
    lines = list(islice(session.lines(), moment))
    session.process.kill()
    known = told([*lines, *session.lines()])
    session.end()
    cases = {case.name: case for case in session.cases()}
    unfinished = [case.name for case in cases.values() if case.error == NO_RESULT]
    assert len(cases) == len(session.cases())
    assert known["ended"] <= set(cases) - set(unfinished)
    assert known["began"] <= set(cases)
    assert len(unfinished) <= 1
    for name in known["ended"]:
        failed = int(name.rpartition("[")[2].rstrip("]")) % 7 == 0
        assert cases[name].kinds == (("failure",) if failed else ())
        assert "output of" in cases[name].out


def test_killed_while_a_test_hangs(start: Callable[..., Any]) -> None:
    """The test that hung stands there as an error, with what it and its processes had written and logged."""
    session = start(HANGING)
    session.wait_for("hangs")
    session.wait_until(lambda cases: "by a process" in cases[-1].out)
    session.end(signal.SIGKILL)
    before, hung = session.cases()
    assert (before.name, before.kinds) == ("test_before", ())
    assert (hung.name, hung.kinds, hung.error) == ("test_hangs", ("error",), NO_RESULT)
    assert "printed < so far" in hung.out
    assert "logged so far" in hung.out
    assert "and to stderr" in hung.err


def test_killed_in_a_teardown(start: Callable[..., Any]) -> None:
    """A test that failed, and whose teardown hangs, stands there with its failure as well."""
    session = start("""
import pytest

@pytest.fixture
def hanging(say, hang):
    yield
    say("hangs")
    hang()

def test_fails(hanging):
    assert 1 == 2
""")
    session.wait_for("hangs")
    session.end(signal.SIGKILL)
    (case,) = session.cases()
    assert case.kinds == ("failure", "error")
    assert case.error == NO_RESULT


def test_killed_by_itself(start: Callable[..., Any]) -> None:
    """A test that ends the whole process is an error, and those before it have their results."""
    session = start("import os\ndef test_good(): pass\ndef test_exits(): os._exit(3)\ndef test_later(): pass")
    session.end()
    assert [(case.name, case.error) for case in session.cases()] == [("test_good", ""), ("test_exits", NO_RESULT)]


def test_counts_of_a_killed_session(start: Callable[..., Any]) -> None:
    """The numbers of the suite count what has ended, and the test that ran as an error."""
    session = start("""
import pytest
def test_good(): pass
def test_bad(): assert 0
def test_skipped(): pytest.skip("for now")
def test_hangs(say, hang):
    say("hangs")
    hang()
""")
    session.wait_for("hangs")
    session.wait_until(lambda _: session.suite().errors == 1)
    session.end(signal.SIGKILL)
    suite = session.suite()
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 1, 1, 1)
    assert suite.hostname
    assert suite.timestamp


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 143)])
def test_interrupted(number: int, code: int, start: Callable[..., Any]) -> None:
    """Ctrl-C and SIGTERM end the session in good order: the test that ran is an error, with what it had written."""
    session = start(HANGING)
    session.wait_for("hangs")
    printed = session.end(number)
    assert session.process.returncode == code, printed
    before, hung = session.cases()
    assert before.kinds == ()
    assert (hung.kinds, hung.error) == (("error",), NO_RESULT)
    assert "printed < so far" in hung.out
    assert "by a process" in hung.out
    assert "and to stderr" in hung.err
    assert (session.suite().tests, session.suite().errors) == (2, 1)
    assert b"<?floe" not in session.junit.read_bytes()


def test_fixtures_are_torn_down_on_sigterm(start: Callable[..., Any]) -> None:
    """On SIGTERM, fixtures of every scope give back what they hold."""
    session = start("""
import pytest

@pytest.fixture(scope="session")
def held(request):
    yield
    print("given back")
    request.config.rootpath.joinpath("given-back").touch()

def test_hangs(held, say, hang):
    say("hangs")
    hang()
""")
    session.wait_for("hangs")
    session.end(signal.SIGTERM)
    assert (session.junit.parent / "given-back").exists()


@pytest.mark.parametrize("where", ["fixture", "test"])
def test_second_sigterm_kills(where: str, start: Callable[..., Any]) -> None:
    """A session that hangs on its way out, in a fixture or in the test itself, ends on the second SIGTERM."""
    session = start(f"""
import pytest

@pytest.fixture
def hanging(say, hang):
    yield
    say("on its way out")
    hang()

def test_hangs(hanging, say, hang):
    say("hangs")
    try:
        hang()
    finally:
        if "{where}" == "test":
            say("on its way out")
            hang()
""")
    session.wait_for("hangs")
    session.process.terminate()
    session.wait_for("on its way out")
    session.end(signal.SIGTERM)
    assert session.process.returncode == -signal.SIGTERM
    assert [case.error for case in session.cases()] == [NO_RESULT]


def test_handler_of_somebody_else_stays(start: Callable[..., Any]) -> None:
    """Where SIGTERM has a handler already, it keeps it."""
    session = start(
        """
import signal
import conftest

def test_handler():
    assert signal.getsignal(signal.SIGTERM) is conftest.mine
""",
        conftest="""
import signal
def mine(number, frame): pass
signal.signal(signal.SIGTERM, mine)
""",
    )
    session.end()
    assert session.process.returncode == 0
