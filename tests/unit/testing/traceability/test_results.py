"""What became of the tests, as JUnit files tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.traceability.models import Outcome, TraceabilityError
from floe_testing.traceability.results import read_results

if TYPE_CHECKING:
    from conftest import Repository

FAILURE = '<failure message="no">text</failure>'
ERROR = '<error message="no">text</error>'
SKIP = '<skipped type="pytest.skip" message="no">text</skipped>'


def case(name: str, inside: str = "", classname: str = "tests.test_login") -> str:
    """Return a test case of a JUnit file."""
    return f'<testcase classname="{classname}" name="{name}" time="0.1">{inside}</testcase>'


@pytest.mark.parametrize(
    ("cases", "outcome"),
    [
        ([case("test_a")], Outcome.PASSED),
        ([case("test_a", FAILURE)], Outcome.FAILED),
        ([case("test_a", ERROR)], Outcome.FAILED),
        ([case("test_a", SKIP)], Outcome.SKIPPED),
        ([case("test_a", "<system-out>text</system-out>")], Outcome.PASSED),
        ([case("test_a"), case("test_a", ERROR)], Outcome.FAILED),
        ([case("test_a[1]", SKIP), case("test_a[2]")], Outcome.PASSED),
        ([case("test_a[x-[y]]", SKIP), case("test_a[::]", FAILURE), case("test_a[3]")], Outcome.FAILED),
        ([case("test_ab")], Outcome.NOT_RUN),
        ([case("test_a", classname="other.test_login")], Outcome.NOT_RUN),
        ([case("test_a", classname="tests.test_login.TestLogin")], Outcome.NOT_RUN),
    ],
)
def test_worst_case_of_a_test_counts(repository: Repository, cases: list[str], outcome: Outcome) -> None:
    """Of a test's cases, failed outweighs passed, and passed outweighs skipped; other tests' cases are not its own."""
    results = read_results([repository.junit("results/junit.xml", *cases)])
    assert results.of("tests/test_login.py::test_a").outcome is outcome


def test_test_of_a_class_is_found(repository: Repository) -> None:
    """Pytest writes a module and its classes as one dotted name."""
    folder = repository.junit("results/junit.xml", case("test_a[1]", classname="tests.test_login.TestA.TestB"))
    assert read_results([folder]).of("tests/test_login.py::TestA::TestB::test_a").outcome is Outcome.PASSED


def test_several_results_are_read_together(repository: Repository) -> None:
    """A test that passed in one run and failed in another has failed; a folder of results folders holds them all."""
    repository.junit("results/unit/junit.xml", case("test_a"), case("test_b"))
    repository.junit("results/e2e/junit.xml", case("test_b", FAILURE), case("test_c"))
    for places in (["results"], ["results/unit", "results/e2e"], ["results/unit/junit.xml", "results/e2e"]):
        results = read_results([repository.root / place for place in places])
        outcomes = [results.of(f"tests/test_login.py::test_{name}").outcome for name in "abc"]
        assert outcomes == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]


def test_results_of_their_own_come_before_those_below(repository: Repository) -> None:
    """A folder with a JUnit file is one run's, whatever else is kept in it."""
    repository.junit("results/junit.xml", case("test_a"))
    repository.junit("results/earlier/junit.xml", case("test_a", FAILURE))
    assert read_results([repository.root / "results"]).of("tests/test_login.py::test_a").outcome is Outcome.PASSED


def test_properties_name_requirements(repository: Repository) -> None:
    """What a test named as it ran is known, once each, and other properties are not taken for it."""
    properties = (
        '<properties><property name="requirement" value="REQ-001"/><property name="seconds" value="3"/>'
        '<property name="requirement" value="REQ-002"/></properties>'
    )
    folder = repository.junit("results/junit.xml", case("test_a[1]", properties), case("test_a[2]", properties))
    assert read_results([folder]).of("tests/test_login.py::test_a").requirements == ("REQ-001", "REQ-002")


def test_others_are_those_that_the_suite_does_not_hold(repository: Repository) -> None:
    """Tests of the results that no node id stands for are told, in order."""
    folder = repository.junit("results/junit.xml", case("test_c"), case("test_a"), case("test_b[1]"))
    others = read_results([folder]).others(["tests/test_login.py::test_a"])
    assert [ran.name for ran in others] == ["tests.test_login::test_b", "tests.test_login::test_c"]


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
