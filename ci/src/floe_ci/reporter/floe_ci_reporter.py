"""pytest plugin: writes down what becomes of each test when it becomes it, a JSON document a line.

It is loaded into the tests' own environment, by `-p floe_ci_reporter`, with this folder on PYTHONPATH: it needs nothing
but pytest, and is silent unless FLOE_CI_EVENTS names a file. Whatever tests do to clocks, files or descriptors, it goes
on; and whatever goes wrong in here, they do.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

VARIABLE, GATE = "FLOE_CI_EVENTS", "FLOE_CI_GATE"
LONGEST_LINE = 8192
"""Bytes: a pipe or a log takes a line of this length whole."""
NO_TERMINAL = "breakpoint() needs a terminal, and tests have none here: `floe-ci test --on local --pdb` hands them one"
_LONGEST_NAME, _LONGEST_MESSAGE, _LONGEST_TEXT = 1000, 1000, 6000
_CUT = "[...]"
_RETRIED = ("rerun", "retried")
"""The outcomes that plugins give to an attempt that isn't the last."""


def pytest_load_initial_conftests() -> None:
    """Wait until services are ready, where pytest was started before: plugins are loaded, and nothing of the tests is.

    Those that load more while there is time do so before: of such functions, the first one known is called last.
    """
    gate = os.environ.pop(GATE, "")
    if gate:
        opened = os.read(int(gate), 1)
        os.close(int(gate))
        if not opened:
            os._exit(1)  # whoever was to open it is gone


def pytest_configure(config: pytest.Config) -> None:
    """Register what listens; not in the workers of pytest-xdist, whose reports come to their controller."""
    path = os.environ.get(VARIABLE)
    if path:
        refuse_breakpoints(config)
        leave_out_ours(config)
    if path and not hasattr(config, "workerinput"):
        prefix = str(getattr(config.option, "junitprefix", None) or "")
        config.pluginmanager.register(Reporter(Events(os.path.abspath(path)), prefix), "floe-ci-reporter-events")


def refuse_breakpoints(config: pytest.Config) -> None:
    """Have `breakpoint()` say what it needs, where it would read from nothing; who has set another one has it."""
    plain = sys.breakpointhook is sys.__breakpointhook__ and "PYTHONBREAKPOINT" not in os.environ
    if plain and not any(config.getoption(each, default=None) for each in ("usepdb", "trace")):
        sys.breakpointhook = without_terminal
        config.add_cleanup(lambda: setattr(sys, "breakpointhook", sys.__breakpointhook__))


def without_terminal(*_args: Any, **_keywords: Any) -> None:
    """Refuse to stop where nobody could go on."""
    __tracebackhide__ = True
    raise RuntimeError(NO_TERMINAL)


class Events:
    """The file, to which each line is added in one go."""

    def __init__(self, path: str, calls: tuple[Any, ...] = (os.open, os.fstat, os.write, os.getpid)) -> None:
        """Bind what is needed here, and not in the module's names, where what fakes a file system would find it."""
        self._open, self._status, self._write, self._process = calls
        self._quote, self._encode = json.encoder.encode_basestring, json.JSONEncoder().encode
        self._path, self._pid = path, self._process()
        self._descriptor, self._identity = -1, (-1, -1)
        self._torn = False

    def add(self, event: dict[str, object]) -> None:
        """Add a line; a child of this process adds none."""
        if self._process() != self._pid:
            return
        line = self._line(event)
        if self._torn:
            line = b"\n" + line
        descriptor = self._usable()
        self._torn = True
        self._torn = self._write(descriptor, line) != len(line)

    def _line(self, event: dict[str, object]) -> bytes:
        line = self._encoded(event)
        longest = _LONGEST_TEXT
        # Characters that take many bytes: all texts are cut until they fit.
        while len(line) > LONGEST_LINE and longest > len(_CUT):
            longest //= 2
            line = self._encoded({name: cut(text, longest) for name, text in event.items()})
        return line

    def _encoded(self, event: dict[str, Any]) -> bytes:
        quote, encode = self._quote, self._encode
        items = [f'"{name}":{quote(it) if isinstance(it, str) else encode(it)}' for name, it in event.items()]
        return f"{{{','.join(items)}}}\n".encode("utf-8", "backslashreplace")

    def _usable(self) -> int:
        """Return a descriptor of the file: tests may have closed ours, and its number may be another file's."""
        try:
            status = self._status(self._descriptor)
            if (status.st_dev, status.st_ino) == self._identity:
                return self._descriptor
        except OSError:
            pass
        self._descriptor = self._open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        status = self._status(self._descriptor)
        self._identity = (status.st_dev, status.st_ino)
        return self._descriptor


