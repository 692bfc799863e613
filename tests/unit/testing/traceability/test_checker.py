"""What is shown to be met, from documents to results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_testing.settings import read_settings
from floe_testing.traceability.checker import Request, trace
from floe_testing.traceability.config import TABLE, TraceabilityConfig
from floe_testing.traceability.models import Outcome, State, Trace, TraceabilityError

if TYPE_CHECKING:
    from conftest import Repository

pytestmark = pytest.mark.requirement("T035", "T038")

PASSED = ""
FAILED = '<failure message="no"/>'
SKIPPED = '<skipped message="no"/>'


def case(name: str, inside: str = PASSED, classname: str = "tests.test_login") -> str:
    """Return a test case of a JUnit file."""
    return f'<testcase classname="{classname}" name="{name}" time="0.1">{inside}</testcase>'


def traced(repository: Repository, *specs: str, results: tuple[str, ...] = ()) -> Trace:
    """Return the trace of a repository."""
    config = TraceabilityConfig(specs=("docs/*.md", "docs/*.toml"), patterns=(r"REQ-\d{3}",))
    return trace(config, repository.root, Request(specs, tuple(repository.root / each for each in results)))


def states(found: Trace) -> dict[str, State]:
    """Return the state of each requirement."""
    return {each.requirement_id: each.state for report in found.reports for each in report.requirements}


@pytest.fixture
def one_marked(repository: Repository) -> Repository:
    """Return a repository in which two tests name REQ-001, and none REQ-002."""
    repository.test(
        "tests/test_login.py",
        '@pytest.mark.requirement("REQ-001")',
        "def test_b(): ...",
        '@pytest.mark.requirement("REQ-001")',
        "def test_a(): ...",
        "def test_c(): ...",
    )
    return repository


def test_without_results_a_marker_is_enough(one_marked: Repository) -> None:
    """A requirement that a test names is marked, never verified; the report counts and lists them."""
    found = traced(one_marked)
    (report,) = found.reports
    assert states(found) == {"REQ-001": State.MARKED, "REQ-002": State.UNMARKED}
    assert (report.spec_id, report.total_requirements, report.covered_requirements) == ("login", 2, 1)
    assert report.coverage_percentage == 50.0
    assert report.uncovered == ("REQ-002",)
    assert report.coverage_map == {
        "REQ-001": ("tests/test_login.py::test_a", "tests/test_login.py::test_b"),
        "REQ-002": (),
    }
    assert report.requirements[0].place == "docs/login.md:3"
    assert {test.outcome for test in report.requirements[0].tests} == {None}
    assert found.tests == 3


@pytest.mark.parametrize(
    ("cases", "state"),
    [
        ([case("test_a"), case("test_b")], State.VERIFIED),
        ([case("test_a")], State.VERIFIED),
        ([case("test_a"), case("test_b", SKIPPED)], State.VERIFIED),
        ([case("test_a"), case("test_b", FAILED)], State.FAILED),
        ([case("test_a", FAILED)], State.FAILED),
        ([case("test_a", SKIPPED), case("test_b", SKIPPED)], State.SKIPPED),
        ([case("test_a", SKIPPED)], State.SKIPPED),
        ([case("test_c")], State.NOT_RUN),
    ],
)
def test_with_results_tests_must_have_passed(one_marked: Repository, cases: list[str], state: State) -> None:
    """A requirement is verified if a test of it passed and none failed; skipped and not run are told apart."""
    one_marked.junit("results/junit.xml", *cases)
    found = traced(one_marked, results=("results",))
    assert states(found) == {"REQ-001": state, "REQ-002": State.UNMARKED}
    assert found.reports[0].covered_requirements == (1 if state is State.VERIFIED else 0)


PARAMETERS = (
    '@pytest.mark.parametrize("n", [',
    '    pytest.param(1, marks=pytest.mark.requirement("REQ-001")),',
    '    pytest.param(2, marks=[pytest.mark.requirement("REQ-002"), pytest.mark.skip]),',
    "])",
    "def test_p(n): ...",
)
NAMED = '<properties><property name="requirement" value="{}"/></properties>'


@pytest.mark.parametrize("named", [True, False], ids=["with ids", "without ids"])
@pytest.mark.parametrize(
    ("second", "state"),
    [
        ([SKIPPED], State.SKIPPED),
        (['<skipped type="pytest.xfail" message="no"/>'], State.XFAILED),
        ([FAILED], State.FAILED),
        ([PASSED], State.VERIFIED),
        ([], State.NOT_RUN),
    ],
)
def test_only_the_case_that_names_it_counts(
    repository: Repository, second: list[str], state: State, *, named: bool
) -> None:
    """A requirement that one set of parameters names is what became of that case, not of the others of the test."""
    repository.test("tests/test_login.py", *PARAMETERS)
    ids = [NAMED.format(each) if named else "" for each in ("REQ-001", "REQ-002")]
    repository.junit(
        "results/junit.xml", case("test_p[1]", ids[0]), *(case("test_p[2]", ids[1] + each) for each in second)
    )
    found = traced(repository, results=("results",))
    assert states(found) == {"REQ-001": State.VERIFIED, "REQ-002": state}
    assert found.reports[0].coverage_map["REQ-002"] == ("tests/test_login.py::test_p[2]",)


@pytest.mark.parametrize(
    ("decorators", "brackets"),
    [
        (['@pytest.mark.parametrize("a, b", [pytest.param("x", 2.5, marks=MARK), ("y", True)])'], "x-2.5"),
        (['@pytest.mark.parametrize("a", [1, pytest.param(-1, marks=MARK)])'], "-1"),
        (['@pytest.mark.parametrize("a", [1, pytest.param([7], marks=MARK)])'], "a1"),
        (['@pytest.mark.parametrize("a", [pytest.param(1, marks=MARK, id="one")])'], "one"),
        (['@pytest.mark.parametrize("a", [1, pytest.param(2, marks=MARK)], ids=["p", "q"])'], "q"),
        (
            ['@pytest.mark.parametrize("a", [1, 2])', '@pytest.mark.parametrize("b", [pytest.param("x", marks=MARK)])'],
            "x-2",
        ),
        (['@pytest.mark.parametrize("a", CASES)'], "seven"),
    ],
)
def test_case_is_known_by_its_parameters(repository: Repository, decorators: list[str], brackets: str) -> None:
    """Where results have no ids, a case is known by what pytest makes of its parameters; others are not it."""
    repository.test(
        "tests/test_login.py",
        'MARK = pytest.mark.requirement("REQ-002")',
        'CASES = [pytest.param("seven", marks=MARK)]',
        *decorators,
        "def test_p(**_): ...",
    )
    repository.junit("results/junit.xml", case(f"test_p[{brackets}]"))
    assert states(traced(repository, results=("results",)))["REQ-002"] is State.VERIFIED
    repository.junit("results/junit.xml", case(f"test_p[{brackets}0]"), case("test_p[other]"))
    assert states(traced(repository, results=("results",)))["REQ-002"] is State.NOT_RUN


def test_stale_results_and_ids_that_nothing_states_are_told(one_marked: Repository) -> None:
    """The trace has the results that others took the place of, and the ids of the documents that none states."""
    one_marked.write("docs/login.md", "### REQ-001: Log in\n\nAs REQ-009 says, or REQ-001.\n\nREQ-009 (fax)\n")
    head = '<testsuites><testsuite name="pytest" timestamp="2026-11-2{}T10:00:00" time="1">{}</testsuite></testsuites>'
    one_marked.write("results/junit.xml", head.format(7, case("test_a")))
    one_marked.write("results/unit/junit.xml", head.format(8, case("test_a", FAILED)))
    found = traced(one_marked, results=("results",))
    assert states(found) == {"REQ-001": State.FAILED}
    assert [(each.id, each.place) for each in found.unstated] == [("REQ-009", "docs/login.md:3")]
    assert "junit.xml is older than " in found.stale[0]


def test_each_test_shows_its_outcome(one_marked: Repository) -> None:
    """The tests of a requirement are listed with what became of each."""
    one_marked.junit("results/junit.xml", case("test_a"))
    (first, _) = traced(one_marked, results=("results",)).reports[0].requirements
    assert [(test.test_id, test.outcome) for test in first.tests] == [
        ("tests/test_login.py::test_a", Outcome.PASSED),
        ("tests/test_login.py::test_b", Outcome.NOT_RUN),
    ]


def test_inherited_test_counts_as_it_ran(one_marked: Repository) -> None:
    """A test that only running shows, inherited from another module, counts for what it named as it ran."""
    named = '<properties><property name="requirement" value="REQ-002"/></properties>'
    one_marked.junit("results/junit.xml", case("test_base", named, "tests.test_login.TestIt"))
    found = traced(one_marked, results=("results",))
    assert states(found)["REQ-002"] is State.VERIFIED
    assert found.reports[0].coverage_map["REQ-002"] == ("tests.test_login.TestIt::test_base",)
    assert found.unknown_results == ()


def test_marker_added_at_run_time_counts(one_marked: Repository) -> None:
    """A test of the suite that was given a marker as it ran counts for it, once."""
    named = '<properties><property name="requirement" value="REQ-002"/></properties>'
    one_marked.junit("results/junit.xml", case("test_a", named), case("test_c", named))
    coverage = traced(one_marked, results=("results",)).reports[0].coverage_map
    assert coverage["REQ-002"] == ("tests.test_login::test_c", "tests/test_login.py::test_a")


def test_results_of_unknown_tests_are_told(one_marked: Repository) -> None:
    """Results of a test that is not in the suite are told: they may be of another state of the code."""
    one_marked.junit("results/junit.xml", case("test_a"), case("test_old"))
    assert traced(one_marked, results=("results",)).unknown_results == ("tests.test_login::test_old",)


def test_superseded_requirements_are_counted_nowhere(one_marked: Repository) -> None:
    """What is no longer asked for is listed apart, and a test may still name it."""
    one_marked.write("docs/login.md", "- ~~**REQ-001**: Log in~~ a fax does\n- **REQ-002**: Log out\n")
    (report,) = traced(one_marked).reports
    assert report.total_requirements == 1
    assert [(each.id, each.superseded) for each in report.superseded] == [("REQ-001", "a fax does")]


def test_what_is_said_not_to_be_met_is_counted_apart(one_marked: Repository) -> None:
    """What can't be met needs no test, lowers no threshold, and stands in the first line as not met."""
    one_marked.write("docs/login.md", "- **REQ-001**: Log in\n")
    unmet = '{ id = "REQ-002", title = "Fax", status = "unmet", reason = "nobody has one" }'
    one_marked.write("docs/more.toml", f'requirements = [{{ id = "REQ-003", title = "Mail" }}, {unmet}]\n')
    _, report = traced(one_marked).reports
    assert report.uncovered == ("REQ-003",)
    assert [(each.id, each.unmet) for each in report.unmet] == [("REQ-002", "nobody has one")]
    assert report.headline == "more: 0 % marked (0 of 1); 1 unmarked; 1 not met, and said so"


