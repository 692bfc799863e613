"""pytest's own JUnit log, written as each test ends.

What an element looks like is left to pytest: a session that ends in peace leaves exactly the file that pytest would.
"""

from __future__ import annotations

import platform
import re
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

import pytest
from _pytest.junitxml import LogXML, bin_xml_escape, mangle_test_address

from floe_testing import contract
from floe_testing.results.document import LiveDocument, beside
from floe_testing.unpatched import clock, system

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.junitxml import _NodeReporter
    from _pytest.nodeid import NodeId
    from _pytest.reports import BaseReport

    from floe_testing.results.output import Output

NO_RESULT: Final = f"{contract.NO_RESULT}the test was running when its process was last heard of"
"""The error that stands for a test which has not ended."""

NO_ROOM: Final = f"{contract.NO_RESULT}the disk had no room for what came after this"
"""The error that stands for whatever is missing."""

_OPENING: Final = '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite'
_CUT: Final = f'<testcase classname="pytest" name="junit.xml"><error message="{NO_ROOM}" /></testcase>'
_PLAIN: Final = re.compile(r"[ !#-%'-;=?-z|}~]*")
"""Of an attribute, a name and a value that are written as they are."""


@dataclass
class _Running:
    nodeid: str
    since: float = field(default_factory=clock.perf_counter)
    report: pytest.TestReport | None = None
    """The last one; none before its setup has ended."""


