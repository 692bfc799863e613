"""Every run ends with a whole results folder and a verdict that is true, whatever became of it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from floe_ci import junit
from floe_ci.ends import End, Problem
from floe_ci.folder import RunFolder
from floe_ci.junit import Case, Document, Result, Suite
from floe_ci.listeners import Step
from floe_ci.live import LiveTests
from floe_ci.report import render
from floe_ci.results import empty_coverage, finish, note_first_test, problem_suite
from floe_ci.steps import Timings
from floe_ci.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from pathlib import Path

BEGAN = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
ALWAYS = {
    *{"junit.xml", "coverage.xml", "logs", "events.txt", "timings.json", "summary.md", "exit-code", "run.json"},
    *{"report.html", "history.jsonl"},
}
GOOD, BAD = Case("t.a", "ok", 0.5), Case("t.a", "bad", 2, (Result("failed", "assert 0", "t/a.py:7: AssertionError"),))
SECRET = "hunter22-long"  # noqa: S105 - of no service


def left(folder: RunFolder, tmp_path: Path, text: str | bytes) -> None:
    """Have pytest leave a `junit.xml`."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "junit.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
    folder.gather(raw)


def document(*cases: Case) -> str:
    """Return a JUnit file with cases."""
    return "".join(junit.write([Suite("pytest", list(cases))]))


def heard(*events: dict[str, object]) -> LiveTests:
    """Return what was heard of the tests."""
    live = LiveTests()
    for event in events:
        live.feed(json.dumps(event))
    return live


def ended(name: str, outcome: str = "passed", **more: object) -> dict[str, object]:
    """Return the event of a test that ended."""
    return {"event": "ended", "test": f"t/a.py::{name}", "classname": "t.a", "name": name, "outcome": outcome, **more}


def finished(folder: RunFolder, end: End, live: LiveTests | None = None, timings: Timings | None = None) -> Outcome:
    """Return the outcome of a run."""
    return finish(folder, "unit", "abc", end, timings or Timings(), live)


def names(outcome: Outcome) -> dict[str, list[str]]:
    """Return the names of the cases in `junit.xml`, by suite."""
    read = junit.read(outcome.folder / "junit.xml")
    assert read.problem is None
    return {suite.name: [case.name for case in suite.cases] for suite in read.suites}


def test_tests_that_passed(folder: RunFolder, tmp_path: Path) -> None:
    """A run whose tests passed has everything that results always hold, for all to read, and exit code 0."""
    left(folder, tmp_path, document(GOOD))
    outcome = finished(folder, End(exit_code=0))
    assert outcome.passed
    assert {path.name for path in folder.path.iterdir()} == ALWAYS
    assert (folder.path / "exit-code").read_text() == "0\n"
    assert (folder.path / "summary.md").read_text() == outcome.summary
    assert json.loads((folder.path / "timings.json").read_text())["run_id"] == "abc"
    assert json.loads((folder.path / "run.json").read_text())["state"] == "ended"
    assert (folder.path / "junit.xml").stat().st_mode & 0o777 == 0o644
    assert names(outcome) == {"unit": ["ok"]}


@pytest.mark.parametrize("kind", ["input", "infrastructure", "timeout", "memory", "interrupted"])
def test_run_that_broke(folder: RunFolder, kind: str) -> None:
    """A run that broke before its tests has the same files, and its problem is the one case, named by its step."""
    outcome = finished(folder, End(problem=Problem(kind, "no cluster\nat all", "cluster")))  # type: ignore[arg-type]
    assert not outcome.passed
    assert {path.name for path in folder.path.iterdir()} == ALWAYS
    assert (folder.path / "exit-code").read_text() == f"{outcome.exit_code}\n"
    (case,) = junit.read(folder.path / "junit.xml").cases
    assert (case.name, case.results[0].message, case.results[0].text) == ("cluster", "no cluster", "no cluster\nat all")
    assert "no cluster\nat all" in outcome.summary


def test_nothing_was_left(folder: RunFolder) -> None:
    """A test process that says 0 but told of no test is no success."""
    outcome = finished(folder, End(exit_code=0))
    assert outcome.exit_code == 3
    assert "the test process ended with exit code 0 and told of no test" in outcome.summary


