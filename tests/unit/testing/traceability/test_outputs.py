"""How a trace is shown."""

import json
from xml.etree import ElementTree as ET

import click
import pytest

from floe_testing.traceability.matrix import render_html
from floe_testing.traceability.models import (
    Outcome,
    Requirement,
    RequirementCoverage,
    State,
    Trace,
    TraceabilityReport,
    TracedTest,
)
from floe_testing.traceability.outputs import render_json, render_markdown, render_table

pytestmark = pytest.mark.requirement("T035")

TITLE = "a | <b>[red]*x*</b> & \N{SNOWMAN}"


def requirement(number: int, state: State, **outcomes: Outcome | None) -> RequirementCoverage:
    """Return a requirement and its tests: `unit_a=…` is `test_a` of the unit tier."""
    tests = tuple(
        TracedTest(test_id=f"tests/{tier}/test_x.py::test_{name}", outcome=outcome)
        for (tier, name), outcome in ((key.split("_"), outcome) for key, outcome in outcomes.items())
    )
    return RequirementCoverage(
        requirement_id=f"REQ-{number:03}", title=TITLE, place=f"docs/a.md:{number}", state=state, tests=tests
    )


REPORT = TraceabilityReport(
    spec_id="login",
    measured=True,
    requirements=(
        requirement(1, State.VERIFIED, unit_a=Outcome.PASSED, unit_b=Outcome.PASSED, e2e_c=Outcome.SKIPPED),
        requirement(2, State.FAILED, e2e_d=Outcome.FAILED),
        requirement(3, State.NOT_RUN, e2e_e=Outcome.NOT_RUN),
        requirement(4, State.UNMARKED),
    ),
    superseded=(Requirement(id="REQ-005", title="Fax", path="docs/a.md", line=9, superseded="nobody <faxes>"),),
    unmet=(Requirement(id="REQ-006", title="Telex", path="docs/a.md", line=10, unmet="there is <none>"),),
)
TRACE = Trace(
    reports=(REPORT,), tests=9, unmarked_tests=("tests/unit/test_x.py::test_<z>",), unknown_results=("tests.old::test",)
)
MARKED = Trace(
    reports=(
        TraceabilityReport(spec_id="m", measured=False, requirements=(requirement(1, State.MARKED, unit_a=None),)),
    ),
    tests=1,
)


def html(trace: Trace) -> ET.Element:
    """Return the page, which but for its first lines is XML too."""
    text = render_html(trace)
    assert text.startswith("<!DOCTYPE html>\n")
    text = text.removeprefix("<!DOCTYPE html>\n").replace(">\n", ">")
    return ET.fromstring(text.replace('<meta charset="utf-8">', "").replace('initial-scale=1">', 'initial-scale=1"/>'))  # noqa: S314 - our own


def test_json_holds_the_whole_report() -> None:
    """JSON has the counts, what is not covered, and each requirement with its tests."""
    document = json.loads(render_json(TRACE))
    (report,) = document["reports"]
    assert report["spec_id"] == "login"
    assert (report["total_requirements"], report["covered_requirements"]) == (4, 1)
    assert report["coverage_percentage"] == 25.0
    assert report["uncovered"] == ["REQ-002", "REQ-003", "REQ-004"]
    assert report["coverage_map"]["REQ-002"] == ["tests/e2e/test_x.py::test_d"]
    assert report["requirements"][1]["tests"] == [{"test_id": "tests/e2e/test_x.py::test_d", "outcome": "failed"}]
    assert document["unmarked_tests"] == ["tests/unit/test_x.py::test_<z>"]