def test_only_what_is_asked_for_is_reported(one_marked: Repository) -> None:
    """A report on one specification leaves the others out, though their ids stay known."""
    one_marked.write("docs/more.md", "### REQ-003: Sign up\n")
    assert [report.spec_id for report in traced(one_marked).reports] == ["login", "more"]
    assert [report.spec_id for report in traced(one_marked, "more", "more").reports] == ["more"]


def test_unknown_specification_is_refused(one_marked: Repository) -> None:
    """A specification that is not there is told with the nearest that is."""
    with pytest.raises(TraceabilityError, match="no specification is called 'logn'; did you mean 'login'"):
        traced(one_marked, "logn")


def test_every_problem_of_tests_and_results_is_told(one_marked: Repository) -> None:
    """A module that can't be parsed, a marker and a result of unknown requirements are told together."""
    named = '<properties><property name="requirement" value="REQ-007"/></properties>'
    one_marked.junit("results/junit.xml", case("test_a", named))
    one_marked.write("tests/test_broken.py", "def test_(:\n")
    one_marked.test("tests/test_more.py", '@pytest.mark.requirement("REQ-008")', "def test_d(): ...")
    with pytest.raises(TraceabilityError) as caught:
        traced(one_marked, results=("results",))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "tests/test_broken.py",
        "tests/test_more.py",
        "results of tests.test_login",
    ]
    assert "REQ-008" in lines[1]
    assert "REQ-007" in lines[2]