def test_failed_tests_win(folder: RunFolder, tmp_path: Path) -> None:
    """Tests that failed are failed, whatever exit code pytest was left with."""
    left(folder, tmp_path, document(GOOD, BAD))
    outcome = finished(folder, End(exit_code=5), heard(ended("ok"), {"event": "finished", "exit_code": 5}))
    assert (outcome.verdict, outcome.exit_code) == (Verdict.FAILED, 1)


def test_gate(folder: RunFolder, tmp_path: Path) -> None:
    """Where no test failed and pytest's exit code is 1, the log's own words are the reason, in a case of our suite."""
    left(folder, tmp_path, document(GOOD))
    for line in (
        "TOTAL 3 1 66%",
        "FAIL Required test coverage of 100% not reached. Total coverage: 66.67%",
        "=== 1 passed in 0.1s ===",
    ):
        folder.log("runner.log").line(line)
    outcome = finished(folder, End(exit_code=1), heard(ended("ok"), {"event": "finished", "exit_code": 1}))
    assert (outcome.verdict, outcome.exit_code) == (Verdict.FAILED, 1)
    *_, case = junit.read(folder.path / "junit.xml").cases
    assert case.results[0].message == (
        "no test failed, and pytest ended with exit code 1 all the same: "
        "FAIL Required test coverage of 100% not reached. Total coverage: 66.67%"
    )


def test_reason_from_a_pods_log(folder: RunFolder, tmp_path: Path) -> None:
    """In a cluster the reason stands in the log of the tests' pod, after the time of each line."""
    left(folder, tmp_path, document(Case("t", "a")))
    log = folder.log("floe-test-runner-x/runner.log")
    log.line("2026-11-28T22:00:37.117497705Z Coverage failure: total of 62 is less than fail-under=90")
    outcome = finished(folder, End(exit_code=1))
    assert outcome.exit_code == 1
    assert "exit code 1 all the same: Coverage failure: total of 62 is less than fail-under=90" in outcome.summary


def test_usage_error(folder: RunFolder) -> None:
    """Arguments that pytest refuses are a refusal, with what to do, and all that pytest said once."""
    said = ["ERROR: usage: pytest [options]", "pytest: error: unrecognized arguments: --nope", "  inifile: None"]
    for line in said:
        folder.log("runner.log").line(line)
    outcome = finished(folder, End(exit_code=4))
    assert outcome.exit_code == 2
    assert f"pytest could not start: {said[1]}; leave it out of pytest-args and the call, or add" in outcome.summary
    assert "inifile: None" in outcome.summary
    assert said[0] not in outcome.summary


def test_cut_file(folder: RunFolder, tmp_path: Path) -> None:
    """Of a file that is cut what is whole is kept, what else was heard is added, and that it was cut is an error."""
    text = document(GOOD, BAD)
    left(folder, tmp_path, text[: text.index("t/a.py:7")])
    outcome = finished(folder, End(exit_code=0), heard(ended("ok"), ended("third"), {"event": "started", "test": "x"}))
    assert outcome.exit_code == 3
    assert names(outcome) == {"unit": ["ok", "third"], "floe-ci": ["run"]}
    assert "junit.xml: it is cut off or broken" in outcome.summary
    assert "had started and not ended: x" in outcome.summary


@pytest.mark.parametrize("data", [b"", b"<html/>", b"\xff\xfe", b"\x89PNG\r\n\x1a\n\0\0"])
def test_something_else_in_its_place(folder: RunFolder, tmp_path: Path, data: bytes) -> None:
    """Something else in the place of `junit.xml` is an error, and never a success."""
    left(folder, tmp_path, data)
    outcome = finished(folder, End(exit_code=0))
    assert outcome.exit_code == 3
    assert "junit.xml: " in outcome.summary


def test_no_file_but_heard(folder: RunFolder) -> None:
    """Where pytest left no file, what was heard of its tests to the end stands for it."""
    live = heard({"event": "collected", "count": 1}, ended("ok"), {"event": "finished", "exit_code": 0})
    outcome = finished(folder, End(exit_code=0), live)
    assert outcome.passed
    assert names(outcome) == {"unit": ["ok"]}