class Test:
    """What is known of a test that has not ended."""

    __test__ = False

    def __init__(self) -> None:
        """Know nothing yet."""
        self.outcome = "passed"
        self.seconds = 0.0
        self.message = ""
        self.texts: list[str] = []
        self.expected_to_fail = False
        self.retried = False

    def add(self, report: Any) -> None:
        """Take the report of one of its phases, or of a subtest."""
        self.seconds += float(getattr(report, "duration", 0.0) or 0.0)
        if report.outcome == "passed":
            return
        if report.outcome in _RETRIED:
            self.retried = True
        if report.outcome == "failed" or report.outcome in _RETRIED:
            outcome = "errored" if report.when in ("setup", "teardown") else "failed"
            # A test that failed has failed, whatever its fixtures do then.
            self.outcome = self.outcome if self.outcome in ("failed", "errored") else outcome
            self.message = self.message or message(report)
            self.texts.append(text_of(report))
        elif report.outcome == "skipped" and not hasattr(report, "context") and self.outcome == "passed":
            self.outcome = "skipped"
            self.expected_to_fail = hasattr(report, "wasxfail")
            self.message = str(report.wasxfail) if self.expected_to_fail else skip_reason(report)


def quietly(hook: Callable[..., None]) -> Callable[..., None]:
    """Have a hook that fails disturb nothing."""

    @functools.wraps(hook)
    def call(*given: Any, **named: Any) -> None:
        try:
            hook(*given, **named)
        except Exception:  # noqa: BLE001 - the tests' results stand without it
            return

    return call


@quietly
def leave_out_ours(config: pytest.Config) -> None:
    """Have reports of coverage leave out this file and those beside it: without a source, all that runs is measured.

    They are imported before that begins, and what they run depends on the number of shards, not on the tests.
    """
    measured = getattr(getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None), "combining_cov", None)
    if measured is not None:
        folder = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
        # In a pod they are links into a folder below, which has another name in each.
        ours = [os.path.join(folder, "floe_ci_*.py"), os.path.join(folder, "*", "floe_ci_*.py")]
        measured.set_option("report:omit", [*(measured.get_option("report:omit") or ()), *ours])


