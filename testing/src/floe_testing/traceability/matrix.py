"""The matrix of requirements and tiers, as one HTML file that needs nothing else."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

from floe_testing.traceability.models import Outcome, RequirementCoverage, State, Trace, TraceabilityReport, TracedTest

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --open: #9a6700; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: Canvas; }
code { font-size: 90%; overflow-wrap: anywhere; }
summary { cursor: pointer; white-space: nowrap; }
ul { margin: .3rem 0; padding-left: 1.1rem; }
.place { opacity: .6; font-size: 85%; }
.verified, .marked, .passed { color: var(--good); }
.failed, .unmarked { color: var(--bad); font-weight: 600; }
.skipped, .xfailed, .not-run { color: var(--open); }
"""
_SIGNS: Final = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.XFAILED: "⚠",
    Outcome.SKIPPED: "↷",
    Outcome.NOT_RUN: "○",
    None: "•",
}
_LEGEND: Final = "✓ passed  ✗ failed  ⚠ failed as expected  ↷ skipped  ○ not run  • marked, no results"


def render_html(trace: Trace) -> str:
    """Return the page: a table for each specification, a row for each requirement, a column for each tier."""
    page = ET.Element("html", lang="en")
    head = ET.SubElement(page, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", "Requirements and their tests")
    _add(head, "style", _STYLE)
    body = ET.SubElement(page, "body")
    _add(body, "h1", "Requirements and their tests")
    _add(body, "p", _LEGEND)
    for report in trace.reports:
        _add_report(body, report)
    _add_list(body, "Tests without a requirement", trace.unmarked_tests)
    _add_list(body, "In the documents, and stated by none", [f"{each.id} ({each.place})" for each in trace.unstated])
    _add_list(body, "Results that newer ones take the place of", trace.stale)
    _add_list(body, "Results of tests that the suite does not hold", trace.unknown_results)
    return "<!DOCTYPE html>\n" + ET.tostring(page, encoding="unicode", method="html") + "\n"


def _add_report(body: ET.Element, report: TraceabilityReport) -> None:
    _add(body, "h2", report.headline)
    table = ET.SubElement(body, "table")
    row = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    tiers = _tiers(test.test_id for each in report.requirements for test in each.tests)
    columns = sorted(set(tiers.values()))
    for name in ("requirement", "state", *columns):
        _add(row, "th", name, scope="col")
    rows = ET.SubElement(table, "tbody")
    for each in report.requirements:
        _add_requirement(rows, each, tiers, columns)
    _add_list(body, "Not met, and said so", [f"{each.id} {each.title}: {each.unmet}" for each in report.unmet])
    _add_list(body, "Superseded", [f"{each.id} {each.title}: {each.superseded}" for each in report.superseded])


def _add_requirement(
    rows: ET.Element, requirement: RequirementCoverage, tiers: Mapping[str, str], columns: Sequence[str]
) -> None:
    row = ET.SubElement(rows, "tr", id=requirement.requirement_id)
    name = ET.SubElement(row, "th", scope="row")
    _add(name, "div", f"{requirement.requirement_id} {requirement.title}")
    _add(name, "div", requirement.place, {"class": "place"})
    _add(row, "td", requirement.state, {"class": _class(requirement.state)})
    for column in columns:
        cell = ET.SubElement(row, "td")
        tests = [test for test in requirement.tests if tiers[test.test_id] == column]
        if tests:
            _add_tests(cell, tests)


def _add_tests(cell: ET.Element, tests: Sequence[TracedTest]) -> None:
    details = ET.SubElement(cell, "details")
    summary = ET.SubElement(details, "summary")
    for outcome, sign in _SIGNS.items():
        count = sum(test.outcome is outcome for test in tests)
        if count:
            _add(summary, "span", f"{sign} {count} ", {"class": _class(outcome or State.MARKED)})
    items = ET.SubElement(details, "ul")
    for test in tests:
        item = ET.SubElement(items, "li", {"class": _class(test.outcome or State.MARKED)})
        _add(item, "code", test.test_id)


def _add_list(body: ET.Element, title: str, items: Sequence[str]) -> None:
    if not items:
        return
    _add(body, "h3", title)
    parent = ET.SubElement(body, "ul")
    for item in items:
        _add(parent, "li", item)


def _add(parent: ET.Element, tag: str, text: str, attributes: Mapping[str, str] | None = None, **more: str) -> None:
    ET.SubElement(parent, tag, {**(attributes or {}), **more}).text = text


def _tiers(test_ids: Iterable[str]) -> dict[str, str]:
    """Return the tier of each test: the first folder in which the paths differ, or the last that they share."""
    folders = {test_id: _folder(test_id) for test_id in test_ids}
    shared = len(PurePosixPath(os.path.commonpath(folders.values())).parts) if folders else 0
    return {
        test_id: next(iter((*folder.parts[shared:], folder.name or "tests"))) for test_id, folder in folders.items()
    }


def _folder(test_id: str) -> PurePosixPath:
    # JUnit's name of a test, for want of its node id, has dots.
    module = test_id.partition("::")[0]
    return PurePosixPath(module if module.endswith(".py") else module.replace(".", "/")).parent


def _class(state: Outcome | State) -> str:
    return state.value.replace(" ", "-")
