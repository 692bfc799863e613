"""Measures tests in the process that runs them. What it finds goes with their reports, also to another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from floe_testing.measuring.process import Meter

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from floe_testing.measuring.config import PerformanceConfig

FIGURES: Final = "floe_performance"
"""An attribute of a report: `cpu_seconds`, and what else its phase tells. pytest-xdist carries it over."""


class Comparison:
    """Compares tests with their baselines, and fails one that is too slow where that is wanted."""

    def __init__(self, config: PerformanceConfig, baselines: Mapping[str, float]) -> None:
        """Take what to compare with."""
        self._config = config
        self._baselines = baselines

    def figures(self, nodeid: str, report: pytest.TestReport) -> dict[str, Any]:
        """Return what there is to tell of a call that passed; its report becomes that of a failure where it is one."""
        baseline = self._baselines.get(nodeid)
        if baseline is None:
            return {}
        tolerance = self._config.tolerance_for(nodeid)
        slower = tolerance.exceeded(report.duration, baseline)
        if slower and self._config.on_slower == "fail":
            report.outcome = "failed"
            report.longrepr = (
                f"{nodeid} took {report.duration:.3f} s, and its baseline is {baseline:.3f} s. Tolerated are "
                f"{tolerance.ratio:g} times as much, or {tolerance.floor:g} s more. "
                "If it is to take that long, run pytest with --update-baselines"
            )
        return {"baseline_seconds": baseline, "slower": slower}


class Measuring:
    """Adds figures to each report."""

    def __init__(self, comparison: Comparison | None) -> None:
        """Take what compares with baselines; None: nothing is compared."""
        self._comparison = comparison
        self._meter = Meter()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logstart(self) -> None:
        """Begin with a test."""
        self._meter.forget_peak()
        self._meter.mark()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """End a phase."""
        figures: dict[str, Any] = {"cpu_seconds": self._meter.lap()}
        report = yield
        if call.when == "teardown":
            figures["peak_memory_bytes"] = self._meter.peak()
        elif self._comparison and call.when == "call" and report.passed:
            figures |= self._comparison.figures(item.nodeid, report)
        setattr(report, FIGURES, figures)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self) -> None:
        """Begin with the next phase, now that the last one is told to everybody."""
        self._meter.mark()
