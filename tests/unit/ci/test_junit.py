"""JUnit files are read whatever became of them, and written so that everybody can read them."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from floe_ci.junit import Case, Counts, Document, Result, Suite, read, seconds, with_attempts, write

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '<testcase classname="t.a" name="ok" time="0.5"/>'
SKIP = '<testcase classname="t.a" name="later" time="0"><skipped message="no"/></testcase>'
FAIL = (
    '<testcase classname="t.a" name="bad" time="2"><failure message="assert 1 == 2">def test():\n'
    "E   assert 1 == 2\n\nt/a.py:7: AssertionError</failure></testcase>"
)
ERROR = '<testcase classname="t.a" name="broken" time="1"><error message="no server">long</error></testcase>'
COLLECTION = (
    '<testcase classname="" name="tests.test_c" time="0"><error message="collection failure">Traceback:\n'
    "tests/test_c.py:1: in &lt;module&gt;\n    import nope\nE   ModuleNotFoundError: No module named 'nope'</error>"
    "</testcase>"
)


def junit(*cases: str, head: str = '<?xml version="1.0" encoding="utf-8"?>') -> str:
    """Return a JUnit file as pytest writes it."""
    return f'{head}<testsuites><testsuite name="pytest" hostname="h">{"".join(cases)}</testsuite></testsuites>'


def parsed(folder: Path, data: str | bytes) -> Document:
    """Return what is read of a file."""
    path = folder / "junit.xml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read(path)


def names(document: Document) -> list[str]:
    """Return what its cases are called."""
    return [case.name for case in document.cases]


def test_cases(tmp_path: Path) -> None:
    """Cases have their outcome, their duration and their reason with the place that it came from."""
    document = parsed(tmp_path, junit(GOOD, SKIP, FAIL, ERROR))
    assert document.problem is None
    assert [(case.title, case.outcome, case.seconds, case.reason) for case in document.cases] == [
        ("t.a::ok", "passed", 0.5, ""),
        ("t.a::later", "skipped", 0.0, "no"),
        ("t.a::bad", "failed", 2.0, "assert 1 == 2\nt/a.py:7: AssertionError"),
        ("t.a::broken", "errored", 1.0, "no server"),
    ]
    assert Counts.of(document.cases) == Counts(1, 1, 1, 1)


def test_reason_of_a_collection_error(tmp_path: Path) -> None:
    """A module that can't be imported is told by what was raised, and in which line, not by a word of pytest's."""
    (case,) = parsed(tmp_path, junit(COLLECTION)).cases
    assert case.of_collection
    assert case.reason == "tests/test_c.py:1: in <module>\nE   ModuleNotFoundError: No module named 'nope'"


@pytest.mark.parametrize("cut", range(0, len(junit(GOOD, FAIL, SKIP)), 7))
def test_cut_anywhere(tmp_path: Path, cut: int) -> None:
    """Of a file that is cut off anywhere the cases that are whole are kept, and that it is cut is told."""
    text = junit(GOOD, FAIL, SKIP)
    document = parsed(tmp_path, text[:cut])
    whole = [name for name, case in (("ok", GOOD), ("bad", FAIL), ("later", SKIP)) if case in text[:cut]]
    assert names(document) == whole
    assert document.problem is not None


def test_cut_within_a_character(tmp_path: Path) -> None:
    """A file that ends within a character of several bytes is one that is cut."""
    data = junit(GOOD, GOOD.replace("ok", "größer")).encode()
    document = parsed(tmp_path, data[: data.index(b"\xc3") + 1])
    assert names(document) == ["ok"]
    assert (document.problem or "").startswith("it is cut off or broken")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("<html><body>502</body></html>", "it is no JUnit document: it begins with <html>"),
        ("no xml", "it is cut off or broken"),
        (b"\xff\xfe", "it is empty"),
        (b"\x00\x01\x02", "it is cut off or broken"),
        ("<a>" * 100_000, "it is no JUnit document"),
        ("<testsuites>" * 100_000, "it is cut off or broken"),
    ],
)
def test_something_else(tmp_path: Path, data: str | bytes, told: str) -> None:
    """What is no JUnit file says so, and has no case."""
    document = parsed(tmp_path, data)
    assert (document.problem or "").startswith(told)
    assert names(document) == []


@pytest.mark.parametrize("make", [lambda _: None, lambda path: path.mkdir()])
def test_no_file(tmp_path: Path, make: object) -> None:
    """A file that is missing, or a folder, can't be read, which is told."""
    make(tmp_path / "x")  # type: ignore[operator]
    assert (read(tmp_path / "x").problem or "").startswith("it can't be read")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (junit(GOOD.replace("ok", "ok\x1b[31m\x00")), "ok\ufffd[31m\ufffd"),
        (junit(GOOD.replace("ok", "ok&#x1b;&#0;&#xFFFFFFFF;&#99999999999999999999;")), "ok" + "\ufffd" * 4),
        (junit(GOOD).encode().replace(b'"ok"', b'"o\xffk"'), "o\ufffdk"),
        (
            junit(GOOD.replace("ok", "größe"), head='<?xml version="1.0" encoding="latin-1"?>').encode("latin-1"),
            "größe",
        ),
        (junit(GOOD.replace("ok", "größe"), head="").encode("utf-16"), "größe"),
        (junit(GOOD.replace("ok", "größe"), head="").encode("utf-8-sig"), "größe"),
        (junit(GOOD.replace("ok", "\x00größe"), head='<?xml version="1.0" encoding="nope"?>'), "\ufffdgröße"),
        (junit(GOOD.replace("ok", "\x00größe"), head='<?xml version="1.0" encoding="base64"?>'), "\ufffdgröße"),
    ],
)
def test_what_xml_cannot_hold(tmp_path: Path, data: str | bytes, name: str) -> None:
    """Control characters, references to them and bytes of another encoding make no file unreadable."""
    document = parsed(tmp_path, data)
    assert document.problem is None
    assert names(document) == [name]


