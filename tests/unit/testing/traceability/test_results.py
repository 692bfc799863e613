"""What became of the tests, as JUnit files tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.traceability.models import Outcome, TraceabilityError
from floe_testing.traceability.results import Results, read_results

if TYPE_CHECKING:
    from conftest import Repository

FAILURE = '<failure message="no">text</failure>'
ERROR = '<error message="no">text</error>'
XFAIL = '<skipped type="pytest.xfail" message="no"/>'
SKIP = '<skipped type="pytest.skip" message="no">text</skipped>'


def case(name: str, inside: str = "", classname: str = "tests.test_login") -> str:
    """Return a test case of a JUnit file."""
    return f'<testcase classname="{classname}" name="{name}" time="0.1">{inside}</testcase>'


def suite(path: str, started: str, *cases: str, seconds: float = 1.0, name: str = "pytest") -> tuple[str, str]:
    """Return where a JUnit file is and what is in it, with the time that its run began."""
    head = f'<testsuite name="{name}" timestamp="2026-11-28T{started}+00:00" time="{seconds}">'
    return path, f"<testsuites>{head}{''.join(cases)}</testsuite></testsuites>"


def outcomes(results: Results, node_id: str = "tests/test_login.py::test_a") -> dict[str | None, Outcome]:
    """Return what became of a test's cases, by their parameters."""
    return {ran.parameters: ran.outcome for ran in results.of(node_id)}


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([case("test_a")], {None: Outcome.PASSED}),
        ([case("test_a", FAILURE)], {None: Outcome.FAILED}),
        ([case("test_a", ERROR)], {None: Outcome.FAILED}),
        ([case("test_a", SKIP)], {None: Outcome.SKIPPED}),
        ([case("test_a", XFAIL)], {None: Outcome.XFAILED}),
        ([case("test_a", "<system-out>text</system-out>")], {None: Outcome.PASSED}),
        ([case("test_a"), case("test_a", ERROR)], {None: Outcome.FAILED}),
        ([case("test_a[1]", SKIP), case("test_a[2]")], {"1": Outcome.SKIPPED, "2": Outcome.PASSED}),
        ([case("test_a[x-[y]]", SKIP), case("test_a[::]")], {"x-[y]": Outcome.SKIPPED, "::": Outcome.PASSED}),
        ([case("test_a[]")], {"": Outcome.PASSED}),
        ([case("test_ab")], {}),
        ([case("test_a", classname="other.test_login")], {}),
        ([case("test_a", classname="tests.test_login.TestLogin")], {}),
    ],
)
def test_each_case_is_its_own(repository: Repository, cases: list[str], expected: dict[str | None, Outcome]) -> None:
    """The cases of a test have each its own outcome, and other tests' cases are not among them."""
    assert outcomes(read_results([repository.junit("results/junit.xml", *cases)])) == expected


def test_test_of_a_class_is_found(repository: Repository) -> None:
    """Pytest writes a module and its classes as one dotted name."""
    folder = repository.junit("results/junit.xml", case("test_a[1]", classname="tests.test_login.TestA.TestB"))
    assert outcomes(read_results([folder]), "tests/test_login.py::TestA::TestB::test_a") == {"1": Outcome.PASSED}


def test_several_results_are_read_together(repository: Repository) -> None:
    """A test that passed in one tier and failed in another has failed; a folder of results folders holds them all."""
    repository.write(*suite("results/unit/junit.xml", "10:00:00", case("test_a"), case("test_b"), name="unit"))
    repository.write(*suite("results/e2e/junit.xml", "11:00:00", case("test_b", FAILURE), case("test_c"), name="e2e"))
    for places in (["results"], ["results/unit", "results/e2e"], ["results/unit/junit.xml", "results/e2e"]):
        results = read_results([repository.root / place for place in places])
        found = [outcomes(results, f"tests/test_login.py::test_{name}")[None] for name in "abc"]
        assert found == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]
        assert results.stale == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("results/junit.xml", "results/unit/junit.xml"),
        ("results/a/junit.xml", "results/a/b/junit.xml"),
        ("results/a/b/c/junit.xml", "results/junit.xml"),
        ("results/unit-1/junit.xml", "results/unit-2/junit.xml"),
    ],
)
def test_the_newer_of_two_runs_counts(repository: Repository, old: str, new: str) -> None:
    """At whatever depth, a later run of the same tests takes the place of an earlier one, and that is told."""
    repository.write(*suite(old, "10:00:00", case("test_a"), case("test_b", FAILURE), case("test_c")))
    repository.write(*suite(new, "11:00:00", case("test_a", FAILURE), case("test_b")))
    results = read_results([repository.root / "results"])
    assert outcomes(results) == {None: Outcome.FAILED}
    assert outcomes(results, "tests/test_login.py::test_b") == {None: Outcome.PASSED}
    assert outcomes(results, "tests/test_login.py::test_c") == {}
    (stale,) = results.stale
    root = repository.root
    assert stale.startswith(f"{root / old} is older than {root / new}, which has 2 of its 3 tests")
    assert stale.endswith("; 1 failed in it")


