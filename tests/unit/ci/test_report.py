"""The verdict, and the files that tell of it."""

from xml.etree import ElementTree as ET

import pytest
from floe_ci.junit import flaky, merge_junit, problem_suite, read_junit
from floe_ci.results import empty_coverage
from floe_ci.steps import Step
from floe_ci.summary import summary
from floe_ci.verdict import Verdict, exit_code, judge

GOOD = '<testcase classname="t.a" name="ok" time="0.5"/>'
SKIP = '<testcase classname="t.a" name="later" time="0"><skipped message="no"/></testcase>'
FAIL = (
    '<testcase classname="t.a" name="bad" time="2"><failure message="assert 1 == 2">def test():\n'
    "E   assert 1 == 2\n\nt/a.py:7: AssertionError</failure></testcase>"
)
ERROR = '<testcase classname="t.a" name="broken" time="1"><error message="no server">long</error></testcase>'


def junit(*cases: str, suite: str = "pytest") -> str:
    """Return a JUnit file as pytest writes it."""
    body = f'<testsuite name="{suite}">{"".join(cases)}</testsuite>'
    return f'<?xml version="1.0" encoding="utf-8"?><testsuites>{body}</testsuites>'


def parse(text: str) -> ET.Element:
    """Return the root of a document that this project wrote."""
    return ET.fromstring(text)  # noqa: S314 - it is our own


@pytest.mark.parametrize(
    ("code", "cases", "problem", "verdict"),
    [
        (0, [GOOD], None, Verdict.PASSED),
        (0, [GOOD, SKIP], None, Verdict.PASSED),
        (0, [SKIP, SKIP], None, Verdict.NO_TESTS),
        (0, [], None, Verdict.NO_TESTS),
        (5, [], None, Verdict.NO_TESTS),
        (5, None, None, Verdict.NO_TESTS),
        (5, [FAIL], None, Verdict.FAILED),
        (5, [ERROR], None, Verdict.ERRORED),
        (1, [FAIL], None, Verdict.FAILED),
        (1, [GOOD], None, Verdict.FAILED),
        (1, None, None, Verdict.ERRORED),
        (0, [GOOD, FAIL], None, Verdict.FAILED),
        (0, [GOOD, ERROR], None, Verdict.ERRORED),
        (0, None, None, Verdict.ERRORED),
        (0, [GOOD], "teardown", Verdict.ERRORED),
        (2, [GOOD], None, Verdict.ERRORED),
        (3, [GOOD], None, Verdict.ERRORED),
        (4, None, None, Verdict.ERRORED),
        (137, [GOOD], None, Verdict.ERRORED),
        (124, [GOOD], None, Verdict.ERRORED),
        (None, None, None, Verdict.ERRORED),
        (None, [GOOD], None, Verdict.ERRORED),
    ],
)
def test_verdict(code: int | None, cases: list[str] | None, problem: str | None, verdict: Verdict) -> None:
    """Only code 0 with a test that ran, none that failed and no problem is "passed"."""
    document = None if cases is None else read_junit(junit(*cases))

    assert judge(code, document, problem) is verdict


@pytest.mark.parametrize("text", [None, "", "<testsuites><testsu", "<html/>", "no xml"])
def test_unreadable_junit_is_none(text: str | None) -> None:
    """A JUnit file that can't be read proves nothing."""
    assert read_junit(text) is None


@pytest.mark.parametrize(
    ("verdict", "pytest_code", "expected"),
    [
        (Verdict.PASSED, 0, 0),
        (Verdict.FAILED, 1, 1),
        (Verdict.FAILED, 0, 1),
        (Verdict.NO_TESTS, 5, 5),
        (Verdict.NO_TESTS, 0, 5),
        (Verdict.ERRORED, 0, 2),
        (Verdict.ERRORED, None, 2),
        (Verdict.ERRORED, 1, 2),
        (Verdict.ERRORED, 2, 2),
        (Verdict.ERRORED, 3, 3),
        (Verdict.ERRORED, 4, 4),
        (Verdict.ERRORED, 124, 124),
        (Verdict.ERRORED, 137, 137),
        (Verdict.ERRORED, 139, 2),
    ],
)
def test_exit_code(verdict: Verdict, pytest_code: int | None, expected: int) -> None:
    """The exit code tells the verdict, and 0 is for "passed" alone."""
    assert exit_code(verdict, pytest_code) == expected


def test_merged_suites_go_by_their_source() -> None:
    """Each source is one suite under its own name, with every case and the counts of them."""
    merged = merge_junit({"integration": junit(GOOD, FAIL, ERROR, SKIP), "e2e": junit(GOOD)})

    root = parse(merged)
    assert merged.startswith("<?xml")
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "4.0",
    }
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("integration", "4"), ("e2e", "1")]
    assert "t/a.py:7: AssertionError" in merged