@pytest.mark.parametrize("number", [1 << 18, (1 << 18) - 3, (1 << 18) + 1])
def test_reference_at_a_border(tmp_path: Path, number: int) -> None:
    """A reference that XML forbids is found between two pieces of a file as well."""
    head = junit("").replace("</testsuite></testsuites>", "")
    text = head + " " * (number - len(head)) + "<testcase name='a&#27;b'/></testsuite></testsuites>"
    assert names(parsed(tmp_path, text)) == ["a\ufffdb"]


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    ],
)
def test_entities(tmp_path: Path, declared: str) -> None:
    """A document that declares entities is refused: they may expand without end, or name another file."""
    document = parsed(tmp_path, junit(GOOD.replace("ok", "&x;"), head=declared))
    assert document.problem == "it declares entities, as no test's results do"
    assert names(document) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5),
        ("1,234.5", 1234.5),
        ("abc", 0),
        ("", 0),
        ("nan", 0),
        ("inf", 0),
        ("1e400", 0),
        ("-3", 0),
        (" 2 ", 2),
        ("9" * 5000, 0),
    ],
)
def test_numbers(tmp_path: Path, text: str, number: float) -> None:
    """A duration that is none counts as 0, and the rest of the file is read."""
    assert seconds(text) == number
    document = parsed(tmp_path, junit(GOOD.replace("0.5", text), FAIL))
    assert [case.seconds for case in document.cases] == [number, 2.0]
    assert document.problem is None


def test_reading_what_was_written(tmp_path: Path) -> None:
    """What is written is read again as it was, but for what XML can't hold."""
    case = Case(
        "t<a>",
        "x\"[\n&'é",
        1.25,
        (Result("failed", 'a "b"\n<c>', "]]> & <d>\r\n", "E"), Result("skipped", "why", "", "pytest.skip")),
        attempts=3,
        properties=(("requirement", "REQ-1"),),
        outputs=(("system-out", "out"), ("system-err", "err")),
    )
    suite = Suite("unit|<>", [case, Case("", "")], "host", "2025-01-01T00:00:00", [("a", "b")])
    text = "".join(write([suite]))
    assert parsed(tmp_path, text) == Document((suite,))
    assert "a\ufffdb" in "".join(write([Suite("a\x00b")]))


def test_numbers_of_a_document() -> None:
    """Root and suites say how many cases there are, and of which outcome."""
    cases = [Case("", "a"), Case("", "b", 1.0, (Result("failed"),)), Case("", "c", 0.5, (Result("errored"),))]
    root = ET.fromstring("".join(write([Suite("x", cases), Suite("y", [Case("", "d", 0.0, (Result("skipped"),))])])))  # noqa: S314 - our own
    counted = [
        (node.get("tests"), node.get("failures"), node.get("errors"), node.get("skipped")) for node in (root, *root)
    ]
    assert counted == [("4", "1", "1", "1"), ("3", "1", "1", "0"), ("1", "0", "0", "1")]
    assert root.get("time") == "1.500"


