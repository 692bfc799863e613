"""Tests are told of as they end, and make a whole document at any time."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from floe_ci import junit
from floe_ci.folder import RunFolder
from floe_ci.junit import Counts
from floe_ci.live import JunitFile, LiveTests
from floe_ci.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Heard:
    """Remembers what it is told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def collected(self, count: int) -> None:
        """Remember how many there are."""
        self.told.append(("collected", count))

    def started(self, test: str) -> None:
        """Remember a test."""
        self.told.append(("started", test))

    def ended(  # noqa: PLR0913, PLR0917 - as the listener has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Remember how it ended."""
        self.told.append((test, outcome, seconds, message, done, total))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    """Yield a run's folder."""
    folder = RunFolder.take(tmp_path / "results", run_id="abc", tier="unit", place="local")
    yield folder
    folder.release()


def ended(name: str, outcome: str = "passed", **more: object) -> str:
    """Return the line of a test that ended."""
    event = {"event": "ended", "test": f"t.py::{name}", "classname": "t", "name": name, "outcome": outcome}
    return json.dumps({**event, "seconds": 0.5, "message": "", "text": "", **more})


def test_story() -> None:
    """Who listens is told how many there are, what starts, and how it ends, with its reason and how many are done."""
    heard = Heard()
    live = LiveTests(heard)
    live.feed('{"event":"collected","count":3}')
    live.feed('{"event":"started","test":"t.py::a"}')
    live.feed('{"event":"started","test":"t.py::b"}')
    assert live.running == ("t.py::a", "t.py::b")
    live.feed(ended("a"))
    live.feed(ended("b", "failed", message="assert 0", text="E   assert 0\n\nt.py:3: AssertionError"))
    assert live.running == ()
    assert heard.told == [
        ("collected", 3),
        ("started", "t.py::a"),
        ("started", "t.py::b"),
        ("t.py::a", "passed", 0.5, "", 1, 3),
        ("t.py::b", "failed", 0.5, "assert 0\nt.py:3: AssertionError", 2, 3),
    ]
    assert (live.total, live.counts, live.exit_code) == (3, Counts(passed=1, failed=1), None)
    live.feed('{"event":"finished","exit_code":1}')
    assert live.exit_code == 1


@pytest.mark.parametrize(
    "line",
    [
        "",
        "plain text",
        "[1]",
        "null",
        '"ended"',
        "[" * 100_000,
        '{"event":"ended"}',
        '{"event":"ended","outcome":"great"}',
        '{"event":"ended","outcome":["passed"]}',
        '{"event":["started"]}',
        '{"event":"ended","test":"a","outcome":"pas',
    ],
)
def test_other_lines(line: str) -> None:
    """A line that isn't the reporter's is passed over."""
    live = LiveTests()
    live.feed(line)
    assert not live.heard


@pytest.mark.parametrize("value", [None, "x", True, -1, float("nan"), float("inf"), 1e308, 10**400, [], {}])
def test_odd_values(value: object) -> None:
    """A value of another type counts as none; the document is whole all the same."""
    live = LiveTests()
    live.feed(json.dumps({"event": "collected", "count": value}))
    live.feed(json.dumps({"event": "finished", "exit_code": value}))
    live.feed(json.dumps({"event": "started", "test": value}))
    live.feed(ended("a", "failed", seconds=value, message=value, text=value, classname=value, attempts=value))
    assert len(live.cases) == 1
    assert "<testcase" in live.junit("unit")


def parsed(text: str, tmp_path: Path) -> junit.Document:
    """Return what a document says."""
    (tmp_path / "live.xml").write_text(text)
    document = junit.read(tmp_path / "live.xml")
    assert document.problem is None
    return document


def test_document(tmp_path: Path) -> None:
    """What is known at any time is a document with each test that ended, its outcome and its reason."""
    live = LiveTests()
    assert list(parsed(live.junit("unit"), tmp_path).cases) == []
    live.feed(ended("a"))
    assert [case.name for case in parsed(live.junit("unit"), tmp_path).cases] == ["a"]
    live.feed(ended("b", "errored", message="no <server>", text="\x1b[31mlong\x00"))
    live.feed(ended("c", "skipped", message="bug", xfail=True))
    live.feed(ended("d", attempts=3))
    document = parsed(live.junit("unit"), tmp_path)
    assert [(case.name, case.outcome, case.reason.split("\n")[0], case.attempts) for case in document.cases] == [
        ("a", "passed", "", 1),
        ("b", "errored", "no <server>", 1),
        ("c", "skipped", "bug", 1),
        ("d", "passed", "", 3),
    ]
    assert [suite.name for suite in document.suites] == ["unit"]
    assert live.attempts == {("t", "d"): 3}


def test_told_late(tmp_path: Path) -> None:
    """A test that is told of once more, for what it left fails, is one test that errored, in the time of both."""
    heard = Heard()
    live = LiveTests(heard)
    live.feed(ended("b", "failed"))
    live.feed(ended("a"))
    live.feed(ended("a", "errored", late=True, message="it stays open"))
    assert live.counts == Counts(failed=1, errored=1)
    assert [told[1::3] for told in heard.told] == [("failed", 1), ("passed", 2), ("errored", 2)]
    assert live.durations["t.py::a"] == 2 * live.durations["t.py::b"]
    found = junit.with_late(parsed(live.junit("unit"), tmp_path).cases, live.late)
    assert [(case.name, case.outcome, case.seconds) for case in found] == [("b", "failed", 0.5), ("a", "errored", 1.0)]


def test_told_late_of_nothing() -> None:
    """A test that is told of late, and was never told of before, counts as any other."""
    live = LiveTests()
    live.feed(ended("a", "errored", late=True))
    assert (live.counts, live.late) == (Counts(errored=1), set())


def test_collection_error_is_no_test_done() -> None:
    """A module that can't be imported is told of, and isn't counted among the tests that are done."""
    heard = Heard()
    live = LiveTests(heard)
    live.feed(ended("m", "errored", collection=True, message="collection failure", text="E   ImportError: x"))
    live.feed(ended("a"))
    assert [told[3:5] for told in heard.told] == [("E   ImportError: x", 0), ("", 1)]


def test_passwords() -> None:
    """Nothing that is told of a test has a password in it."""
    heard = Heard()
    live = LiveTests(heard, redactor=Redactor(['hunter"22']))
    live.feed('{"event":"started","test":"t[hunter\\"22]"}')
    live.feed(ended('a[hunter"22]', "failed", message='no hunter"22', text='hunter"22'))
    live.feed(json.dumps({"event": "broken", "text": 'hunter"22'}))
    assert "hunter" not in repr((heard.told, live.running, live.cases, live.broken, live.junit("unit")))
    assert live.running == ("t[***]",)


def test_file_grows(folder: RunFolder) -> None:
    """The file is whole after each test, and has every test that ended."""
    folder.redactor.add(["hunter22"])
    live = LiveTests()
    file = JunitFile(folder, "unit", live)
    file.update()
    path = folder.path / "junit.xml"
    for number in range(5):
        document = junit.read(path)
        assert document.problem is None
        assert [case.name for case in document.cases] == [f"a{before}" for before in range(number)]
        live.feed(ended(f"a{number}", "failed", message="hunter22"))
        file.update()
    assert "hunter22" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_is_gone(folder: RunFolder) -> None:
    """Where the file can't be written, the run goes on."""
    live = LiveTests()
    file = JunitFile(folder, "unit", live)
    file.update()
    (folder.path / "junit.xml").unlink()
    live.feed(ended("a"))
    file.update()
    assert [case.name for case in live.cases] == ["a"]


@pytest.mark.parametrize("had_begun", [False, True])
def test_file_that_is_the_results_own(folder: RunFolder, had_begun: bool) -> None:  # noqa: FBT001
    """Once the results are written, a look that comes late changes nothing in them."""
    live = LiveTests()
    file = JunitFile(folder, "unit", live)
    if had_begun:
        file.update()
    file.close()
    folder.write("junit.xml", "<testsuites/>")
    live.feed(ended("a"))
    file.update()
    assert (folder.path / "junit.xml").read_text() == "<testsuites/>"


def test_cost(folder: RunFolder) -> None:
    """Following ten times as many tests takes about ten times as long, not a hundred."""

    def follow(count: int) -> float:
        live = LiveTests()
        file = JunitFile(folder, "unit", live)
        began = time.process_time()
        for number in range(count):
            live.feed(ended(f"a{number}", "failed", message="x" * 100))
            file.update()
        return time.process_time() - began

    follow(100)
    assert follow(5000) < 40 * follow(500)