def test_merged_suite_keeps_what_pytest_said_of_it() -> None:
    """Host, time and properties of a suite are kept, whether or not a root stands around it."""
    text = (
        '<testsuite name="pytest" hostname="pod-1" timestamp="2025-01-01T00:00:00">'
        f'<properties><property name="requirement" value="REQ-1"/></properties>{GOOD}</testsuite>'
    )

    suite = parse(merge_junit({"unit": text}))[0]
    assert (suite.get("name"), suite.get("hostname"), suite.get("timestamp")) == (
        "unit",
        "pod-1",
        "2025-01-01T00:00:00",
    )
    assert [item.attrib for item in suite.iter("property")] == [{"name": "requirement", "value": "REQ-1"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (junit(GOOD)[:-20], "can't be read"),
        ("", "is empty"),
        ("<html/>", "can't be read"),
        (junit('<testcase name="x" time="soon"/>'), "can't be read"),
    ],
)
def test_unreadable_part_is_an_errored_case(text: str, told: str) -> None:
    """A part that can't be read becomes an error in its own suite, and the others stay."""
    merged = merge_junit({"unit": junit(GOOD), "e2e": text})

    root = parse(merged)
    assert (root.get("tests"), root.get("errors")) == ("2", "1")
    (error,) = root.iter("error")
    assert told in (error.get("message") or "")
    assert judge(0, read_junit(merged)) is Verdict.ERRORED


def test_nothing_to_merge() -> None:
    """Without a source the document is valid and empty."""
    assert parse(merge_junit({})).get("tests") == "0"


def test_problem_outside_of_pytest() -> None:
    """What failed outside of pytest is a suite of its own, with one error named after the step."""
    steps = [Step("source", 0, 1), Step("cluster", 1, 30, "timed out"), Step("collect", 31, 1)]

    root = parse(merge_junit({"floe-ci": problem_suite(steps, "no node\nis \x1b[31mready\x00")}))
    (case,) = root.iter("testcase")
    (error,) = case.iter("error")
    assert (case.get("name"), case.get("time")) == ("cluster", "30.0")
    assert error.get("message") == "no node"
    assert error.text == "no node\nis ready\N{REPLACEMENT CHARACTER}"
    assert "cluster: timed out after 30.0 s" in (case.findtext("system-out") or "")


def test_problem_without_steps() -> None:
    """A problem before the first step still makes a document."""
    (case,) = parse(problem_suite([], "")).iter("testcase")

    assert case.get("name") == "run"


def test_empty_coverage() -> None:
    """Coverage that wasn't measured is a Cobertura document without a line."""
    root = parse(empty_coverage())

    assert (root.tag, root.get("lines-valid"), root.get("line-rate")) == ("coverage", "0", "0")
    assert [child.tag for child in root] == ["sources", "packages"]


def test_summary_tells_it_all() -> None:
    """The summary has the verdict first, then counts, failures, slow tests, steps and where to look."""
    page = summary(
        verdict=Verdict.FAILED,
        tier="integration",
        junit=read_junit(merge_junit({"integration": junit(GOOD, FAIL, ERROR, SKIP)})),
        steps=[Step("cluster", 0, 31.5), Step("job", 31.5, 4, "one|two\nthree")],
        run_id="r1",
    )

    assert page.splitlines()[0] == "**Failed**: tier integration, 1 passed, 1 failed, 1 errored, 1 skipped."
    assert "| integration | 4 | 1 | 1 | 1 | 1 | 3.50 s |" in page
    assert "- failed: `t.a::bad` (integration)\n\n  ```text\n  assert 1 == 2\n  t/a.py:7: AssertionError\n  ```" in page
    assert "- errored: `t.a::broken` (integration)" in page
    assert page.index("| 2.00 s | `t.a::bad` |") < page.index("| 0.50 s | `t.a::ok` |")
    assert "| cluster | 0.00 s | 31.50 s | done |" in page
    assert "| job | 31.50 s | 4.00 s | one\\|two |" in page
    assert "`logs/`" in page


AGAIN = '<testcase classname="t.a" name="{}" time="1"/>'
"""What stands for an attempt before the last one, whatever it came to."""


def test_attempts_are_one_case() -> None:
    """A test that was tried again is counted once, by its last attempt, and says how often it was tried."""
    cases = [AGAIN.format("ok"), AGAIN.format("ok"), GOOD, AGAIN.format("bad"), FAIL, SKIP]
    merged = parse(merge_junit({"e2e": junit(*cases)}))

    assert (merged.get("tests"), merged.get("failures"), merged.get("skipped")) == ("3", "1", "1")
    tried = {
        case.get("name"): [each.get("value") for each in case.iter("property")] for case in merged.iter("testcase")
    }
    assert tried == {"ok": ["3"], "bad": ["2"], "later": []}


