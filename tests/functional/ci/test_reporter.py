"""The reporter tells of every test as it ends, whatever tests do, and never disturbs them; each runs a real pytest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import floe_ci
import pytest
from floe_ci import junit
from floe_ci.live import LiveTests

if TYPE_CHECKING:
    from collections.abc import Callable

REPORTER = Path(floe_ci.__file__).parent / "reporter"
PLAIN = ("-q", "-p", "no:floe", "-p", "no:cacheprovider", "-p", "floe_ci_reporter")
TIMEOUT = 120


class Suite:
    """A repository's tests, and what was heard of them."""

    def __init__(self, folder: Path) -> None:
        """Have no test."""
        self.folder = folder
        self.events = folder / "events"

    def run(self, *arguments: str, events: Path | str | None = None, **files: str) -> subprocess.CompletedProcess[str]:
        """Run pytest over files of tests."""
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "pytest", *PLAIN, "--junitxml=junit.xml", *arguments],
            cwd=self.folder,
            env=self.environment(events or self.events),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def environment(self, events: Path | str) -> dict[str, str]:
        """Return the environment of the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "FLOE_"))}
        return {**kept, "PYTHONPATH": str(REPORTER), "FLOE_CI_EVENTS": str(events)}

    def lines(self) -> list[dict[str, Any]]:
        """Return all events, each of which is a document on its line."""
        return [json.loads(line) for line in self.events.read_text(encoding="utf-8").splitlines() if line]

    def live(self) -> LiveTests:
        """Return what is known of the tests by their events."""
        live = LiveTests()
        for line in self.events.read_text(encoding="utf-8").splitlines():
            live.feed(line)
        return live

    def outcomes(self) -> dict[str, str]:
        """Return each test's outcome."""
        return {event["name"]: event["outcome"] for event in self.lines() if event["event"] == "ended"}


GATE = """
import os, early
open('loaded', 'w').close()
def test_x():
    assert early.has_waited == ['early']
    assert 'FLOE_CI_GATE' not in os.environ
"""
EARLY = """
import os
has_waited = []
def pytest_load_initial_conftests():
    has_waited.extend(['early'] if 'FLOE_CI_GATE' in os.environ else ['late'])
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Return a repository without tests."""
    return Suite(tmp_path)


MIXED = """
import unittest, pytest
def test_pass(): pass
def test_fail(): assert 1 == 2, "no"
@pytest.mark.skip(reason="later")
def test_skip(): pass
@pytest.mark.xfail(reason="bug")
def test_xfail(): assert 0
@pytest.mark.xfail(strict=True)
def test_xpass(): pass
@pytest.fixture
def broken(): raise RuntimeError("no server")
def test_setup(broken): pass
@pytest.fixture
def leaking():
    yield
    raise RuntimeError("leak")
def test_teardown(leaking): pass
def test_both(leaking): assert 0, "first"
@pytest.mark.parametrize("value", ["a/b::c", "x[1]", "\\x00", "ü"])
def test_parameters(value): pass
class TestIn:
    class TestDeep:
        def test_nested(self): pass
class Old(unittest.TestCase):
    def test_unittest(self): self.assertEqual(1, 2)
    def test_subtests(self):
        for number in range(2):
            with self.subTest(number=number): self.assertEqual(number, 5)
    def test_subtests_pass(self):
        with self.subTest(number=1): pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_agrees_with_pytest(suite: Suite, workers: tuple[str, ...]) -> None:
    """What is heard of tests of every kind is what pytest's own file says, in this process or in workers."""
    suite.run(*workers, test_mixed=MIXED)
    live, own = suite.live(), junit.read(suite.folder / "junit.xml")
    assert own.problem is None
    worst: dict[junit.Key, str] = {}
    for case in own.cases:
        # pytest has a second case where a test and its teardown both fail.
        worst[case.key] = "failed" if worst.get(case.key) == "failed" else case.outcome
    assert {case.key: case.outcome for case in live.cases} == worst
    assert live.total == len(worst) == len(live.cases)
    assert live.running == ()
    assert live.exit_code == 1
    told = {case.name: case for case in live.cases}
    assert told["test_fail"].results[0].message == "AssertionError: no\nassert 1 == 2"
    assert "test_mixed.py:4: AssertionError" in told["test_fail"].results[0].text
    assert told["test_setup"].results[0].message == 'failed on setup with "RuntimeError: no server"'
    assert told["test_skip"].results[0].message == "later"
    assert told["test_xfail"].ran
    assert "first" in told["test_both"].results[0].text
    assert "leak" in told["test_both"].results[0].text