def test_other_modules_of_an_older_run_count(repository: Repository) -> None:
    """A later run of one module says nothing of the others of an earlier run."""
    old = [case("test_a"), case("test_a", classname="tests.test_pay.TestPay")]
    repository.write(*suite("results/junit.xml", "10:00:00", *old))
    repository.write(*suite("results/unit/junit.xml", "11:00:00", case("test_a", SKIP)))
    results = read_results([repository.root / "results"])
    assert outcomes(results) == {None: Outcome.SKIPPED}
    assert outcomes(results, "tests/test_pay.py::TestPay::test_a") == {None: Outcome.PASSED}


@pytest.mark.parametrize(("started", "seconds"), [("10:00:00", 1.0), ("10:00:30", 60.0)])
def test_runs_at_the_same_time_count_together(repository: Repository, started: str, seconds: float) -> None:
    """Of runs side by side, as on several versions of Python, none is stale, and a failure in either counts."""
    repository.write(*suite("results/py311/junit.xml", "10:00:00", case("test_a", FAILURE), seconds=60.0))
    repository.write(*suite("results/py312/junit.xml", started, case("test_a"), seconds=seconds))
    results = read_results([repository.root / "results"])
    assert (outcomes(results), results.stale) == ({None: Outcome.FAILED}, ())


def test_parts_of_one_run_count_together(repository: Repository) -> None:
    """Two files that share no test are parts of one run, whichever is newer and though they share a module."""
    repository.write(*suite("results/1/junit.xml", "10:00:00", case("test_a")))
    repository.write(*suite("results/2/junit.xml", "11:00:00", case("test_b")))
    results = read_results([repository.root / "results"])
    assert outcomes(results) == outcomes(results, "tests/test_login.py::test_b") == {None: Outcome.PASSED}


def test_drafts_are_not_read(repository: Repository) -> None:
    """A hidden folder is the draft of a run that was broken off."""
    repository.junit("results/.unit.draft/junit.xml", case("test_a"))
    repository.junit("results/unit/junit.xml", case("test_b"))
    assert outcomes(read_results([repository.root / "results"])) == {}


def test_properties_name_requirements(repository: Repository) -> None:
    """What a test named as it ran is known, once each, and other properties are not taken for it."""
    properties = (
        '<properties><property name="requirement" value="REQ-001"/><property name="seconds" value="3"/>'
        '<property name="requirement" value="REQ-002"/></properties>'
    )
    folder = repository.junit("results/junit.xml", case("test_a[1]", properties), case("test_a[2]"))
    found = read_results([folder]).of("tests/test_login.py::test_a")
    assert [(ran.requirements, ran.tells) for ran in found] == [(("REQ-001", "REQ-002"), True), ((), True)]


def test_others_are_those_that_the_suite_does_not_hold(repository: Repository) -> None:
    """Tests of the results that no node id stands for are told, in order."""
    folder = repository.junit("results/junit.xml", case("test_c"), case("test_a"), case("test_b[1]"))
    others = read_results([folder]).others(["tests/test_login.py::test_a"])
    assert list(others) == ["tests.test_login::test_b", "tests.test_login::test_c"]


def test_every_unreadable_place_is_told(repository: Repository) -> None:
    """A folder without results, a file that is no XML and one that is no JUnit are told together."""
    repository.write("empty/README.md", "")
    repository.write("broken/junit.xml", "<testsuites>")
    repository.write("other/junit.xml", "<html></html>")
    with pytest.raises(TraceabilityError) as caught:
        read_results([repository.root / name for name in ("empty", "broken", "other")])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "empty: holds no junit.xml; `pytest --junitxml=" in lines[0]
    assert "broken/junit.xml: can't be read as JUnit: " in lines[1]
    assert "other/junit.xml: can't be read as JUnit: " in lines[2]
