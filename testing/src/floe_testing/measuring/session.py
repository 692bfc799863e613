"""Gathers the figures of a session, writes them down, and shows what stands out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

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
_MORE: Final = frozenset({"peak_memory_bytes", "baseline_seconds", "slower"})
"""What a report may tell beside its CPU seconds, by the names that a test's own figures have."""


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
        self._running: dict[tuple[str, str | None], TestPerformance] = {}
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
        nodeid, worker = report.nodeid, getattr(report, "worker_id", None)
        test = self._running.get((nodeid, worker))
        if test is None:
            test = TestPerformance(id=nodeid, outcome="passed", worker=worker, seconds=Phases())
            self._running[nodeid, worker] = test
        _note(test, report.when, report)
        if report.when == _LAST:
            self._tests.append(self._running.pop((nodeid, worker)))
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


def _note(test: TestPerformance, phase: str, report: pytest.TestReport) -> None:
    """Note a phase of a test. Nothing here is done twice: it comes three times with every test."""
    setattr(test.seconds, phase, round(report.duration, 6))
    if report.outcome == "skipped":
        test.outcome = "failed" if test.outcome == "failed" else "skipped"
    elif report.outcome != "passed":
        # A plugin that repeats tests has outcomes of its own.
        test.outcome = "failed"
    if figures := getattr(report, FIGURES, None):
        setattr(test.cpu_seconds, phase, round(figures["cpu_seconds"], 6))
        for name in _MORE & figures.keys():
            setattr(test, name, figures[name])