RERUN = """
import pytest
runs = []
def test_flaky():
    runs.append(1)
    assert len(runs) > 2
def test_bad(): assert 0
def test_good(): pass
@pytest.mark.parametrize("same", [1, 1], ids=["x", "x"])
def test_twice(same): pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_attempts(suite: Suite, workers: tuple[str, ...]) -> None:
    """Of tests that are tried again only the last attempt is told, with how many there were."""
    suite.run("--reruns=2", "--rerun-show-tracebacks", *workers, test_rerun=RERUN)
    live = suite.live()
    assert live.attempts == {("test_rerun", "test_flaky"): 3, ("test_rerun", "test_bad"): 3}
    assert suite.outcomes()["test_flaky"] == "passed"
    assert suite.outcomes()["test_bad"] == "failed"
    own = junit.with_attempts(junit.read(suite.folder / "junit.xml").cases, live.attempts)
    assert sorted(case.name for case in own if case.flaky) == ["test_flaky"]
    assert len(own) == len(live.cases) == live.total


def test_same_file_twice(suite: Suite) -> None:
    """A file that is named twice makes two tests of each, none of which is flaky."""
    suite.run("--keep-duplicates", "test_a.py", "test_a.py", test_a="def test_a(): pass")
    live = suite.live()
    own = junit.with_attempts(junit.read(suite.folder / "junit.xml").cases, live.attempts)
    assert not any(case.flaky for case in own)
    assert len(own) == len(live.cases) == 2


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_collection_errors(suite: Suite, workers: tuple[str, ...]) -> None:
    """A module that can't be imported, or skips itself, is told once, with what was raised."""
    suite.run(
        *workers,
        test_broken="import nope",
        test_skipped="import pytest\npytest.skip('not here', allow_module_level=True)",
        test_ok="def test_ok(): pass",
    )
    broken, skipped = (event for event in suite.lines() if event.get("collection"))
    assert (broken["name"], broken["outcome"], broken["message"]) == ("test_broken", "errored", "collection failure")
    assert "No module named 'nope'" in broken["text"]
    assert (skipped["name"], skipped["outcome"], skipped["message"]) == ("test_skipped", "skipped", "not here")


@pytest.mark.parametrize(
    ("arguments", "files", "code"),
    [
        ((), {"conftest": "raise RuntimeError('boom')", "test_a": "def test_a(): pass"}, 4),
        (("--nope",), {"test_a": "def test_a(): pass"}, 4),
    ],
)
def test_no_session(suite: Suite, arguments: tuple[str, ...], files: dict[str, str], code: int) -> None:
    """Where pytest can't start there is nothing to tell, and its own exit code and words stand."""
    done = suite.run(*arguments, **files)
    assert done.returncode == code
    assert "boom" in done.stderr or "--nope" in done.stderr
    assert not suite.events.exists()


ENDINGS = {
    "os._exit(0)": 0,
    "os.kill(os.getpid(), 9)": -signal.SIGKILL,
    "ctypes.string_at(0)": -signal.SIGSEGV,
}


@pytest.mark.parametrize(("ending", "code"), ENDINGS.items())
def test_process_that_ends(suite: Suite, ending: str, code: int) -> None:
    """Where a test ends the process, those before it are known, which one it was, and that pytest did not finish."""
    done = suite.run(test_end=f"import os, ctypes\ndef test_a(): assert 0\ndef test_b(): {ending}\ndef test_c(): pass")
    assert done.returncode == code
    live = suite.live()
    assert [(case.name, case.outcome) for case in live.cases] == [("test_a", "failed")]
    assert live.running == ("test_end.py::test_b",)
    assert live.exit_code is None
    assert live.total == 3


def test_worker_that_ends(suite: Suite) -> None:
    """A worker that a test ends makes that test a failed one, and the others go on."""
    suite.run("-n", "2", test_end="import os\ndef test_a(): pass\ndef test_b(): os._exit(3)\ndef test_c(): pass")
    assert suite.outcomes() == {"test_a": "passed", "test_b": "failed", "test_c": "passed"}
    assert suite.live().exit_code == 1


@pytest.mark.parametrize("code", [0, 1, 5])
def test_exit_from_within(suite: Suite, code: int) -> None:
    """`pytest.exit` leaves what was known, and is no end that pytest came to, whatever exit code it gives."""
    tests = f"import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('x', returncode={code})\ndef test_c(): pass"
    assert suite.run(test_end=tests).returncode == code
    assert suite.outcomes() == {"test_a": "passed"}
    assert suite.live().exit_code is None
    assert suite.live().running == ("test_end.py::test_b",)


