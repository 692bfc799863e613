"""The story of a run: whatever happens in a place, there are results, and one verdict that is true."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import pytest
from floe_ci.ends import Problem
from floe_ci.errors import BrokenError, LastingError, NothingToRunError, RunError, UserError
from floe_ci.request import RunRequest
from floe_ci.run import run, up
from floe_ci.selection import Selection
from floe_ci.signals import SIGNALS
from floe_ci.verdict import Verdict
from junitparser import JUnitXml

from floe_testing.waiting.polling import PollingConfig, wait_for_condition_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from floe_ci.listeners import Step
    from floe_ci.run import Run
    from floe_ci.verdict import Outcome

PASSED = """<testsuites><testsuite name="pytest" tests="1"><testcase classname="tests.test_it" name="test_passes" \
time="0.1"/></testsuite></testsuites>"""
FAILED = PASSED.replace("/></testsuite>", '><failure message="1 == 2">1 == 2</failure></testcase></testsuite>')
STEPS = ("enter", "services", "tests", "collect", "leave")


@dataclass
class Told:
    """Remembers what it is told."""

    lines: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Take a line."""
        self.lines.append(line)

    def begin(self, step: str) -> None:
        """Take a step."""
        self.lines.append(f"{step} …")

    def end(self, step: Step) -> None:
        """Take a step that has ended."""
        self.lines.append(f"{step.name}: {step.error or 'done'}")

    def collected(self, count: int) -> None:
        """Take how many tests there are."""
        self.lines.append(f"{count} tests")

    def started(self, test: str) -> None:
        """Take a test that begins."""

    def ended(  # noqa: PLR0913, PLR0917 - as the protocol has it
        self, test: str, outcome: str, seconds: float, message: str, done: int, total: int | None
    ) -> None:
        """Take a test that has ended."""
        self.lines.append(f"{outcome} {test} {message} {done}/{total} {seconds}")

    def verdict(self, outcome: Outcome) -> None:
        """Take the verdict."""
        self.lines.append(f"verdict {outcome.verdict}")


async def nothing(_: Run) -> None:
    """Do nothing."""


async def forever(_: Run) -> None:
    """Never come to an end."""
    await asyncio.Event().wait()


@dataclass
class Place:
    """A place that does what the test says at each step."""

    actions: dict[str, Callable[[Run], Awaitable[None]]] = field(default_factory=dict)
    exit_code: int = 0
    junit: str | None = PASSED
    name: str = "local"
    done: list[str] = field(default_factory=list)
    kept_back: bool | None = None

    def stay(self, run: Run) -> Place:
        """Begin."""
        self.run = run
        return self

    async def _do(self, step: str) -> None:
        self.done.append(step)
        with self.run.step(step):
            await self.actions.get(step, nothing)(self.run)

    async def enter(self) -> None:
        """Do what the test says."""
        await self._do("enter")

    async def services(self) -> None:
        """Do what the test says."""
        await self._do("services")

    async def tests(self) -> int:
        """Do what the test says."""
        await self._do("tests")
        return self.exit_code

    async def collect(self) -> tuple[str, ...]:
        """Leave a document, and do what the test says."""
        if self.junit and "tests" in self.done:
            self.run.folder.write("junit.xml", self.junit)
        await self._do("collect")
        return ("collected",)

    def kept(self) -> tuple[str, ...]:
        """Say how to get in."""
        return ("enter it",)

    async def leave(self, *, keep: bool, hurry: bool) -> None:  # noqa: ARG002 - as the protocol has it
        """Do what the test says."""
        self.kept_back = keep
        await self._do("leave")


@pytest.fixture
def request_(tmp_path: Path) -> RunRequest:
    """Return a request for the unit tier."""
    return RunRequest(tier="unit", source=tmp_path, results=tmp_path / "results" / "unit", run_id="abc")


