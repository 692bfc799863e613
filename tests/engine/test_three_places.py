"""The integration tier in all three places: the same tests, with the same verdicts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.catalog import Catalog
from floe_ci.local.offer import why_absent
from junitparser import JUnitXml, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Dagger, Done, Repository
    from junitparser import TestCase

    Cases = dict[str, TestCase]

pytestmark = pytest.mark.timeout(1500)

ROOT = Path(__file__).parents[2]
DIVIDED = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(9))
def test_number(number):
    Path(os.environ["FLOE_RESULTS_DIR"], f"run-{os.environ['FLOE_RUN_ID']}").touch()
    if number == 8:
        assert number > 7
    else:
        assert number < 8

def test_fails():
    assert 1 == 2
"""
LEAST = 20
"""Fewer tests would be no comparison."""


@pytest.fixture(scope="session")
def dagger_cases(integration_results: Path) -> Cases:
    """Return the tests that ran in Kind inside Dagger."""
    found = cases(integration_results)
    assert len(found) >= LEAST
    return found


@pytest.mark.long
def test_same_in_an_existing_cluster(dagger_cases: Cases, existing_results: Path) -> None:
    """An existing cluster runs the tests that Kind inside Dagger runs, and each has the verdict that it has there."""
    assert verdicts(cases(existing_results)) == verdicts(dagger_cases)


def test_same_on_this_machine(dagger_cases: Cases, local_results: Path) -> None:
    """On this machine the same tests run, with the same verdicts, but for those of a service that no index has."""
    here = cases(local_results)
    assert sorted(here) == sorted(dagger_cases)
    different = {
        name: verdict(case)
        for name, case in here.items()
        if verdict(case) != verdict(dagger_cases[name]) and not lacks_service(case)
    }
    assert not different


def test_one_code_path(dagger: Dagger, repository: Repository, floe_ci: Callable[..., Done], tmp_path: Path) -> None:
    """`floe-ci test --on dagger` runs the module's own functions: the results are those of `dagger call test`.

    They are those of the unit tier in shards: a container each, a run id for each, and one coverage of all.
    """
    repository.write("tests/unit/test_it.py", DIVIDED)
    called, run = tmp_path / "called", tmp_path / "run"
    tier = ("--tier", "unit", "--shards", "2")
    exported = ("export", "--path", str(called))
    assert dagger.call("test", *tier, *dagger.registry, *exported, where=repository.folder).code == 0
    options = ("--on", "dagger", *tier, "--results", str(run))
    done = floe_ci("test", *options, *dagger.registry, where=repository.folder)
    assert done.code == 1, done.errors[-3000:]
    assert verdicts(cases(run)) == verdicts(cases(called))
    assert sorted(verdicts(cases(run)).values()) == ["failure", *["passed"] * 9]
    assert {path.name for path in run.iterdir()} == {path.name for path in called.iterdir()}
    for results in (run, called):
        assert [suite.name for suite in JUnitXml.fromfile(str(results / "junit.xml"))] == ["unit [1/2]", "unit [2/2]"]
        assert len({path.name for path in results.glob("shards/*/run-*")}) == 2
        assert {path.name for path in (results / "logs").iterdir()} == {"shard-1", "shard-2"}
        assert re.search(r'lines-valid="([1-9]\d*)" lines-covered="\1"', (results / "coverage.xml").read_text())


@pytest.mark.long
def test_own_unit_tier(dagger: Dagger, floe_ci: Callable[..., Done], tmp_path: Path) -> None:
    """The unit tier of this repository passes in its runner image, which has less installed than a developer."""
    options = ("--on", "dagger", "--tier", "unit", "--results", str(tmp_path / "results"))
    done = floe_ci("test", *options, *dagger.registry, where=ROOT)
    assert done.code == 0, done.errors[-3000:]
    assert len(cases(tmp_path / "results")) >= LEAST


def cases(results: Path) -> Cases:
    """Return the tests of a run by their ids."""
    suites = JUnitXml.fromfile(str(results / "junit.xml"))
    return {f"{case.classname}::{case.name}": case for suite in suites for case in suite}


def verdicts(cases: Cases) -> dict[str, str]:
    """Return the verdicts by the tests' ids."""
    return {name: verdict(case) for name, case in cases.items()}


def verdict(case: TestCase) -> str:
    """Return what a test came to."""
    return next((type(result).__name__.lower() for result in case.result), "passed")


def lacks_service(case: TestCase) -> bool:
    """Tell whether a test was skipped for the one reason that counts: a server that this machine can't have."""
    reason = why_absent(Catalog.of_package(), "minio")
    skipped = [result for result in case.result if isinstance(result, Skipped)]
    return bool(reason and skipped and all(reason in str(result.message) for result in skipped))