def test_table_has_a_row_for_each_requirement() -> None:
    """The terminal's table shows state and tests of each requirement, however narrow, and its title."""
    for width in (60, 140):
        text = click.unstyle(render_table(TRACE, width))
        assert "login: 25 % verified (1 of 4); 1 unmarked; 1 failed; 1 not run; 1 not met, and said so" in text
        rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
        assert list(rows) == ["REQ-001", "REQ-002", "REQ-003", "REQ-004"]
        assert "verified │ 2 passed, 1 skipped" in rows["REQ-001"]
        assert "failed" in rows["REQ-002"]
        assert "not run  │ 1 not run" in rows["REQ-003"]
        assert "unmarked │ none" in rows["REQ-004"]
    assert TITLE in text
    assert "- tests/unit/test_x.py::test_<z>" in text
    assert "- REQ-005 (nobody <faxes>)" in text
    assert "- REQ-006 Telex (there is <none>)" in text
    assert "- tests.old::test" in text


def test_table_without_results_counts_tests() -> None:
    """Where there are no results, the table tells how many tests name a requirement."""
    text = click.unstyle(render_table(MARKED, 100))
    assert "m: 100 % marked (1 of 1)" in text
    assert "marked │ 1 " in text


def test_markdown_is_a_table() -> None:
    """Markdown has the same rows, and a bar in a title does not end its cell."""
    text = render_markdown(TRACE)
    assert "## login: 25 % verified (1 of 4)" in text
    assert "| REQ-001 | a \\| <b>[red]*x*</b> & \N{SNOWMAN} | **verified** | 2 passed, 1 skipped |" in text
    assert "\n| REQ-004 |" in text


def test_long_lists_are_cut() -> None:
    """Of many unmarked tests the first are listed, and the rest are counted."""
    many = tuple(f"tests/test_x.py::test_{number:03}" for number in range(25))
    text = render_markdown(MARKED.model_copy(update={"unmarked_tests": many}))
    assert "25 without a requirement" in text
    assert "test_019" in text
    assert "test_020" not in text
    assert "- and 5 more" in text


def test_html_is_a_matrix_of_requirements_and_tiers() -> None:
    """The page has a row for each requirement and a column for each tier, whose cells list the tests."""
    page = html(TRACE)
    assert [cell.text for cell in page.iterfind(".//thead//th")] == ["requirement", "state", "e2e", "unit"]
    rows = page.findall(".//tbody/tr")
    assert [row.get("id") for row in rows] == ["REQ-001", "REQ-002", "REQ-003", "REQ-004"]
    e2e, unit = rows[0].findall("td")[1:]
    assert [code.text for code in unit.iter("code")] == ["tests/unit/test_x.py::test_a", "tests/unit/test_x.py::test_b"]
    assert [span.text for span in unit.iter("span")] == ["✓ 2 "]
    assert [span.text for span in e2e.iter("span")] == ["↷ 1 "]
    assert [row.findall("td")[0].get("class") for row in rows] == ["verified", "failed", "not-run", "unmarked"]


def test_html_is_escaped_and_needs_nothing_else() -> None:
    """Whatever titles and ids hold stays text, and the page asks for nothing from elsewhere."""
    text = render_html(TRACE)
    page = html(TRACE)
    assert page.findtext(".//tbody/tr/th/div") == f"REQ-001 {TITLE}"
    assert "REQ-006 Telex: there is <none>" in [item.text for item in page.iterfind(".//li")]
    assert "<faxes>" not in text
    assert "test_<z>" not in text
    assert not any(sign in text for sign in ("http", "src=", "@import", "url(", "<script"))


def test_html_of_one_tier_has_its_column() -> None:
    """Where all tests are in one folder, that is the only column."""
    cells = [cell.text for cell in html(MARKED).iterfind(".//thead//th")]
    assert cells == ["requirement", "state", "unit"]


def test_html_places_tests_that_only_results_know() -> None:
    """A test known by JUnit's dotted name stands in its tier's column."""
    tests = (
        TracedTest(test_id="tests.e2e.test_x::test_a", outcome=Outcome.PASSED),
        TracedTest(test_id="tests/unit/ci/test_y.py::test_b", outcome=Outcome.PASSED),
    )
    found = REPORT.requirements[0].model_copy(update={"tests": tests})
    page = html(TRACE.model_copy(update={"reports": (REPORT.model_copy(update={"requirements": (found,)}),)}))
    assert [cell.text for cell in page.iterfind(".//thead//th")][2:] == ["e2e", "unit"]
