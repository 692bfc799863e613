"""The integration tier in all three places: the same tests, with the same verdicts."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from floe_ci.local.plan import why_absent
from junitparser import JUnitXml, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from conftest import Dagger, Existing
    from junitparser import TestCase

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not os.environ.get("FLOE_LONG_TESTS"), reason="takes over ten minutes: set FLOE_LONG_TESTS=1"),
]

LEAST = 20
"""Fewer tests would be no comparison."""


@pytest.fixture(scope="module")
def places(
    dagger: Dagger,
    start_existing: Callable[[Path], AbstractContextManager[Existing]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, TestCase]]:
    """Return the tests that ran in each place, by their ids; one place after the other, since clusters are dear."""
    folder = tmp_path_factory.mktemp("places")
    run(dagger, folder / "local", "--on", "local")
    run(dagger, folder / "dagger", "--on", "dagger", *dagger.options)
    with start_existing(folder) as existing:
        done = existing.call("test", *existing.IMAGES, "--results", str(folder / "cluster"))
        assert done.code == 0, done.errors[-3000:]
    return {place: cases(folder / place) for place in ("dagger", "cluster", "local")}


@pytest.mark.parametrize("place", ["cluster", "local"])
def test_same_tests(places: dict[str, dict[str, TestCase]], place: str) -> None:
    """A place runs the tests that Kind inside Dagger runs, by the same ids, and no others."""
    assert len(places["dagger"]) >= LEAST
    assert sorted(places[place]) == sorted(places["dagger"])


def test_same_verdicts_in_both_clusters(places: dict[str, dict[str, TestCase]]) -> None:
    """In an existing cluster every test has the verdict that it has in Kind inside Dagger."""
    assert verdicts(places["cluster"]) == verdicts(places["dagger"])


def test_same_verdicts_on_this_machine(places: dict[str, dict[str, TestCase]]) -> None:
    """On this machine every test has that verdict too, or is skipped because its service is in no package index."""
    different = {
        name: case
        for name, case in places["local"].items()
        if verdict(case) != verdict(places["dagger"][name]) and not lacks_service(case)
    }
    assert not different


def run(dagger: Dagger, results: Path, *options: str) -> None:
    """Run the tier of this repository, and keep its results."""
    argv = [sys.executable, "-m", "floe_ci", "test", "--results", str(results), *options]
    done = subprocess.run(argv, cwd=dagger.root, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def cases(results: Path) -> dict[str, TestCase]:
    """Return the tests of a run by their ids."""
    suites = JUnitXml.fromfile(str(results / "junit.xml"))
    return {f"{case.classname}::{case.name}": case for suite in suites for case in suite}


def verdicts(cases: dict[str, TestCase]) -> dict[str, str]:
    """Return the verdicts by the tests' ids."""
    return {name: verdict(case) for name, case in cases.items()}


def verdict(case: TestCase) -> str:
    """Return what a test came to."""
    return next((type(result).__name__.lower() for result in case.result), "passed")


def lacks_service(case: TestCase) -> bool:
    """Tell whether a test was skipped for the one reason that counts: a server that this machine can't have."""
    reason = why_absent("minio")
    skipped = [result for result in case.result if isinstance(result, Skipped)]
    return bool(reason and skipped and all(reason in str(result.message) for result in skipped))
