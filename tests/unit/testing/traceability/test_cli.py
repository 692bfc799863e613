"""The command line, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from floe_testing.cli import group

if TYPE_CHECKING:
    from conftest import Repository

pytestmark = pytest.mark.requirement("T036")


@pytest.fixture
def marked(repository: Repository) -> Repository:
    """Return a repository whose only test names REQ-001, and which passed."""
    repository.test("tests/unit/test_login.py", '@pytest.mark.requirement("REQ-001")', "def test_a(): ...")
    repository.junit("results/junit.xml", '<testcase classname="tests.unit.test_login" name="test_a" time="0"/>')
    return repository


def run(repository: Repository, *args: str) -> Result:
    """Call `floe-testing trace` for a repository."""
    return CliRunner().invoke(group, ["trace", "--root", str(repository.root), *args])


def test_enough_coverage_is_success(marked: Repository) -> None:
    """At or above the threshold the exit code is 0, and nothing is an error."""
    found = run(marked, "--threshold", "50")
    assert found.exit_code == 0
    assert "login: 50 % marked (1 of 2); 1 unmarked" in found.stdout
    assert found.stderr == ""


def test_too_little_coverage_fails(marked: Repository) -> None:
    """Below the threshold the exit code is 1, and the error names what is not covered, and why; all is the default."""
    for args in (["--all", "--threshold", "51"], []):
        found = run(marked, *args)
        assert found.exit_code == 1
        assert "login: 50 % is less than" in found.stderr
        assert found.stderr.endswith(": REQ-002 (unmarked)\n")


def test_each_specification_must_reach_the_threshold(marked: Repository) -> None:
    """A specification that is covered does not make up for one that isn't; one can be asked for alone."""
    marked.write("docs/more.md", "### REQ-003: Sign up\n")
    marked.test("tests/unit/test_more.py", '@pytest.mark.requirement("REQ-003")', "def test_b(): ...")
    assert "login: 50 % is less than 60 %" in run(marked, "--threshold", "60").stderr
    assert run(marked, "--spec", "more").exit_code == 0
    assert run(marked, "--spec", "login").exit_code == 1


def test_results_verify(marked: Repository) -> None:
    """With results, what passed is verified."""
    found = run(marked, "--threshold", "50", "--results", str(marked.root / "results"))
    assert found.exit_code == 0
    assert "login: 50 % verified (1 of 2)" in found.stdout


def test_skipped_tests_do_not_reach_the_threshold(marked: Repository) -> None:
    """A requirement whose test was skipped is marked, but the gate does not open for it."""
    skipped = '<testcase classname="tests.unit.test_login" name="test_a" time="0"><skipped message="no"/></testcase>'
    marked.junit("results/junit.xml", skipped)
    found = run(marked, "--threshold", "50", "--results", str(marked.root / "results"))
    assert found.exit_code == 1
    assert "1 skipped" in found.stdout
    assert found.stderr == "login: 0 % is less than 50 %: REQ-001 (skipped), REQ-002 (unmarked)\n"


def test_unmarked_tests_fail_where_markers_are_required(marked: Repository) -> None:
    """A test without a marker fails the gate if its tier is named, by option or in the table."""
    marked.test("tests/e2e/test_far.py", "def test_b(): ...")
    assert run(marked, "--threshold", "50", "--require-markers", "unit").exit_code == 0
    found = run(marked, "--threshold", "50", "--require-markers", "e2e")
    assert found.exit_code == 1
    assert "1 tests name no requirement" in found.stderr
    assert "tests/e2e/test_far.py::test_b" in found.stdout
    table = (marked.root / "pyproject.toml").read_text() + 'require-markers = ["e2e"]\nthreshold = 50\n'
    marked.write("pyproject.toml", table)
    assert run(marked).exit_code == 1


def test_paths_are_the_tests_to_read(marked: Repository) -> None:
    """Paths on the command line take the place of those configured."""
    marked.test("tests/e2e/test_far.py", '@pytest.mark.requirement("REQ-002")', "def test_b(): ...")
    assert run(marked).exit_code == 0
    assert run(marked, "tests/unit").exit_code == 1


def test_options_do_without_a_table(marked: Repository) -> None:
    """Documents and patterns can be named on the command line alone."""
    (marked.root / "pyproject.toml").unlink()
    found = run(marked, "--specs", "docs/login.md", "--pattern", r"REQ-\d{3}", "--threshold", "50")
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("form", "start"),
    [("json", '{\n  "reports"'), ("markdown", "# Requirements"), ("html", "<!DOCTYPE html>"), ("table", "login: 50 %")],
)
def test_output_goes_to_a_file(marked: Repository, form: str, start: str) -> None:
    """Each form can be written to a file, in folders that need not be there yet, without colours."""
    file = marked.root / "dist" / "pages" / "trace"
    found = run(marked, "--threshold", "0", "--format", form, "--output", str(file))
    assert found.exit_code == 0
    assert found.stdout == ""
    text = file.read_text(encoding="utf-8")
    assert text.startswith(start)
    assert "\x1b" not in text