def test_ended_before_its_time(folder: RunFolder, tmp_path: Path) -> None:
    """A test that ends the process with code 0 makes no success, though the file that was left looks whole."""
    left(folder, tmp_path, document(GOOD))
    live = heard({"event": "collected", "count": 3}, ended("ok"), ended("more"), {"event": "started", "test": "t::b"})
    outcome = finished(folder, End(exit_code=0), live)
    assert outcome.exit_code == 3
    assert names(outcome)["unit"] == ["ok", "more"]
    assert "had started and not ended: t::b" in outcome.summary


def test_file_that_grew(folder: RunFolder) -> None:
    """The file that grew during a run is completed from what was heard, not taken for pytest's own."""
    folder.write("junit.xml", document(GOOD))
    outcome = finished(folder, End(exit_code=1), heard(ended("ok"), ended("bad", "failed", message="assert 0")))
    assert outcome.exit_code == 1
    assert names(outcome) == {"unit": ["ok", "bad"]}


def test_flaky(folder: RunFolder, tmp_path: Path) -> None:
    """Only what was tried again by pytest's own word is flaky; tests that share a name are not."""
    left(folder, tmp_path, document(GOOD, GOOD, Case("t.a", "twice"), Case("t.a", "twice")))
    live = heard(ended("ok"), ended("ok"), ended("twice", attempts=2), {"event": "finished", "exit_code": 0})
    outcome = finished(folder, End(exit_code=0), live)
    assert names(outcome) == {"unit": ["ok", "ok", "twice"]}
    assert "3 passed, 1 of them flaky" in outcome.summary
    assert "- `t.a::twice`: passed in attempt 2" in outcome.summary


def test_nothing_tells_a_password(folder: RunFolder, tmp_path: Path) -> None:
    """No file and no name in the results, nor what is shown of them, has a password in it."""
    secret = f"no {SECRET}"
    left(folder, tmp_path, document(Case("t", secret, 0, (Result("failed", secret, secret),))))
    timings = Timings()
    timings.record(Step("deploy", 0, 1, secret))
    folder.write("events.txt", secret)
    folder.log("a.log").line(secret)
    live = heard(ended(SECRET, "failed", message=secret, text=secret), {"event": "broken", "text": secret})
    outcome = finished(folder, End(1, Problem("infrastructure", secret, secret), (secret,), (secret,)), live, timings)
    assert SECRET not in outcome.summary
    for path in folder.path.rglob("*"):
        assert SECRET not in path.name
        assert path.is_dir() or SECRET not in path.read_text()