def test_what_is_in_the_suite_is_kept(tmp_path: Path) -> None:
    """Host, time and properties of the suites are those of the one that they become."""
    text = (
        '<testsuite name="pytest" hostname="pod-1" timestamp="2025-01-01T00:00:00">'
        f'<properties><property name="requirement" value="REQ-1"/></properties>{GOOD}</testsuite>'
    )
    suite = parsed(tmp_path, text).as_suite("unit")
    assert (suite.name, suite.hostname, suite.timestamp) == ("unit", "pod-1", "2025-01-01T00:00:00")
    assert suite.properties == [("requirement", "REQ-1")]
    assert [case.name for case in suite.cases] == ["ok"]


FAILED = (Result("failed"),)


def test_attempts_are_one_case() -> None:
    """Of a test that was tried again the last attempt stays, whatever became of the others, and says how often."""
    cases = [Case("t", "a"), Case("t", "b", 0, FAILED), Case("t", "a"), Case("t", "b"), Case("t", "a", 0, FAILED)]
    told = with_attempts(cases, {("t", "a"): 3, ("t", "b"): 2})
    assert [(case.name, case.attempts, case.outcome, case.flaky) for case in told] == [
        ("b", 2, "passed", True),
        ("a", 3, "failed", False),
    ]


def test_cases_of_one_name_are_no_attempts() -> None:
    """Tests that share their name are all kept, and none of them is called flaky."""
    cases = [Case("t", "a"), Case("t", "a"), Case("t", "a", 0, FAILED)]
    assert with_attempts(cases, {}) == cases
    assert not any(case.flaky for case in with_attempts(cases, {}))


def test_more_cases_than_attempts() -> None:
    """Where a test was tried twice and a third case has its name, only what was an attempt goes."""
    cases = [Case("t", "a", 1), Case("t", "a", 2), Case("t", "a", 3)]
    assert [(case.seconds, case.attempts) for case in with_attempts(cases, {("t", "a"): 2})] == [(1, 1), (3, 2)]


@pytest.mark.parametrize("value", ["-1", "x", "9" * 20, "²"])
def test_odd_number_of_attempts(tmp_path: Path, value: str) -> None:
    """A number of attempts that is none counts as one."""
    case = GOOD.replace("/>", f'><properties><property name="attempts" value="{value}"/></properties></testcase>')
    assert [case.attempts for case in parsed(tmp_path, junit(case)).cases] == [1]


def test_expected_failure_ran() -> None:
    """A test that failed as it was expected to was executed; one that wasn't even started was not."""
    assert Case("", "a", 0, (Result("skipped", "why", "", "pytest.xfail"),)).ran
    assert not Case("", "a", 0, (Result("skipped", "[NOTRUN] why", "", "pytest.xfail"),)).ran
    assert not Case("", "a", 0, (Result("skipped", "why", "", "pytest.skip"),)).ran


def test_memory(tmp_path: Path) -> None:
    """A large document is held once: reading 10 MB takes less than twice as much."""
    case = f'<testcase classname="t" name="n"><failure message="m">{"x" * 10_000}</failure></testcase>'
    path = tmp_path / "junit.xml"
    path.write_text(junit(*[case] * 1000))
    tracemalloc.start()
    try:
        document = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(1 for _ in document.cases) == 1000
    assert peak < 20_000_000


def test_other_parsers_make_no_difference(tmp_path: Path) -> None:
    """Whatever parser is installed beside, even one that can't be imported, the file is read by Python's own."""
    for name in ("lxml", "defusedxml"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemError('it is broken')")
    (tmp_path / "junit.xml").write_text(junit(GOOD))
    code = (
        "from pathlib import Path; from floe_ci import junit; "
        "print([case.name for case in junit.read(Path('junit.xml')).cases])"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == "['ok']\n"


def test_endless_output(tmp_path: Path) -> None:
    """One output of enormous length is cut, which is said in it."""
    text = f"<testcase name='a'><system-out>{'x' * (9 << 20)}</system-out></testcase>"
    (case,) = parsed(tmp_path, junit(text)).cases
    assert case.outputs[0][1].endswith("[what comes after is left out]")


def test_case_of_an_interrupted_test(tmp_path: Path) -> None:
    """The nameless case that pytest leaves for a test that was interrupted is no test that passed."""
    text = '<testsuite><testcase classname="t" name="a"/><testcase classname="" name="" time="0.001"/></testsuite>'
    (tmp_path / "junit.xml").write_text(text)
    assert [case.name for case in read(tmp_path / "junit.xml").of_tests().cases] == ["a"]