def test_attempts_stand_beside_other_properties() -> None:
    """What a test says of itself is kept beside the number of its attempts."""
    named = GOOD.replace("/>", '><properties><property name="requirement" value="REQ-1"/></properties></testcase>')
    (case,) = parse(merge_junit({"e2e": junit(GOOD, named)})).iter("testcase")

    assert [(each.get("name"), each.get("value")) for each in case.iter("property")] == [
        ("requirement", "REQ-1"),
        ("attempts", "2"),
    ]


def test_results_of_one_name_are_all_kept() -> None:
    """Two cases of one name that each have a result are no attempts: none of the failures is lost."""
    merged = read_junit(merge_junit({"unit": junit(FAIL, FAIL, GOOD)}))

    assert merged is not None
    assert (merged.tests, merged.failures) == (3, 2)


def test_summary_names_flaky_tests() -> None:
    """A test that passed only when it was tried again is named, one that failed every time is a failure only."""
    document = read_junit(merge_junit({"e2e": junit(AGAIN.format("ok"), GOOD, AGAIN.format("bad"), FAIL)}))
    assert document is not None
    page = summary(verdict=Verdict.FAILED, tier="e2e", junit=document)

    assert page.startswith("**Failed**: tier e2e, 1 passed, 1 of them flaky, 1 failed.\n")
    assert "- `t.a::ok`: passed in attempt 2" in page
    assert "`t.a::bad`: passed" not in page
    assert [case.name for suite in document for case in flaky(suite)] == ["ok"]


def test_summary_without_flaky_tests() -> None:
    """Where every test was tried once, nothing is said of that."""
    page = summary(verdict=Verdict.PASSED, tier="e2e", junit=read_junit(merge_junit({"e2e": junit(GOOD)})))

    assert "flaky" not in page.lower()


def test_summary_of_a_run_without_tests() -> None:
    """A run that broke before its tests says so, with the problem and nothing invented."""
    page = summary(verdict=Verdict.ERRORED, tier="e2e", junit=None, problem="the registry doesn't answer")

    assert page.startswith("**Errored**: tier e2e, no test reported.\n\n## Problem\n")
    assert "the registry doesn't answer" in page
    for absent in ("## Tests", "## Failures", "## Slowest", "## Steps"):
        assert absent not in page


def test_summary_tells_the_problem_once() -> None:
    """The suite that stands for the problem in `junit.xml` isn't counted or listed as a test."""
    merged = merge_junit({"unit": junit(GOOD), "floe-ci": problem_suite([], "the cluster stayed")})
    page = summary(verdict=Verdict.ERRORED, tier="unit", junit=read_junit(merged), problem="the cluster stayed")

    assert page.startswith("**Errored**: tier unit, 1 passed.\n")
    assert page.count("the cluster stayed") == 1


def test_summary_of_markup() -> None:
    """Bars, backticks and tags in a test's name or message can't break the page."""
    case = (
        '<testcase classname="t" name="x[a|b-`c`-&lt;b&gt;]" time="1">'
        '<failure message="```&#10;&lt;script&gt;"/></testcase>'
    )
    page = summary(verdict=Verdict.FAILED, tier="unit", junit=read_junit(merge_junit({"a_b|<i>": junit(case)})))

    assert "| a\\_b\\|&lt;i&gt; |" in page
    assert "| ``t::x[a\\|b-`c`-<b>]`` |" in page
    assert "  ````text\n  ```\n  <script>\n  ````" in page


def test_summary_is_bounded() -> None:
    """Long messages and endless failures are cut, and the rest is named."""
    lines = "&#10;".join(f"line {number} {'x' * 400}" for number in range(40))
    cases = [f'<testcase name="t{n}"><failure message="{lines}"/></testcase>' for n in range(60)]
    page = summary(verdict=Verdict.FAILED, tier="unit", junit=read_junit(junit(*cases)))

    assert "line 9 " in page
    assert "line 10 " not in page
    assert "x" * 400 not in page
    assert "And 10 more, in `junit.xml`." in page


def test_summary_lists_ten_slowest() -> None:
    """Ten tests are listed as slow, and tests without a duration aren't."""
    cases = [f'<testcase name="t{n}" time="{n}"/>' for n in range(15)]
    page = summary(verdict=Verdict.PASSED, tier="unit", junit=read_junit(junit(*cases)))

    assert [f"`t{n}`" in page for n in range(15)] == [False] * 5 + [True] * 10