class StreamingLog(LogXML):
    """A JUnit file that holds every test that has ended, and as an error each one that runs."""

    def __init__(self, *arguments: Any, output: Callable[[], Output]) -> None:  # noqa: ANN401 - pytest's own
        """Take pytest's arguments, and what gives the running test's output so far."""
        super().__init__(*arguments)
        self._output = output
        self._shown_output: Output = {}
        self._running: dict[str, _Running] = {}
        self._finished: list[ET.Element] = []
        self._lock = threading.RLock()
        self._problem: OSError | None = None
        """Why the file is not whole at the session's end."""
        self._last: tuple[object, _NodeReporter] | None = None
        """What pytest asked for last, and what it got."""
        self._recorded: tuple[_NodeReporter, dict[str, str]] | None = None
        """Whose attributes were noted last, and what they were."""

    def pytest_sessionstart(self) -> None:
        """Write the file without a test, so that a session that can't write it fails before its first test."""
        super().pytest_sessionstart()
        self._began = clock.perf_counter()
        suite = {
            "name": self.suite_name,
            "timestamp": self.suite_start.as_utc().astimezone().isoformat(),
            "hostname": platform.node(),
        }
        self._opening = f"{_OPENING}{''.join(f' {name}={_quoted(value)}' for name, value in suite.items())}"
        path = Path(self.logfile)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._document = LiveDocument(path, self._head(), "</testsuite></testsuites>", _CUT)
        except OSError as error:
            message = f"{path} can't be written: {error.strerror}. Name another file with --junitxml"
            raise pytest.UsageError(message) from error

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show a test that begins."""
        with self._lock:
            self._running[nodeid] = _Running(nodeid)
            self._show({})

    # Last, as pytest's own is: the terminal makes a failure of a test whose subtests failed.
    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a test that ends."""
        with self._lock:
            super().pytest_runtest_logreport(report)
            if report.when in {"setup", "call"}:
                self._note(report)
                return
            if report.when != "teardown":  # pytest-xdist's word on a test whose worker is gone
                self._finished.append(self.node_reporter(report).to_xml())
            self._running.pop(report.nodeid, None)
            self._settle()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write a file that can't be collected."""
        super().pytest_collectreport(report)
        if not report.passed:
            with self._lock:
                self._finished.append(self.node_reporter(report).to_xml())
                self._settle()

    def node_reporter(self, report: BaseReport | NodeId | str) -> _NodeReporter:
        """Return what makes a test's element. pytest asks up to four times with each report, and reads its id each time."""
        if self._last is None or self._last[0] is not report:
            self._last = report, super().node_reporter(report)
        return self._last[1]

    def _opentestcase(self, report: pytest.TestReport | pytest.CollectReport) -> _NodeReporter:
        """Note a test's attributes. pytest does so with its call and with its teardown, whose attributes are the same."""
        reporter = self.node_reporter(report)
        if self._recorded != (reporter, reporter.attrs):
            reporter.record_testreport(report)
            self._recorded = reporter, dict(reporter.attrs)
        return reporter

    def finalize(self, report: pytest.TestReport) -> None:
        """Take the element of a test that has ended."""
        reporter = self.node_reporter(report)
        self._last = None
        super().finalize(report)
        self._finished.append(reporter.to_xml())

    def refresh(self) -> None:
        """Count the running test, and show what it has written meanwhile."""
        with self._lock:
            output = self._output() if self._running else {}
            if output != self._shown_output:
                self._show(output)
            self._document.update_head(self._head())

    def pytest_sessionfinish(self) -> None:
        """Put pytest's own file in place of the one that grew. A test that was interrupted is an error there too.

        Where the disk has no room for it, the one that grew stays as it was when there was none left.
        """
        with self._lock:
            self._shown_output = self._output()
            for running in self._running.values():
                reporter = self.node_reporter(running.report or running.nodeid)
                reporter.to_xml = partial(ET.fromstring, self._case(running))  # type: ignore[method-assign]
                self.add_stats("error")
            self._running.clear()
            path = Path(self.logfile)
            self.logfile = str(beside(path))
            try:
                super().pytest_sessionfinish()
                system.replace(self.logfile, path)
            except OSError as error:
                self._problem = error
                Path(self.logfile).unlink(missing_ok=True)
            self.logfile = str(path)
            self._document.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Say where the file is, or why it is not whole."""
        if self._problem is None:
            super().pytest_terminal_summary(terminalreporter, config)
        else:
            problem = f"{self.logfile} is not whole: {self._problem.strerror or self._problem}"
            terminalreporter.write_line(f"{problem}. Make room on the disk, and run the tests again", yellow=True)

    def _note(self, report: pytest.TestReport) -> None:
        running = self._running.get(report.nodeid)
        if running:
            running.report = report
            if report.failed:
                self._show(self._output())

    def _settle(self) -> None:
        self._document.settle("".join(map(_to_text, self._finished)))
        self._finished.clear()
        self._show({})
        self._document.update_head(self._head())

    def _show(self, output: Output) -> None:
        self._shown_output = output
        self._document.show("".join(map(self._case, self._running.values())))

    def _case(self, running: _Running) -> str:
        """Return a test that has not ended, with what it is known to have failed with already."""
        *classname, name = mangle_test_address(running.nodeid)
        if self.prefix:
            classname.insert(0, self.prefix)
        known = self.node_reporter(running.report).nodes if running.report and running.report.failed else ()
        streams = _streams(self._shown_output) if self._shown_output else ""
        return (
            f"<testcase classname={_quoted('.'.join(classname))} name={_quoted(name)}"
            f' time="{clock.perf_counter() - running.since:.3f}">'
            f'{"".join(map(_to_text, known))}<error message="{NO_RESULT}" />{streams}</testcase>'
        )

    def _head(self) -> str:
        """Return the suite's opening tag. Its numbers have as many digits at every moment."""
        stats = self.stats
        errors = stats["error"] + len(self._running)
        tests = stats["passed"] + stats["failure"] + stats["skipped"] + errors - self.cnt_double_fail_tests
        return (
            f'{self._opening} errors="{errors:08}" failures="{stats["failure"]:08}" skipped="{stats["skipped"]:08}"'
            f' tests="{tests:08}" time="{clock.perf_counter() - self._began:012.3f}">'
        )


def _streams(output: Output) -> str:
    streams = {
        "system-out": output.get("log", "") + output.get("stdout", ""),
        "system-err": output.get("stderr", ""),
    }
    elements = {tag: ET.Element(tag) for tag, text in streams.items() if text}
    for tag, element in elements.items():
        element.text = bin_xml_escape(streams[tag])
    return "".join(map(_to_text, elements.values()))


def _to_text(element: ET.Element) -> str:
    attributes = element.attrib
    if len(element) or element.text or not _PLAIN.fullmatch("".join([*attributes, *attributes.values()])):
        return ET.tostring(element, encoding="unicode")
    # Most tests: the same text, in a fraction of the time.
    written = "".join([f' {name}="{value}"' for name, value in attributes.items()])
    return f"<{element.tag}{written} />"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f'"{value}"'
    # What `xml.sax` has for this loads all that speaks HTTP.
    element = ET.tostring(ET.Element("of", value=bin_xml_escape(value)), encoding="unicode")
    return element.removeprefix("<of value=").removesuffix(" />")