def test_full_disk(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file can't be written the others are, the verdict among them, and the summary says which is missing."""
    write_parts = RunFolder.write_parts

    def refusing(self: RunFolder, name: str, parts: object) -> None:
        if name in {"junit.xml", "coverage.xml"}:
            raise OSError(28, "No space left on device")
        write_parts(self, name, parts)  # type: ignore[arg-type]

    monkeypatch.setattr(RunFolder, "write_parts", refusing)
    outcome = finished(folder, End(exit_code=0), heard(ended("ok"), {"event": "finished", "exit_code": 0}))
    assert (folder.path / "exit-code").read_text() == "0\n"
    assert "junit.xml: it can't be written: No space left on device" in outcome.summary
    assert (folder.path / "summary.md").read_text() == outcome.summary
    assert {path.name for path in folder.path.iterdir()} == ALWAYS - {"junit.xml", "coverage.xml"}


@pytest.mark.parametrize("what", ["a full disk", "a broken page"])
def test_page_that_cannot_be_written(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where the page can't be made, whatever the reason, verdict and other files stand, and the summary says so."""
    if what == "a full disk":
        (folder.path / ".report.html.draft").mkdir()
    else:
        monkeypatch.setattr("floe_ci.report.render._TEMPLATES", tmp_path)
        render.templates.cache_clear()
    outcome = finished(folder, End(exit_code=0), heard(ended("ok"), {"event": "finished", "exit_code": 0}))
    assert outcome.passed
    assert "report.html: it can't be written: " in outcome.summary
    assert (folder.path / "summary.md").read_text() == outcome.summary
    assert json.loads((folder.path / "run.json").read_text())["state"] == "ended"
    assert not (folder.path / "report.html").exists()


def test_folder_that_is_gone(folder: RunFolder) -> None:
    """A results folder that somebody removed is made again: the verdict is told all the same."""
    shutil.rmtree(folder.path)
    outcome = finished(folder, End(exit_code=0), heard(ended("ok"), {"event": "finished", "exit_code": 0}))
    assert outcome.passed
    assert (folder.path / "exit-code").read_text() == "0\n"


def test_what_the_run_left_is_kept(folder: RunFolder, tmp_path: Path) -> None:
    """Coverage, events and logs that the run collected stay as they are."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "coverage.xml").write_text("<coverage/>")
    folder.gather(raw)
    folder.write("events.txt", "mine")
    finished(folder, End(exit_code=0))
    assert (folder.path / "coverage.xml").read_text() == "<coverage/>"
    assert (folder.path / "events.txt").read_text() == "mine"


def test_notes(folder: RunFolder) -> None:
    """What the reader should know stands in the summary before the tests: notes, what was left, incomplete logs."""
    log = folder.log("full.log")
    log.problem = "No space left on device"
    summary = finished(folder, End(0, notes=("minio: SeaweedFS",), kept=("Enter it: x", "Delete it: y"))).summary
    assert "## Where the tests ran\n\n- minio: SeaweedFS\n- logs/full.log: it is not complete" in summary
    assert "## What was left\n\n- Enter it: x\n- Delete it: y" in summary


STEPS = [
    Step("source", 0, 1),
    Step("postgres", 1, 5, "PostgreSQL refuses to run as root"),
    Step("minio", 1, 5.1, "cancelled"),
    Step("services", 1, 6, "PostgreSQL refuses to run as root"),
]


def test_first_cause() -> None:
    """A problem is named after its step; else after the one that failed first, none that was cancelled."""
    for steps in (STEPS, STEPS[::-1]):
        (case,) = problem_suite(steps, "boom").cases
        assert (case.name, case.seconds) == ("postgres", 5)
    (case,) = problem_suite(STEPS, "boom", "minio").cases
    assert case.name == "minio"
    (case,) = problem_suite(STEPS, "boom", "no such step").cases
    assert (case.name, case.seconds) == ("no such step", 0)
    assert "minio: cancelled after 5.1 s" in case.outputs[0][1]


def test_problem_without_steps() -> None:
    """A problem before the first step still makes a case."""
    (case,) = problem_suite([], "").cases
    assert (case.name, case.results[0].message) == ("run", "unknown problem")


def noted(timestamp: str, elapsed: float = 100) -> float | None:
    """Return the time to the first test of a run that began at twelve."""
    now = iter([0.0])
    timings = Timings(clock=lambda: next(now, elapsed), now=lambda: BEGAN)
    note_first_test(Document((Suite("a"), Suite("b", timestamp=timestamp))), timings)
    return timings.measured("abc", "unit").time_to_first_test_seconds


@pytest.mark.parametrize(
    ("timestamp", "first"),
    [
        ("2025-01-01T12:00:42.5+00:00", 42.5),
        ("2025-01-01T14:00:03+02:00", 3),
        ("2025-01-01T12:00:07", 7),
        ("", None),
        ("garbage", None),
        ("2012-01-14T03:21:34+00:00", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_first_test(timestamp: str, first: float | None) -> None:
    """The first test is when a suite began by its own word, unless that lies outside of the run, or is no time."""
    assert noted(timestamp) == first


def test_empty_coverage() -> None:
    """Coverage that wasn't measured is a Cobertura document without a line."""
    root = ET.fromstring(empty_coverage())  # noqa: S314 - it is our own
    assert (root.tag, root.get("lines-valid"), root.get("line-rate")) == ("coverage", "0", "0")
    assert [child.tag for child in root] == ["sources", "packages"]