@pytest.fixture
def _short_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what hangs after an interruption a moment, in the place of seconds."""
    monkeypatch.setattr("floe_ci.run.HURRY", 0.2)


def carried_out(place: Place, request: RunRequest, told: Told | None = None) -> Outcome:
    """Carry out a run."""
    return anyio.run(run, request, place, told or Told())


def raising(error: BaseException) -> Callable[[Run], Awaitable[None]]:
    """Return an action that raises."""

    async def action(_: Run) -> None:
        raise error

    return action


class OddError(BaseException):
    """Derives from nothing that anybody expects."""


ERRORS = [
    RunError("the service broke"),
    OSError(28, "No space left on device"),
    KeyError("name"),
    MemoryError(),
    RecursionError("too deep"),
    SystemExit(0),
    SystemExit("bye"),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    TimeoutError(),
    StopAsyncIteration(),
    ExceptionGroup("several", [ValueError("the first"), RunError("the second")]),
    BaseExceptionGroup("several", [OddError("the first")]),
    OddError("odd"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
]


def check_whole(outcome: Outcome, request: RunRequest) -> str:
    """Check that a results directory holds everything that one must, and return its summary."""
    names = {path.name for path in request.results.iterdir()}
    assert names >= {"junit.xml", "coverage.xml", "timings.json", "summary.md", "exit-code", "events.txt", "logs"}
    JUnitXml.fromfile(str(request.results / "junit.xml"))
    assert (request.results / "exit-code").read_text() == f"{outcome.exit_code}\n"
    return (request.results / "summary.md").read_text()


@pytest.mark.requirement("REQ-636.6")
def test_story_in_order(request_: RunRequest) -> None:
    """A run enters, brings services up, runs the tests, collects, is judged, and only then leaves."""
    place, told = Place(), Told()
    outcome = carried_out(place, request_, told)
    assert place.done == list(STEPS)
    assert (outcome.verdict, outcome.exit_code) == ("passed", 0)
    assert told.lines.index("verdict passed") < told.lines.index("leave …")
    check_whole(outcome, request_)


@pytest.mark.parametrize("step", ["enter", "services", "tests"])
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_exception_of_any_type_has_results(request_: RunRequest, step: str, error: BaseException) -> None:
    """Whatever is raised, and wherever, the run has whole results, an infrastructure verdict, and leaves its place."""
    place = Place({step: raising(error)}, junit=None)
    outcome = carried_out(place, request_)
    assert (outcome.verdict, outcome.exit_code) == ("errored", 3)
    summary = check_whole(outcome, request_)
    leaf = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    assert type(leaf).__name__ in summary or str(leaf) in summary
    assert place.done[-1] == "leave"


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_collecting_that_fails_loses_no_verdict(request_: RunRequest, error: BaseException) -> None:
    """Where collecting breaks, the tests' verdict stays what it is, and the page says what is missing."""
    outcome = carried_out(Place({"collect": raising(error)}, junit=FAILED, exit_code=1), request_)
    assert (outcome.verdict, outcome.exit_code) == ("failed", 1)
    assert "not everything could be collected" in check_whole(outcome, request_)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_leaving_that_fails_changes_no_verdict(request_: RunRequest, error: BaseException) -> None:
    """A teardown that breaks is told, and changes neither verdict nor results."""
    told = Told()
    outcome = carried_out(Place({"leave": raising(error)}), request_, told)
    assert (outcome.verdict, outcome.exit_code) == ("passed", 0)
    assert any("could be removed" in line for line in told.lines)
    check_whole(outcome, request_)


@pytest.mark.parametrize(
    ("error", "verdict", "code"),
    [
        (UserError("pyproject.toml: wrong"), "refused", 2),
        (NothingToRunError("no test matches"), "nothing ran", 5),
        (BrokenError(Problem("memory", "OOMKilled")), "out of memory", 137),
        (BrokenError(Problem("timeout", "too long")), "timed out", 124),
    ],
)
def test_errors_that_explain_themselves(request_: RunRequest, error: Exception, verdict: str, code: int) -> None:
    """An error that says whose affair it is gets the verdict and the exit code of that, and its text is the reason."""
    outcome = carried_out(Place({"tests": raising(error)}, junit=None), request_)
    assert (outcome.verdict, outcome.exit_code) == (verdict, code)
    assert str(error) in check_whole(outcome, request_)


