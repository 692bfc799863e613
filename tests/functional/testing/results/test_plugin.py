"""The file that streams, beside the one that pytest would have written."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from floe_testing.results.junit import NO_RESULT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ("pytester",)
EVERYTHING = """
import logging
import sys
import warnings
import pytest

@pytest.fixture
def broken_setup():
    raise RuntimeError("no ü here")

@pytest.fixture
def broken_teardown():
    yield
    raise RuntimeError("teardown -- broke")

class TestIn:
    class TestDeeper:
        def test_good(self):
            print("out \\x07 ]]> ?>")
            print("err", file=sys.stderr)
            logging.getLogger("app").warning("log")

def test_bad():
    print("before it failed")
    assert "<a>" == "<b>"

def test_setup(broken_setup): pass
def test_teardown(broken_teardown): pass
def test_both(broken_teardown): assert 0
def test_skipped(): pytest.skip("not today")
@pytest.mark.skip(reason="never")
def test_marked(): pass
@pytest.mark.xfail(reason="known")
def test_xfail(): assert 0
@pytest.mark.xfail(strict=True)
def test_xpass_strict(): pass
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.parametrize("value", ["a/b", "c::d", "[e]"])
def test_value(value, record_property):
    record_property("value", value)
def test_suite(record_testsuite_property):
    record_testsuite_property("build", 7)
def test_failing_module():
    pytest.importorskip("no_such_module")
"""
SUBTESTS = """
import unittest
import pytest

def test_two_of_three(subtests):
    for number in range(3):
        with subtests.test("part", number=number):
            assert number == 1

def test_all_good(subtests):
    with subtests.test("part"):
        pass

def test_part_and_whole(subtests):
    with subtests.test("part"):
        assert 0
    assert 1 == 2

def test_skipped_part(subtests):
    with subtests.test("part"):
        pytest.skip("not here")

