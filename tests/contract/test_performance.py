"""`performance.json` is one form, whoever writes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from floe_ci.driver.usage import Sample, Used
from floe_ci.report.performance import FILE, completed
from floe_ci.steps import Measured

from floe_testing.measuring.models import FILE as TESTS_FILE
from floe_testing.measuring.models import Consumer, read_performance

if TYPE_CHECKING:
    from pathlib import Path

MEASURED = Measured("abc", "integration", datetime(2026, 1, 1, tzinfo=UTC), 12.5, 3.0, ())
NODE = Used.of("one", [Sample(1.0, 10.0), Sample(2.0, 30.0)], {"cpu": "2", "memory": "1Gi"})
POD = Used.of("web", [Sample(0.5, 5.0)])
USED: dict[str, list[dict[str, Any]]] = {"pods": [asdict(POD)], "nodes": [asdict(NODE)]}
OF_TESTS = {
    "version": 1,
    "started_at": "2026-01-01T00:00:05+00:00",
    "seconds": 2.0,
    "tests": [{"id": "t.py::test", "outcome": "passed", "seconds": {"call": 1.0}}],
    "pods": [{**asdict(POD), "name": "seen-by-tests"}],
    "metrics_problem": "403 Forbidden",
}


def test_it_is_the_same_file() -> None:
    """Both packages mean the same file of the results."""
    assert FILE == TESTS_FILE


@pytest.mark.parametrize("used", [NODE, POD])
def test_what_a_run_saw_is_what_tests_tell(used: Used) -> None:
    """What a run has seen of a pod or a node has every field of what tests tell of one, and no other."""
    assert asdict(Consumer(**asdict(used))) == asdict(used)


def test_tests_that_measured_nothing(tmp_path: Path) -> None:
    """Where the tests left no file, there is one with pods and nodes, which is read as that of tests is."""
    text = completed(tmp_path, USED, MEASURED)
    assert text
    (tmp_path / FILE).write_text(text)
    found = read_performance(tmp_path / FILE)
    assert (found.run_id, found.tier, found.seconds, found.tests) == ("abc", "integration", 12.5, ())
    assert [each.memory_bytes_max for each in (*found.pods, *found.nodes)] == [5.0, 30.0]


def test_what_tests_saw_stays(tmp_path: Path) -> None:
    """What the tests could see themselves is kept, and only what they could not is added, with no problem left."""
    (tmp_path / FILE).write_text(json.dumps(OF_TESTS))
    text = completed(tmp_path, USED, MEASURED)
    assert text
    (tmp_path / FILE).write_text(text)
    found = read_performance(tmp_path / FILE)
    assert [each.id for each in found.tests] == ["t.py::test"]
    assert [each.name for each in (*found.pods, *found.nodes)] == ["seen-by-tests", "one"]
    assert found.metrics_problem is None


@pytest.mark.parametrize("used", [{}, {"pods": [], "nodes": []}])
def test_place_that_tells_nothing(tmp_path: Path, used: dict[str, list[dict[str, Any]]]) -> None:
    """A place that knows nothing of pods and nodes leaves no file, and changes none."""
    assert completed(tmp_path, used, MEASURED) is None