def test_attempts_before_stay_to_be_looked_at(request_: RunRequest) -> None:
    """A further attempt keeps what those before left, tells of each in one place, and counts as one run with them."""

    async def broken(run: Run) -> None:
        log = run.folder.log("web.log")
        log.line(f"words of {run.request.run_id}")
        log.close()
        msg = f"{run.request.run_id} broke"
        raise RunError(msg)

    carried_out(Place(), request_)
    asked = replace(request_, run_id="one")
    for number in (1, 2):
        outcome = carried_out(Place({"services": broken}), asked)
        assert outcome.lasts is False
        asked = replace(asked.again(f"attempt {number} broke"), run_id=f"after {number}")
    told = Told()
    carried_out(Place(), asked, told)
    logs = request_.results / "logs"
    assert [(logs / f"attempt-{number}" / "web.log").read_text() for number in (1, 2)] == [
        "words of one\n",
        "words of after 1\n",
    ]
    assert {path.name for path in (logs / "attempt-2").iterdir()} == {
        "web.log",
        "summary.md",
        "events.txt",
        "timings.json",
    }
    assert not (logs / "web.log").exists()
    summary = (request_.results / "summary.md").read_text()
    assert "## Attempts before this one\n\n- attempt 1 broke\n- attempt 2 broke\n\n## Where the tests ran" in summary
    assert 'id="earlier"' in (request_.results / "report.html").read_text()
    assert [line for line in told.lines if line.startswith("attempt")] == ["attempt 2 broke"]
    history = (request_.results / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["run_id"] for line in history] == ["abc", "after 2"]


def test_what_would_break_again_is_known(request_: RunRequest) -> None:
    """What another attempt would find as it was is told apart from what may pass."""
    assert carried_out(Place({"services": raising(LastingError("web: ended 3 times"))}), request_).lasts