class TestOld(unittest.TestCase):
    def test_parts(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(number, 1)
"""


PLUGIN = ("-p", "floe_testing.results.plugin")


def comparable(path: Path) -> str:
    """Return a file's text without what differs from session to session."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'(time|timestamp|hostname)="[^"]*"|0x[0-9a-f]+', "", text)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Return what runs a module of tests in this process, with nothing but the plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("FLOE_RESULTS_DIR", raising=False)
    pytester.makeini("[pytest]\nmarkers = requirement\nfilterwarnings = ignore:record_property\n")

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        # Here, and not above: pytest sets it anew for the call. The session is to be no part of this test.
        monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
        pytester.makepyfile(test_it=tests)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-o", "junit_logging=all"],
        ["-o", "junit_logging=all", "-o", "junit_log_passing_tests=false"],
        ["-o", "junit_family=xunit1", "-o", "junit_suite_name=other", "--junitprefix=before"],
        ["-o", "junit_duration_report=call"],
        ["-x"],
        ["--maxfail=3"],
        ["-k", "value"],
        ["-k", "nothing"],
    ],
    ids=" ".join,
)
def test_same_as_pytest(arguments: list[str], run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """A session that ends leaves the file that pytest would have written, byte for byte."""
    other = run(EVERYTHING, "--junitxml=pytest.xml", *arguments)
    ours = run(EVERYTHING, *PLUGIN, "--junitxml=junit.xml", *arguments)
    assert ours.ret == other.ret
    assert comparable(pytester.path / "junit.xml") == comparable(pytester.path / "pytest.xml")


@pytest.mark.parametrize("arguments", [[], ["-v"], ["-x"], ["-o", "junit_logging=all"], ["-p", "no:terminal"]], ids=" ".join)
def test_same_of_subtests(
    arguments: list[str], run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    """A test whose subtests failed says how many, and counts, as in pytest's own file."""
    run(SUBTESTS, "--junitxml=pytest.xml", *arguments)
    run(SUBTESTS, *PLUGIN, "--junitxml=junit.xml", *arguments)
    assert comparable(pytester.path / "junit.xml") == comparable(pytester.path / "pytest.xml")


@pytest.mark.parametrize(
    "module", ["import no_such_module", "import pytest\npytest.skip('no', allow_module_level=True)"]
)
def test_same_of_what_is_not_collected(
    module: str, run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    """A module that can't be collected, or is skipped, stands there as pytest has it."""
    run(module, "--junitxml=pytest.xml")
    run(module, *PLUGIN, "--junitxml=junit.xml")
    assert comparable(pytester.path / "junit.xml") == comparable(pytester.path / "pytest.xml")


def test_nothing_is_left_over(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """A session that ends leaves no other file beside its own."""
    run("def test_good(): pass", *PLUGIN, "--junitxml=results/junit.xml")
    assert [path.name for path in (pytester.path / "results").iterdir()] == ["junit.xml"]


@pytest.mark.requirement("REQ-644")
def test_results_dir(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `--junitxml`, the file is `junit.xml` in the results folder, which is made."""
    monkeypatch.setenv("FLOE_RESULTS_DIR", str(pytester.path / "a" / "b"))
    run("def test_good(): pass", *PLUGIN)
    assert "test_good" in (pytester.path / "a" / "b" / "junit.xml").read_text(encoding="utf-8")


def test_option_goes_first(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--junitxml`, that is where the file is, whatever the results folder."""
    monkeypatch.setenv("FLOE_RESULTS_DIR", str(pytester.path / "results"))
    run("def test_good(): pass", *PLUGIN, "--junitxml=junit.xml")
    assert (pytester.path / "junit.xml").exists()
    assert not (pytester.path / "results").exists()


def test_nobody_asks_for_a_file(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """Where nothing asks for a file, none is written, and nothing is there that could."""
    result = run("def test_good(request): assert not request.config.pluginmanager.has_plugin('floe-results')", *PLUGIN)
    assert result.ret == 0
    assert not list(pytester.path.rglob("junit.xml"))


def test_requirements_are_properties(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """Each requirement that a test names is a property of its case, once."""
    run(
        """
import pytest
pytestmark = pytest.mark.requirement("REQ-1")
@pytest.mark.requirement("REQ-2", "REQ-3")
@pytest.mark.requirement("REQ-1")
def test_some(record_property):
    record_property("other", 1)
""",
        *PLUGIN,
        "--junitxml=junit.xml",
    )
    properties = ET.parse(pytester.path / "junit.xml").iter("property")  # noqa: S314 - it is our own
    assert sorted((each.get("name"), each.get("value")) for each in properties) == [
        ("other", "1"),
        ("requirement", "REQ-1"),
        ("requirement", "REQ-2"),
        ("requirement", "REQ-3"),
    ]


def test_file_is_there_while_tests_run(run: Callable[..., pytest.RunResult]) -> None:
    """A test reads the file of its own session: those before it have ended, and it runs itself."""
    result = run(
        """
from junitparser import JUnitXml
def test_before(): pass
def test_reads():
    (suite,) = JUnitXml.fromfile("junit.xml")
    assert [(case.name, len(case.result)) for case in suite] == [("test_before", 0), ("test_reads", 1)]
""",
        *PLUGIN,
        "--junitxml=junit.xml",
    )
    assert result.ret == 0, result.outlines


def test_folder_that_cannot_be_made(run: Callable[..., pytest.RunResult], pytester: pytest.Pytester) -> None:
    """A session that can't write its file says so before its first test, without a traceback."""
    (pytester.path / "taken").touch()
    result = run("def test_good(): pass", *PLUGIN, "--junitxml=taken/junit.xml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert re.search(r"taken/junit.xml can't be written: .* --junitxml", result.stderr.str())
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert "passed" not in result.stdout.str()


def test_pytest_that_has_changed(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pytest's own log is not what it was, pytest writes its file itself, and a warning says so."""
    monkeypatch.setitem(sys.modules, "floe_testing.results.junit", None)
    result = run("def test_good(): pass", *PLUGIN, "--junitxml=junit.xml")
    result.stdout.fnmatch_lines("*junit.xml is written at the session's end only*")
    assert "test_good" in (pytester.path / "junit.xml").read_text(encoding="utf-8")


def test_session_inside_a_test(start: Callable[..., Any], tmp_path: Path) -> None:
    """A pytest that a test starts leaves the results of the outer one alone."""
    results = tmp_path / "results"
    session = start(
        """
import os, pathlib, subprocess, sys
def test_inner():
    print("inside")
def test_outer():
    subprocess.run([sys.executable, "-m", "pytest", "-p", "floe_testing.results.plugin", "-k", "inner"], check=True)
    file = pathlib.Path(os.environ["FLOE_RESULTS_DIR"], "junit.xml")
    assert "test_outer" in file.read_text()
""",
        junit=None,
        environment={"FLOE_RESULTS_DIR": str(results)},
    )
    printed = session.end()
    assert session.process.returncode == 0, printed
    assert (results / "junit.xml").read_text(encoding="utf-8").count("<testcase ") == 2


@pytest.mark.parametrize("number", ["1", "2"])
def test_xdist(number: str, start: Callable[..., Any]) -> None:
    """With pytest-xdist, the controller writes what its workers report."""
    session = start(EVERYTHING, "-p", "xdist", "-n", number, "-o", "junit_logging=all")
    printed = session.end()
    other = start(EVERYTHING, "-p", "xdist", "-n", number, "-o", "junit_logging=all", junit="pytest.xml", plugin=False)
    other.end()
    assert sorted(map(str, session.cases())) == sorted(map(str, other.cases())), printed


@pytest.mark.requirement("REQ-644")
def test_xdist_is_killed(start: Callable[..., Any]) -> None:
    """With pytest-xdist, a killed session leaves what had ended, and each test that ran as an error."""
    session = start(
        """
import threading
import pytest
both = pytest.mark.parametrize("one", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in "ab"])
@both
def test_ends(one): pass
@both
def test_hangs(one): threading.Event().wait()
""",
        *("-p", "xdist", "-n", "2", "--dist", "loadgroup"),
    )
    next(session.lines())
    session.wait_until(lambda cases: len(cases) == 4)
    session.end(9)
    # Not every version of pytest-xdist adds the group to the name.
    assert sorted((case.name.partition("@")[0], case.error) for case in session.cases()) == [
        ("test_ends[a]", ""),
        ("test_ends[b]", ""),
        ("test_hangs[a]", NO_RESULT),
        ("test_hangs[b]", NO_RESULT),
    ]


def test_xdist_worker_that_dies(start: Callable[..., Any]) -> None:
    """A test whose worker died is there once, and failed."""
    session = start("import os\ndef test_dies(): os._exit(1)", "-p", "xdist", "-n", "1")
    session.end()
    (case,) = session.cases()
    assert case.name == "test_dies"
    assert "crashed" in case.error


def test_xdist_worker_that_dies_in_a_session_that_is_killed(start: Callable[..., Any]) -> None:
    """A test whose worker died stands there as failed from then on."""
    session = start(
        """
import os
import threading
import pytest
@pytest.mark.xdist_group("a")
def test_dies(): os._exit(1)
@pytest.mark.xdist_group("b")
def test_hangs(): threading.Event().wait()
""",
        *("-p", "xdist", "-n", "2", "--dist", "loadgroup"),
    )
    next(session.lines())
    session.wait_until(
        lambda cases: len({case.name for case in cases}) > 1 and any("crashed" in case.error for case in cases)
    )
    session.end(9)
    # Not every version of pytest-xdist adds the group to the name, or lets the next worker be.
    assert {(case.name.partition("@")[0], "crashed" in case.error) for case in session.cases()} == {
        ("test_dies", True),
        ("test_hangs", False),
    }


@pytest.mark.parametrize(("method", "error"), [("signal", ""), ("thread", NO_RESULT)])
def test_timeout(method: str, error: str, start: Callable[..., Any]) -> None:
    """A test that pytest-timeout ends is in the file, also where it takes the whole process with it."""
    session = start(
        "import threading\ndef test_good(): pass\ndef test_hangs(): threading.Event().wait()",
        *("-p", "pytest_timeout", "--timeout=2", f"--timeout-method={method}"),
    )
    session.end()
    good, hung = session.cases()
    assert (good.name, good.kinds) == ("test_good", ())
    assert (hung.name, len(hung.kinds), hung.error) == ("test_hangs", 1, error)


THREADS = """
import os
import pathlib

at_fork = []

def count():
    status = pathlib.Path("/proc/self/status").read_text()
    at_fork.append(int(status.partition("Threads:")[2].split()[0]))

# Such functions run in reverse order, so that this one runs after those that are registered later.
os.register_at_fork(before=count)
"""


def test_fork(start: Callable[..., Any], tmp_path: Path) -> None:
    """A process has no second thread while a test forks, and the test's output is followed again after it."""
    (tmp_path / "threads.py").write_text(THREADS, encoding="utf-8")
    session = start(
        """
import os
import threading
import threads

def test_forks(say):
    assert {thread.name for thread in threading.enumerate()} == {"MainThread", "floe-results"}
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert threads.at_fork == [1]
    print("after the fork")
    say("hangs")
    threading.Event().wait()
""",
        environment={"PYTEST_ADDOPTS": "-p threads", "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    session.wait_for("hangs")
    session.wait_until(lambda cases: "after the fork" in cases[0].out)
