"""The command line in this process, with a place of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from floe_ci import places
from floe_ci.cli import main
from floe_ci.ends import End, Problem
from floe_ci.folder import RunFolder
from floe_ci.listeners import Step
from floe_ci.live import LiveTests
from floe_ci.places import Finding
from floe_ci.results import finish
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from floe_ci.listeners import Progress
    from floe_ci.places import Place
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.verdict import Outcome

JUNIT = """<testsuite name="pytest" tests="3" time="4.5">
<testcase classname="tests.test_orders" name="test_total" time="0.5"/>
<testcase classname="tests.test_orders" name="test_empty" time="4">
<failure message="assert 1 == 2&#10;more"/></testcase>
<testcase classname="tests.test_orders" name="test_other"><skipped message="not today"/></testcase>
</testsuite>"""


@dataclass
class Somewhere:
    """A place that writes results without running anything."""

    name: PlaceName = "local"
    exit_code: int = 1
    error: Exception | None = None
    broken: list[str] = field(default_factory=list)
    """Why a run breaks before its first test: one reason after the other, until there is none left."""
    lasts: bool = False
    """Whether that would break another run too."""
    breaks_late: bool = False
    """Whether it breaks while its first test runs."""
    loses: tuple[str, ...] = ()
    """What of the results can't be written."""
    findings: list[Finding] = field(default_factory=lambda: [Finding("thing", "here", "it is here")])
    requests: list[RunRequest] = field(default_factory=list)

    def check(self) -> list[Finding]:
        """Return what the test says."""
        return self.findings

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Write the results of a run with three tests."""
        self.requests.append(request)
        if self.error:
            raise self.error
        progress.note("a note")
        progress.begin("tests")
        step = Step("tests", 1.0, 4.5)
        progress.end(step)
        folder = RunFolder.take(request.results, run_id="abc", tier=request.tier, place=self.name)
        timings = Timings()
        timings.record(step)
        broken = Problem("infrastructure", self.broken.pop(0), lasts=self.lasts) if self.broken else None
        live = LiveTests()
        if self.breaks_late:
            live.feed(json.dumps({"event": "collected", "count": 3}))
        if not broken:
            folder.write("junit.xml", JUNIT)
        end = End(None if broken else self.exit_code, broken)
        outcome = finish(folder, request.tier, "abc", end, timings, live)
        for name in self.loses:
            (request.results / name).unlink()
        progress.verdict(outcome)
        return outcome

    def up(self, request: RunRequest, _progress: Progress) -> str:
        """Remember the request."""
        self.requests.append(request)
        return "it is up"

    def down(self, request: RunRequest, _progress: Progress) -> str:
        """Remember the request."""
        self.requests.append(request)
        return "it is down"


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Somewhere:
    """Return the place that every name stands for, in a folder of the test's own."""
    made = Somewhere()

    def place(name: PlaceName) -> Place:
        made.name = name
        return made

    monkeypatch.setattr(places, "place", place)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def call() -> Callable[..., Result]:
    """Return a function that calls the command line."""
    return lambda *arguments: CliRunner().invoke(main, arguments)