def test_percentage_is_never_rounded_up_to_all(repository: Repository) -> None:
    """One requirement of 3,000 that is missing is not 100 %, so a threshold of 100 is missed."""
    ids = [f"REQ-{number:04}" for number in range(3000)]
    repository.write("docs/login.md", "\n".join(f"- **{each}**: x" for each in ids))
    marker = ", ".join(f'"{each}"' for each in ids[1:])
    repository.test("tests/test_login.py", f"@pytest.mark.requirement({marker})", "def test_a(): ...")
    found = trace(TraceabilityConfig(specs=("docs/*.md",), patterns=(r"REQ-\d{4}",)), repository.root)
    assert found.reports[0].coverage_percentage == 99.9
    assert found.below(100) == found.reports
    assert found.below(99.9) == ()


def test_this_repository_names_its_requirements() -> None:
    """The requirements of this project can be read, with all criteria of each; tests name none that is not there."""
    root = Path(__file__).parents[4]
    found = {each.spec_id: each for each in trace(read_settings(TraceabilityConfig, TABLE, root), root).reports}
    requirements = [each.requirement_id for each in found["REQ-636-650"].requirements]
    assert requirements == [f"REQ-{number}" for number in range(636, 651)]
    criteria = [
        *(each.requirement_id for each in found["criteria"].requirements),
        *(each.id for each in found["criteria"].unmet),
    ]
    counted = Counter(each.partition(".")[0] for each in criteria)
    assert sorted(counted) == requirements
    assert sorted(criteria) == sorted(f"{each}.{number}" for each in counted for number in range(1, counted[each] + 1))
    assert counted.total() == 94