def test_json_is_all_that_is_printed(marked: Repository) -> None:
    """What is below the threshold goes to stderr, so that stdout is JSON and no more."""
    found = run(marked, "--format", "json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["reports"][0]["uncovered"] == ["REQ-002"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("treshold = 3", "tool.floe-testing.traceability.treshold: unknown key; did you mean 'threshold'?"),
        ("threshold = 101", "tool.floe-testing.traceability.threshold: must be at most 100, not 101"),
        ("paths = 'tests/unit'", 'tool.floe-testing.traceability.paths: must be a list, not "tests/unit"'),
        ("patterns = ['(']", "tool.floe-testing.traceability.patterns[0]: not a regular expression: "),
        ("patterns = []", "tool.floe-testing.traceability.patterns: must not be empty"),
        ("paths = ['nowhere']", "no such file or folder: "),
        ("specs = ['nowhere']", "no document states requirements"),
    ],
)
def test_bad_table_is_told_without_a_traceback(marked: Repository, table: str, message: str) -> None:
    """A wrong table is exit code 2, and a message that names the key."""
    marked.write("pyproject.toml", f"[tool.floe-testing.traceability]\n{table}\n")
    if "specs" not in table:
        marked.write("docs/requirements/001-login.md", "- **FR-001**: a\n")
    found = run(marked)
    assert found.exit_code == 2
    assert message in found.stderr
    assert "Traceback" not in found.output


def test_every_problem_of_the_table_is_told(marked: Repository) -> None:
    """Several problems of one table come in one message."""
    marked.write("pyproject.toml", "[tool.floe-testing.traceability]\nthreshold = -1\nspec = []\n")
    found = run(marked)
    assert "pyproject.toml: 2 problems" in found.stderr
    assert "did you mean 'specs'?" in found.stderr
    assert "must be at least 0" in found.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--all", "--spec", "login"], "exclude each other"),
        (["--results", "nowhere"], "does not exist"),
        (["--threshold", "101"], "range"),
        (["--pattern", "("], "the command line: patterns[0]: not a regular expression"),
        (["--spec", "logn"], "did you mean 'login'?"),
        (["--format", "pdf"], "is not one of"),
        ([os.fsdecode(b"caf\xe9")], 'the command line: paths[0]: is not UTF-8: rename "caf'),
    ],
)
def test_bad_options_are_exit_code_2(marked: Repository, args: list[str], message: str) -> None:
    """Options that can't be meant are told before anything is traced."""
    found = run(marked, *args)
    assert found.exit_code == 2
    assert message in found.stderr


def test_unknown_requirement_is_exit_code_2(marked: Repository) -> None:
    """A marker of a requirement that is not there is bad input, whatever the threshold."""
    marked.test("tests/unit/test_more.py", '@pytest.mark.requirement("REQ-009")', "def test_b(): ...")
    found = run(marked, "--threshold", "0")
    assert found.exit_code == 2
    assert "tests/unit/test_more.py:2: no requirement is called 'REQ-009'" in found.stderr


@pytest.mark.requirement("T037")
@pytest.mark.parametrize("command", [["floe_testing.traceability"], ["floe_testing", "trace"]])
def test_module_is_the_same_command(marked: Repository, command: list[str]) -> None:
    """Both modules run it, and find the repository from a folder inside it."""
    done = subprocess.run(
        [sys.executable, "-m", *command, "--all", "--threshold", "50"],
        cwd=marked.root / "tests",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "login: 50 % marked" in done.stdout


def test_a_place_that_cannot_be_written(marked: Repository) -> None:
    """A file that can't be written is told with the reason, and exit code 2."""
    marked.write("file", "")
    found = run(marked, "--format", "json", "--output", str(marked.root / "file" / "trace.json"))
    assert found.exit_code == 2
    assert "trace.json: can't be written: " in found.stderr


def test_stale_results_are_told(marked: Repository) -> None:
    """Results that newer ones take the place of are told where the page is not read: beside the JSON."""
    suite = '<testsuites><testsuite name="pytest" timestamp="2026-11-2{}T10:00:00" time="1">{}</testsuite></testsuites>'
    case = '<testcase classname="tests.unit.test_login" name="test_a" time="0">{}</testcase>'
    marked.write("results/junit.xml", suite.format(7, case.format("")))
    marked.write("results/unit/junit.xml", suite.format(8, case.format('<failure message="no"/>')))
    found = run(marked, "--results", str(marked.root / "results"), "--format", "json")
    assert found.exit_code == 1
    assert "note: " in found.stderr
    assert "junit.xml is older than " in found.stderr
    assert "REQ-001 (failed)" in found.stderr
