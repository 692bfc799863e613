"""Gathers the figures of a session, writes them down, and shows what stands out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from floe_testing.contract import ENV_NAMESPACE, ENV_RUN_ID, ENV_TIER
from floe_testing.errors import FloeTestingError
from floe_testing.measuring.cgroup import read_control_group, since
from floe_testing.measuring.cluster import Sampler, connect
from floe_testing.measuring.measure import FIGURES
from floe_testing.measuring.models import FILE, Performance, Phases, TestPerformance
from floe_testing.measuring.summary import summary
from floe_testing.results.document import beside
from floe_testing.unpatched import clock, system

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LAST: Final = "teardown"
_PHASES: Final = frozenset({"setup", "call", _LAST})
"""pytest-xdist has one more, of a test whose worker is gone."""


class Reporting:
    """Writes `performance.json`, updates baselines, and adds a section to the terminal."""

    def __init__(self, folder: Path | None, file: Path | None, baselines: Mapping[str, float], *, update: bool) -> None:
        """Take what to write, and where.

        Args:
            folder: The results folder, or None where nobody asked for results.
            file: The baselines, or None where nobody asked to compare.
            baselines: What that file held.
            update: Write the baselines anew.
        """
        self._folder = folder
        self._file = file
        self._baselines = baselines
        self._update = update
        self._notes: list[str] = []
        self._performance: Performance | None = None
        self._reports: dict[tuple[str, str | None], dict[str, pytest.TestReport]] = {}
        self._tests: list[TestPerformance] = []
        self._stack = ExitStack()
        self._sampler = Sampler({})

    def pytest_sessionstart(self) -> None:
        """Read the clocks."""
        self._started_at = datetime.now(UTC)
        self._began = clock.perf_counter()
        self._group = read_control_group()
        namespace = os.environ.get(ENV_NAMESPACE)
        if self._folder and namespace:
            self._ask_cluster(namespace)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a phase, and with the last one the test."""
        if report.when not in _PHASES:
            return
        key = (report.nodeid, getattr(report, "worker_id", None))
        self._reports.setdefault(key, {})[report.when] = report
        if report.when == _LAST:
            self._tests.append(_test(key[1], self._reports.pop(key)))
            self._sampler.sample()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write everything down."""
        self._sampler.sample(now=True)
        self._stack.close()
        problems = self._sampler.problems
        self._performance = Performance(
            run_id=os.environ.get(ENV_RUN_ID),
            tier=os.environ.get(ENV_TIER),
            started_at=self._started_at,
            seconds=round(clock.perf_counter() - self._began, 3),
            tests=tuple(self._tests),
            control_group=since(self._group, read_control_group()),
            pods=self._sampler.consumers("pods"),
            nodes=self._sampler.consumers("nodes"),
            metrics_problem="; ".join(f"{kind}: {why}" for kind, why in problems.items()) or None,
        )
        try:
            self._write(self._performance)
        except FloeTestingError as error:
            self._notes.append(str(error))
        except OSError as error:
            self._notes.append(f"performance can't be written: {error.strerror}: {error.filename or self._folder}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what stands out, unless the session broke off before there was anything."""
        if self._performance is None:
            return
        terminalreporter.section("performance")
        for line, markup in summary(self._performance):
            terminalreporter.write_line(line, **markup)
        for note in self._notes:
            terminalreporter.write_line(note)

    def _ask_cluster(self, namespace: str) -> None:
        try:
            self._sampler = connect(self._stack, namespace)
        except (FloeTestingError, ImportError) as error:
            self._sampler.problems["cluster"] = str(error)
        self._sampler.sample()

    def _write(self, performance: Performance) -> None:
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / FILE
            text = performance.to_json() + "\n"
            system.close(system.write_file(beside(file), text.encode()))
            system.replace(beside(file), file)
        if self._file and self._update:
            from floe_testing.measuring.baselines import update_baselines  # noqa: PLC0415 - it needs pydantic

            number = update_baselines(self._file, self._baselines, performance.tests)
            self._notes.append(f"baselines of {number} tests written to {self._file}")
        elif self._file and not self._baselines:
            self._notes.append(f"there are no baselines in {self._file} yet; --update-baselines writes them")


def _test(worker: str | None, reports: Mapping[str, pytest.TestReport]) -> TestPerformance:
    seconds, cpu, outcomes = dict[str, float](), dict[str, float](), set[str]()
    figures: dict[str, Any] = {}
    for when, report in reports.items():
        of_phase = getattr(report, FIGURES, {})
        seconds[when] = round(report.duration, 6)
        if of_phase:
            cpu[when] = round(of_phase["cpu_seconds"], 6)
        outcomes.add(report.outcome)
        figures |= of_phase
    # A plugin that repeats tests has outcomes of its own.
    failed = outcomes - {"passed", "skipped"}
    return TestPerformance(
        id=reports[_LAST].nodeid,
        outcome="failed" if failed else "skipped" if "skipped" in outcomes else "passed",
        worker=worker,
        seconds=Phases(**seconds),
        cpu_seconds=Phases(**cpu),
        peak_memory_bytes=figures.get("peak_memory_bytes"),
        baseline_seconds=figures.get("baseline_seconds"),
        slower=figures.get("slower", False),
    )