@pytest.mark.parametrize(("code", "told"), [(2, 2), (0, None)])
def test_session_that_was_to_stop(suite: Suite, code: int, told: int | None) -> None:
    """A session that was told to stop has an end with the exit code that says so, and with no other."""
    hook = f"def pytest_sessionfinish(session): session.exitstatus = {code}"
    tests = "def test_a(request): request.session.shouldstop = 'enough'\ndef test_b(): pass"
    assert suite.run(conftest=hook, test_stop=tests).returncode == code
    assert suite.outcomes() == {"test_a": "passed"}
    assert suite.live().exit_code == told


def test_hanging_test(suite: Suite) -> None:
    """A test that hangs is known by name while it does."""
    (suite.folder / "test_hang.py").write_text("import os\ndef test_hang():\n    print(flush=True)\n    os.read(0, 1)")
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *PLAIN, "-s"],
        cwd=suite.folder,
        env=suite.environment(suite.events),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert suite.live().running == ("test_hang.py::test_hang",)
        child.communicate(b"x", timeout=TIMEOUT)
    assert suite.live().running == ()


HOSTILE: dict[str, str] = {
    "clock": "import time\ndef test_x(monkeypatch): monkeypatch.setattr(time, 'time', lambda: 1326511294.0)",
    "clock for good": "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 5.0\ndef test_x(): pass",
    # pytest itself needs `os.open` to write the next module's bytecode.
    "os for good": "import os, sys\nsys.dont_write_bytecode = True\n"
    "os.open = os.fstat = os.getpid = None\ndef test_x(): pass",
    "json for good": "import json\njson.dumps = json.JSONEncoder = json.encoder = None\ndef test_x(): pass",
    "folder": "import os, tempfile\ndef test_x():\n    d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    "environment": "import os\ndef test_x(): os.environ.clear()",
    "descriptors": "import os\ndef test_x(): os.closerange(3, 512)",
    "descriptors taken": "import os\ndef test_x():\n    os.closerange(3, 9)\n    [open('mine', 'a') for _ in 'x' * 20]",
    "child": "import os\ndef test_x():\n    if os.fork() == 0: return\n    os.wait()",
    "threads": "import threading\ndef test_x(): threading.Thread(target=lambda: 1).start()",
    "size": "import resource\ndef test_x(): resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, -1))",
    "long name": "import pytest\n@pytest.mark.parametrize('v', ['x' * 50_000])\ndef test_x(v): assert 0, 'ü' * 90_000",
    "surrogates": "def test_x(): assert 0, 'a\\ud800b'",
    "output": 'def test_x():\n    print(\'{"event":"finished","exit_code":0}\')',
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_tests(suite: Suite, what: str) -> None:
    """Whatever a test does to clocks, modules or descriptors, it and the next are told of."""
    done = suite.run("-s", "-W", "ignore", test_a=HOSTILE[what], test_b="def test_next(): pass")
    live = suite.live()
    assert [case.name.split("[")[0] for case in live.cases if case.name.endswith("test_next")] == ["test_next"]
    assert len(live.cases) == 2
    # Without its own descriptors pytest can't close its log, and ends with another code than it said.
    assert live.exit_code == (0 if "descriptors" in what else done.returncode)
    assert max(map(len, suite.events.read_bytes().splitlines())) < 8192
    if (suite.folder / "mine").exists():
        assert (suite.folder / "mine").read_bytes() == b""


@pytest.mark.parametrize("events", ["/dev/full", "/nope/events", "/proc/version", "\udcff"])
def test_no_place_for_events(suite: Suite, events: str) -> None:
    """Where events can't be written the tests run as they would, and say nothing of it."""
    done = suite.run(events=events, test_a="def test_a(): pass\ndef test_b(): assert 0")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "floe_ci_reporter" not in done.stdout + done.stderr


def test_silent_without_its_variable(suite: Suite) -> None:
    """Without its variable the reporter does nothing."""
    environment = suite.environment("")
    (suite.folder / "test_a.py").write_text("def test_a(): pass")
    before = {path.name for path in suite.folder.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLAIN], cwd=suite.folder, env=environment, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0
    assert {path.name for path in suite.folder.iterdir()} - before <= {"__pycache__"}


def test_internal_error(suite: Suite) -> None:
    """An error in a plugin is told, with its text, and is no end that pytest came to by itself."""
    hook = "def pytest_runtest_teardown(): raise SystemError('plugin broke')\n"
    suite.run(conftest=hook.replace("pytest_runtest_teardown", "pytest_runtest_logfinish"), test_a="def test_a(): pass")
    live = suite.live()
    assert "plugin broke" in live.broken
    assert live.exit_code == 3


def test_needs_nothing_but_pytest() -> None:
    """The reporter imports the standard library and pytest alone: it runs in environments of others."""
    text = (REPORTER / "floe_ci_reporter.py").read_text(encoding="utf-8")
    imported = {line.split()[1] for line in text.splitlines() if line.strip().startswith(("import ", "from "))}
    assert imported <= {"__future__", "functools", "json", "os", "re", "sys", "typing", "pytest", "collections.abc"}


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what calls the reporter's hooks as pytest does for a number of tests that pass."""
    monkeypatch.syspath_prepend(str(REPORTER))
    import floe_ci_reporter  # type: ignore[import-not-found]  # noqa: PLC0415 - it lies where the tests of others find it

    manager = pytest.PytestPluginManager()
    manager.register(floe_ci_reporter.Reporter(floe_ci_reporter.Events(str(tmp_path / "events")), ""))
    node = "tests/unit/test_a.py::TestX::test_a[3]"
    reports = [
        pytest.TestReport(node, ("a", 1, "a"), {}, "passed", None, when, duration=0.001)  # type: ignore[arg-type]
        for when in ("setup", "call", "teardown")
    ]

    def call(count: int) -> None:
        for _ in range(count):
            manager.hook.pytest_runtest_logstart(nodeid=node, location=())
            for report in reports:
                manager.hook.pytest_runtest_logreport(report=report)

    return call


def test_cost(hooks: Callable[[int], None]) -> None:
    """A test that passes takes at most a fraction of a millisecond more for being told of."""
    import time  # noqa: PLC0415 - only here

    best = 1.0
    for _ in range(10):
        began = time.process_time()
        hooks(200)
        best = min(best, (time.process_time() - began) / 200)
    assert best < 300e-6


@pytest.mark.parametrize(("more", "refused"), [((), True), (("-p", "own"), False)])
def test_breakpoint_without_a_terminal_says_what_to_do(tmp_path: Path, more: tuple[str, ...], *, refused: bool) -> None:
    """A `breakpoint()` that nobody could answer fails with what hands tests a terminal; who set another one has it."""
    suite = Suite(tmp_path)
    own = "import sys\nsys.breakpointhook = lambda: None\n"
    done = suite.run("-p", "no:cacheprovider", *more, own=own, test_it="def test_it():\n    breakpoint()\n")
    assert ("`floe-ci test --on local --pdb` hands them one" in done.stdout) is refused
    assert done.returncode == int(refused)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_coverage_has_nothing_of_ours(suite: Suite, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no source of coverage is named, the reporter is in no report, nor where it is a link as in a pod."""
    mounted = suite.folder / "mounted"
    (mounted / "..data").mkdir(parents=True)
    for name in ("floe_ci_reporter.py", "floe_ci_shard.py"):
        (mounted / "..data" / name).write_bytes((REPORTER / name).read_bytes())
        (mounted / name).symlink_to(f"..data/{name}")
    monkeypatch.setattr(f"{__name__}.REPORTER", mounted)
    (suite.folder / "pyproject.toml").write_text('[tool.coverage.report]\nomit = ["left_out.py"]\n')
    measure = ("-p", "pytest_cov", "-p", "floe_ci_shard", "--cov", "--cov-report=xml", *workers)
    done = suite.run(*measure, test_one="import left_out\ndef test_one(): pass\n", left_out="a = 1\n")
    assert done.returncode == 0, done.stdout
    files = ET.parse(suite.folder / "coverage.xml").iter("class")  # noqa: S314 - our own
    assert [file.attrib["filename"] for file in files] == ["test_one.py"]


@pytest.mark.parametrize("opened", [True, False], ids=["opened", "left"])
def test_gate(suite: Suite, *, opened: bool) -> None:
    """A pytest that is started before services are ready loads tests once it is let go; left by who would, it ends.

    Its plugins are loaded before, and may load more.
    """
    (suite.folder / "test_it.py").write_text(GATE)
    (suite.folder / "early.py").write_text(EARLY)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "pytest", *PLAIN, "-p", "early"]
    environment = {**suite.environment(suite.events), "FLOE_CI_GATE": str(reading)}
    with subprocess.Popen(command, cwd=suite.folder, env=environment, pass_fds=[reading]) as started:
        os.close(reading)
        if opened:
            os.write(writing, b"\n")
        os.close(writing)
        ended = started.wait(TIMEOUT)
    assert (ended == 0) is opened
    assert (suite.folder / "loaded").exists() is opened
    assert suite.events.exists() is opened