@pytest.mark.parametrize("step", ["enter", "services", "tests"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: signal.Signals(number).name)
def test_signal_ends_a_run_in_order(request_: RunRequest, step: str, number: int) -> None:
    """The first signal ends a run at whatever step: results with what there is, the signal's exit code, no keeping."""

    async def told_to_stop(run: Run) -> None:
        threading.Thread(target=lambda: os.kill(os.getpid(), number)).start()
        await forever(run)

    place = Place({step: told_to_stop})
    outcome = carried_out(place, request_)
    assert (outcome.verdict, outcome.exit_code) == ("interrupted", 128 + number)
    check_whole(outcome, request_)
    assert place.done[-2:] == ["collect", "leave"]
    assert place.kept_back is False


@pytest.mark.parametrize("error", [ImportError("no module named dagger"), SystemExit(1)], ids=repr)
def test_place_that_can_not_begin(request_: RunRequest, error: BaseException) -> None:
    """Where a place can't even make a stay, the run has whole results and an infrastructure verdict."""

    class Nowhere(Place):
        """A place without a stay."""

        def stay(self, run: Run) -> Place:  # noqa: ARG002 - as the protocol has it
            """Refuse."""
            raise error

    outcome = carried_out(Nowhere(), request_)
    assert outcome.exit_code == 3
    assert str(error) in check_whole(outcome, request_)


def test_work_beside_the_story_ends_no_run(request_: RunRequest) -> None:
    """What breaks in the background is told, and changes no verdict."""

    async def breaks() -> None:
        msg = "the log can't be read"
        raise OSError(msg)

    async def tests(run: Run) -> None:
        run.beside(breaks)
        await anyio.lowlevel.checkpoint()

    outcome = carried_out(Place({"tests": tests}), request_)
    assert outcome.exit_code == 0
    assert "the log can't be read" in check_whole(outcome, request_)


@pytest.mark.usefixtures("_short_hurry")
def test_collecting_is_bounded_when_interrupted(request_: RunRequest) -> None:
    """A collection that hangs after an interruption is given up after seconds, and the results say so."""

    async def told_to_stop(run: Run) -> None:
        run.interrupts.interrupt(signal.SIGTERM)
        await forever(run)

    place = Place({"tests": told_to_stop, "collect": forever, "leave": forever})
    outcome = carried_out(place, request_)
    assert outcome.exit_code == 143
    assert "not everything could be collected" in check_whole(outcome, request_)


@pytest.mark.usefixtures("_short_hurry")
@pytest.mark.parametrize("after", [nothing, forever], ids=["that ends", "that hangs"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_while_collecting(request_: RunRequest, number: int, after: Callable[[Run], Awaitable[None]]) -> None:
    """A signal that comes while results are collected is the run's verdict, with every test that there is in them."""

    async def told_to_stop(run: Run) -> None:
        run.interrupts.interrupt(number)
        await after(run)

    outcome = carried_out(Place({"collect": told_to_stop}), request_)
    assert (outcome.verdict, outcome.exit_code) == ("interrupted", 128 + number)
    assert "1 passed" in check_whole(outcome, request_)


@pytest.mark.usefixtures("_short_hurry")
def test_signal_while_leaving(request_: RunRequest) -> None:
    """A signal after the verdict changes nothing of it, and ends a teardown that hangs."""

    async def told_to_stop(run: Run) -> None:
        run.interrupts.interrupt(signal.SIGTERM)
        await forever(run)

    told = Told()
    outcome = carried_out(Place({"leave": told_to_stop}), request_, told)
    assert outcome.exit_code == 0
    assert "what the run made was not all gone after 0.2 s" in "".join(told.lines)


def test_earlier_verdict_is_gone_when_a_run_starts(request_: RunRequest) -> None:
    """From the moment that a run starts its folder shows no earlier verdict."""
    carried_out(Place(), request_)
    seen: list[set[str]] = []

    async def look(_: Run) -> None:
        seen.append({path.name for path in request_.results.iterdir()})

    carried_out(Place({"enter": look}), request_)
    assert not seen[0] & {"exit-code", "summary.md", "junit.xml"}


def test_junit_grows_with_the_tests(request_: RunRequest) -> None:
    """While tests run, `junit.xml` holds each that has ended."""
    found: list[int] = []

    async def tests(run: Run) -> None:
        for number in range(3):
            run.live.feed(f'{{"event": "started", "test": "t::{number}"}}')
            run.live.feed(
                f'{{"event": "ended", "test": "t::{number}", "classname": "t", "name": "{number}", '
                '"outcome": "passed", "seconds": 0.1}'
            )
        junit = run.folder.path / "junit.xml"
        await wait_for_condition_async(junit.exists, PollingConfig(timeout=20, interval=0.1))
        found.append(sum(len(list(suite)) for suite in JUnitXml.fromfile(str(junit))))

    carried_out(Place({"tests": tests}), request_)
    assert found == [3]


def test_gate_where_there_are_no_tests(request_: RunRequest) -> None:
    """Where pytest found no test, nothing ran, also where a gate of the repository's on coverage failed for it."""

    async def collect(run: Run) -> None:
        # The last events are often read when pytest's process has ended.
        run.live.feed('{"event": "collected", "count": 0}')
        run.live.feed('{"event": "finished", "exit_code": 1}')

    told = Told()
    outcome = carried_out(
        Place({"collect": collect}, exit_code=1, junit='<testsuite name="pytest" tests="0"/>'), request_, told
    )
    assert (outcome.verdict, outcome.exit_code) == (Verdict.NOTHING_RAN, 5)
    assert any("tier unit: there are no tests in its paths" in line for line in told.lines)


def test_test_that_ends_its_process_as_if_there_were_none(request_: RunRequest) -> None:
    """Where a test has started, it is not told that there are none, whatever exit code its process has."""

    async def collect(run: Run) -> None:
        run.live.feed('{"event": "collected", "count": 1}')
        run.live.feed('{"event": "started", "test": "t::a"}')

    told = Told()
    outcome = carried_out(Place({"collect": collect}, exit_code=5, junit=None), request_, told)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.ERRORED, 3)
    assert not any("there are no tests" in line for line in told.lines)


def test_kept_only_where_asked_and_failed(request_: RunRequest) -> None:
    """What a run used is kept where that was asked for and the run did not pass, and the page says how to get in."""
    asked = RunRequest(**{**vars(request_), "keep": True})
    failed, passed = Place(junit=FAILED, exit_code=1), Place()
    assert "enter it" in check_whole(carried_out(failed, asked), asked)
    carried_out(passed, asked)
    assert (failed.kept_back, passed.kept_back) == (True, False)


def test_password_in_a_reason_is_redacted(request_: RunRequest) -> None:
    """A password that stands in an error is neither in the results nor in what is told."""
    told = Told()

    async def leak(run: Run) -> None:
        run.folder.redactor.add(["hunter2-password"])
        msg = "can't connect to postgresql://floe:hunter2-password@db"  # pragma: allowlist secret
        raise RunError(msg)

    outcome = carried_out(Place({"services": leak}), request_, told)
    text = "".join(path.read_text() for path in request_.results.rglob("*") if path.is_file())
    assert "hunter2-password" not in text + outcome.summary + "".join(told.lines)


def test_up_leaves_services(request_: RunRequest) -> None:
    """Bringing services up is the same story without tests, and leaves them; where it fails they are taken down."""
    place = Place()
    anyio.run(up, request_, place, Told())
    assert (place.done, place.kept_back) == (["enter", "services", "leave"], True)
    broken = Place({"services": raising(RunError("it did not start"))})
    with pytest.raises(UserError, match="it did not start"):
        anyio.run(up, request_, broken, Told())
    assert broken.kept_back is False


def test_up_tells_the_unforeseen_whole(request_: RunRequest) -> None:
    """Where services are only brought up no results stay, so an exception that nobody foresaw is told whole."""
    with pytest.raises(UserError, match=r"KeyError: 'name'\nTraceback(?s:.)*test_run\.py"):
        anyio.run(up, request_, Place({"enter": raising(KeyError("name"))}), Told())


def test_up_that_is_given_up(request_: RunRequest) -> None:
    """What was begun is taken down where the caller gives up, and the end is the caller's own, not an error."""
    place = Place({"services": forever})

    async def give_up() -> bool:
        with anyio.move_on_after(0.05) as scope:
            await up(request_, place, Told())
        return scope.cancelled_caught

    assert anyio.run(give_up)
    assert (place.done, place.kept_back) == (["enter", "services", "leave"], False)


@pytest.mark.parametrize(
    ("selection", "exit_code", "kept"),
    [
        (Selection(), 0, ["t::new"]),
        (Selection(keyword="new"), 0, ["t::new", "t::old"]),
        (Selection(), None, ["t::new", "t::old"]),
    ],
    ids=["all", "some", "ended before its time"],
)
def test_durations_of_tests_that_are_gone(
    selection: Selection, exit_code: int | None, kept: list[str], request_: RunRequest
) -> None:
    """A run of all there is drops the durations of tests that it has not seen; any other one keeps them."""

    async def tests(run: Run) -> None:
        run.live.durations, run.live.exit_code = {"t::new": 1.0}, exit_code

    place = Place({"tests": tests})
    carried_out(place, replace(request_, selection=selection))
    assert [*json.loads(place.run.durations_after({"t::old": 2.0}))] == kept