class Reporter:
    """Turns pytest's reports into events."""

    def __init__(self, events: Events, prefix: str) -> None:
        """Take where events go, and what comes before the name of a class."""
        self._events, self._prefix = events, prefix
        self._tests: dict[tuple[str, str], Test] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._told: set[str] = set()
        self._counted = False
        self._interrupted = False

    @pytest.hookimpl(trylast=True)
    @quietly
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell how many tests there are."""
        self._count(session.items)

    @pytest.hookimpl(optionalhook=True)
    @quietly
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Tell how many tests there are, by the first worker that knows."""
        self._count(ids)

    @quietly
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a module that can't be imported, or is skipped; every worker says so."""
        if report.outcome == "passed" or report.nodeid in self._told:
            return
        self._told.add(report.nodeid)
        failed = report.outcome == "failed"
        *_, name = address(report.nodeid, "")
        self._events.add(
            {
                "event": "ended",
                "test": cut(report.nodeid, _LONGEST_NAME),
                "classname": "",
                "name": cut(name, _LONGEST_NAME),
                "outcome": "errored" if failed else "skipped",
                "seconds": 0.0,
                "message": "collection failure" if failed else skip_reason(report),
                "text": cut(text_of(report), _LONGEST_TEXT) if failed else "",
                "collection": True,
            }
        )

    @quietly
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell of a test that starts."""
        self._events.add({"event": "started", "test": cut(nodeid, _LONGEST_NAME)})

    @quietly
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell of a test that has ended, with the last of its phases."""
        key = (report.nodeid, str(getattr(report, "worker_id", "")))
        if report.when == "setup":
            self._tests[key] = Test()
        # What fails at the end of fixtures that outlived the test is told of it when that has been told of.
        is_late = key not in self._tests
        test = self._tests.setdefault(key, Test())
        test.add(report)
        if report.when in ("setup", "call"):
            return
        del self._tests[key]
        if test.retried:
            self._attempts[key] = self._attempts.get(key, 1) + 1
            return
        self._end(report.nodeid, test, self._attempts.pop(key, 1), is_late=is_late)

    @quietly
    def pytest_internalerror(self, excrepr: object) -> None:
        """Tell of an error in pytest itself, or in a plugin."""
        self._events.add({"event": "broken", "text": cut(str(excrepr), _LONGEST_TEXT)})

    @quietly
    def pytest_keyboard_interrupt(self) -> None:
        """Note that the session was left before its end: by Ctrl-C, by `pytest.exit`, or because it was to stop."""
        self._interrupted = True

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, None]:
        """Tell that pytest came to its end, once all others have."""
        outcome = yield
        if outcome.excinfo is None:
            self._finish(session)

    @quietly
    def _finish(self, session: pytest.Session) -> None:
        # `pytest.exit`, or a hook, may give a session that was left any code, which says nothing of what did not run.
        if self._interrupted and session.exitstatus != pytest.ExitCode.INTERRUPTED:
            return
        self._events.add({"event": "finished", "exit_code": int(session.exitstatus)})

    def _count(self, tests: Iterable[object]) -> None:
        if not self._counted:
            self._counted = True
            count = sum(1 for _ in tests)
            versions = {"python": sys.version.split()[0], "pytest": pytest.__version__}
            self._events.add({"event": "collected", "count": count, **versions})

    def _end(self, nodeid: str, test: Test, attempts: int, *, is_late: bool) -> None:
        classname, name = address(nodeid, self._prefix)
        event = {
            "event": "ended",
            "test": cut(nodeid, _LONGEST_NAME),
            "classname": cut(classname, _LONGEST_NAME),
            "name": cut(name, _LONGEST_NAME),
            "outcome": test.outcome,
            "seconds": round(test.seconds, 6),
            "message": "",
            "text": "",
        }
        if test.outcome != "passed":
            event["message"] = cut(test.message, _LONGEST_MESSAGE)
            event["text"] = cut("\n\n".join(test.texts), _LONGEST_TEXT)
        if attempts > 1:
            event["attempts"] = attempts
        if test.expected_to_fail:
            event["xfail"] = True
        if is_late:
            event["late"] = True
        self._events.add(event)


def address(nodeid: str, prefix: str) -> tuple[str, str]:
    """Return a test's class and name as pytest's JUnit has them."""
    path, bracket, parameters = nodeid.partition("[")
    first, *others = path.split("::")
    module = first.replace("/", ".")
    module = module[:-3] if module.endswith(".py") else module  # noqa: FURB188 - Python 3.8 has no `removesuffix`
    names = [module, *others]
    names[-1] += bracket + parameters
    return ".".join(([prefix] if prefix else []) + names[:-1]), names[-1]


def message(report: Any) -> str:
    """Return the line that says why a phase failed."""
    crash = getattr(report.longrepr, "reprcrash", None)
    told = str(crash.message if crash is not None else report.longrepr)
    return told if report.when not in ("setup", "teardown") else f'failed on {report.when} with "{told}"'


def text_of(report: Any) -> str:
    """Return all that pytest says of a failure."""
    return str(report.longreprtext)


def skip_reason(report: Any) -> str:
    """Return why a test was skipped."""
    told = report.longrepr
    return re.sub(r"\ASkipped: ", "", str(told[2] if isinstance(told, tuple) else told))


def cut(text: Any, longest: int) -> Any:
    """Return a text's end: what a failure came to stands there."""
    return text if not isinstance(text, str) or len(text) <= longest else _CUT + text[len(_CUT) - longest :]
