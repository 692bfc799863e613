"""What becomes of tests while they run: reads the events of the reporter that runs beside them."""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING, Any, Final, get_args

from floe_ci.junit import Case, Counts, Key, Outcome, Result, Suite, attributes, case_xml, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from floe_ci.folder import RunFolder
    from floe_ci.listeners import TestListener
    from floe_ci.redaction import Redactor

_OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class LiveTests:
    """What is known of the tests until now."""

    def __init__(self, listener: TestListener | None = None, *, redactor: Redactor | None = None) -> None:
        """Know nothing yet.

        Args:
            listener: Is told of each test.
            redactor: Keeps passwords out of all that is told.
        """
        self.total: int | None = None
        """How many tests there are, once they are collected."""
        self.exit_code: int | None = None
        """pytest's own, once it came to its end."""
        self.broken = ""
        """What pytest said of an error in itself or in a plugin."""
        self.cases: list[Case] = []
        """Those that have ended."""
        self.ended: set[str] = set()
        """Their ids; what a report calls them may be another thing (`--junit-prefix`)."""
        self.late: set[Key] = set()
        """Those that are among the cases twice: what failed of a test after it had ended is a case of its own."""
        self.attempts: dict[Key, int] = {}
        """How often tests were tried that were tried more than once."""
        self.durations: dict[str, float] = {}
        """Seconds of those that were executed, by their ids."""
        self.parts: list[LiveTests] = []
        """What is known of each part, where several processes run the tests."""
        self.is_handed_out = False
        """Whether the parts have all tests, of which each runs those that it is handed."""
        self.versions: dict[str, str] = {}
        """What runs the tests, and in which version."""
        self.too_little = ""
        """Why what all parts covered together is not enough, where it is held to a limit."""
        self.process_code: int | None = None
        """The exit code of the process of a part."""
        self.lost = ""
        """What became of the process of a part, where it has no exit code."""
        self.tests: list[str] = []
        """The ids of the tests of a part, as far as it told them itself."""
        self.of = ""
        """Tells the tests that it had its part of from others."""
        self._listener, self._redactor = listener, redactor
        self._whole: LiveTests | None = None
        self._modules: set[str] = set()
        self._running: dict[str, None] = {}
        self._numbers = dict.fromkeys(_OUTCOMES, 0)
        self._done = 0
        self._rendered: list[str] = []

    @property
    def running(self) -> tuple[str, ...]:
        """The tests that have started, and not ended."""
        return tuple(self._running)

    @property
    def counts(self) -> Counts:
        """The tests that have ended."""
        return Counts(**self._numbers)

    @property
    def heard(self) -> bool:
        """Whether there was an event at all."""
        return self.total is not None or bool(self._running or self.cases) or self.exit_code is not None

    @property
    def left(self) -> int:
        """How many tests were handed out to no part, where any were: before that, something else is wrong."""
        handed = sum(len(part.tests) for part in self.parts) if self.is_handed_out else 0
        return max(0, (self.total or 0) - handed) if handed else 0

    def part(self, *, is_handed_out: bool = False) -> LiveTests:
        """Return what is known of a further part of the tests: what that is fed counts for the whole as well."""
        self.is_handed_out = is_handed_out
        part = LiveTests(redactor=self._redactor)
        part._whole = self
        self.parts.append(part)
        return part

    def feed(self, line: str) -> None:
        """Take a line of the reporter's; what isn't one is passed over."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        self._take(event)
        if self._whole:
            self._whole._take(event)  # noqa: SLF001 - of the same class

    def _take(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "collected":
                of_parts = [part.total or 0 for part in self.parts] or [0]
                of_all = max(of_parts) if self.is_handed_out else sum(of_parts)
                self._collected(of_all if self.parts else _whole(event.get("count")))
                self.versions |= {
                    name: told for name in ("Python", "pytest") if (told := self._text(event, name.lower()))
                }
            case "started":
                self._started(self._text(event, "test"))
            case "ended" if event.get("outcome") in _OUTCOMES:
                self._ended(event)
            case "part" if not self.parts:
                self._part(event)
            case "broken":
                self.broken = self._text(event, "text")
            case "finished" if not self.parts:
                self.exit_code = _whole(event.get("exit_code"))
                self._running.clear()

    def junit(self, tier: str) -> str:
        """Return a document of the tests that ended so far; `JunitFile` writes it for less, as it grows."""
        self._render()
        head, *_, end, last = write([Suite(tier)])
        suite = f"<testsuites>\n<testsuite{attributes(name=tier, **self._totals())}>\n"
        return "".join([head, suite, *self._rendered, end, last])

    def _part(self, event: dict[str, Any]) -> None:
        tests = event.get("tests")
        self.of = self._text(event, "of")
        self.tests += [test for test in tests if isinstance(test, str)] if isinstance(tests, list) else []

    def _collected(self, count: int | None) -> None:
        self.total = count
        if self._listener and count is not None:
            self._listener.collected(count)

    def _started(self, test: str) -> None:
        self._running[test] = None
        if self._listener:
            self._listener.started(test)

    def _ended(self, event: dict[str, Any]) -> None:
        test, message = self._text(event, "test"), self._text(event, "message")
        case = self._case(event, message)
        before = self._told_before(case) if event.get("late") is True else None
        self._running.pop(test, None)
        if event.get("collection"):
            # Every part collects all modules.
            if test in self._modules:
                return
            self._modules.add(test)
        elif case.ran:
            self.durations[test] = case.seconds + (before.seconds if before else 0.0)
        outcome = case.outcome
        if before:
            # It counts no more as what it was told to be.
            self.late.add(case.key)
            self._numbers[before.outcome] -= 1
            outcome = before.with_more(case).outcome
        self.cases.append(case)
        self.ended.add(test)
        self._numbers[outcome] += 1
        if case.attempts > 1:
            self.attempts[case.key] = case.attempts
        if not (event.get("collection") or before):
            self._done += 1
        if self._listener:
            reason = case.reason or message
            self._listener.ended(test, outcome, case.seconds, reason, self._done, self.total)

    def _told_before(self, late: Case) -> Case | None:
        """Return what was told before of a test that is told of late; None: nothing was."""
        return next((case for case in reversed(self.cases) if case.key == late.key), None)

    def _case(self, event: dict[str, Any], message: str) -> Case:
        outcome: Outcome = event["outcome"]
        kind = ""
        if outcome == "skipped":
            kind = "pytest.xfail" if event.get("xfail") is True else "pytest.skip"
        results = () if outcome == "passed" else (Result(outcome, message, self._text(event, "text"), kind),)
        attempts = _whole(event.get("attempts")) or 1
        return Case(
            self._text(event, "classname"), self._text(event, "name"), _seconds(event.get("seconds")), results, attempts
        )

    def _text(self, event: dict[str, Any], name: str) -> str:
        value = event.get(name)
        text = value if isinstance(value, str) else ""
        return self._redactor.text(text) if self._redactor else text

    def _totals(self) -> dict[str, str]:
        numbers = self._numbers
        return {
            "tests": str(self.counts.total),
            "failures": str(numbers["failed"]),
            "errors": str(numbers["errored"]),
            "skipped": str(numbers["skipped"]),
        }

    def _render(self) -> None:
        self._rendered += map(case_xml, self.cases[len(self._rendered) :])


class JunitFile:
    """The `junit.xml` of a run that goes on: whole after each test, and each is written once."""

    def __init__(self, folder: RunFolder, tier: str, live: LiveTests) -> None:
        """Prepare; nothing is written yet."""
        self._folder, self._tier, self._live = folder, tier, live
        self._path, self._redactor = folder.path / "junit.xml", folder.redactor
        self._written = self._at = 0
        self._end = b""
        self._is_closed = False
        self._lock = threading.Lock()

    def update(self) -> None:
        """Add the tests that have ended since; a disk that is full makes the file wait, not the run."""
        with self._lock:
            if not self._is_closed:
                if not self._at:
                    self._begin()
                self._add(self._live.cases[self._written :])

    def close(self) -> None:
        """Write no more: the file becomes the results' own. A thread that is late would write into the middle of it."""
        with self._lock:
            self._is_closed = True

    def _begin(self) -> None:
        """Write a document without tests."""
        head, _, _, *end = write([Suite(self._tier)])
        opening = f"<testsuite{attributes(name=self._tier)}>\n"
        self._folder.write("junit.xml", "".join([head, "<testsuites>\n", opening, *end]))
        self._end = "".join(end).encode()
        self._at = self._path.stat().st_size - len(self._end)

    def _add(self, new: Sequence[Case]) -> None:
        if not new:
            return
        text = self._redactor.text("".join(map(case_xml, new))).encode(errors="replace")
        try:
            with self._path.open("r+b", buffering=0) as file:
                file.seek(self._at)
                file.write(text + self._end)
        except OSError:
            return
        self._written += len(new)
        self._at += len(text)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
