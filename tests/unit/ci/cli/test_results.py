"""`floe-ci results show` shows what a run left, and never more than it left."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from floe_ci.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result
    from conftest import Somewhere

    Call = Callable[..., Result]

TIMINGS = {
    "run_id": "abc",
    "tier": "unit",
    "started_at": "2025-01-01T00:00:00+00:00",
    "total_seconds": 1.0,
    "time_to_first_test_seconds": None,
    "steps": [{"name": "tests", "started_seconds": 0.1, "seconds": 0.5}],
}
PASSED = '<testsuite name="unit"><testcase classname="t" name="a" time="1"/></testsuite>'


@pytest.fixture
def results(call: Call, somewhere: Somewhere) -> Path:
    """Return the folder of a run's results."""
    call("test", "--on", "local")
    return somewhere.requests[0].results


def make(folder: Path, junit: str = PASSED, timings: object = None, code: str = "0\n") -> Path:
    """Make a results folder as it may have been left."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "junit.xml").write_text(junit)
    (folder / "timings.json").write_text(timings if isinstance(timings, str) else json.dumps(timings or TIMINGS))
    (folder / "exit-code").write_text(code)
    return folder


def test_tables(call: Call, results: Path) -> None:
    """Suites, slowest tests and steps are tables, and the verdict comes last."""
    told = call("results", "show", str(results)).stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if line.startswith("│")]
    assert ["integration", "3", "1", "1", "0", "1", "4.5"] in rows
    assert ["tests.test_orders::test_empty", "4.00"] in rows
    assert ["tests", "1.0", "4.5", "done"] in rows
    assert told.splitlines()[-2].startswith("failed: tier integration")


def test_whole_reason(call: Call, tmp_path: Path) -> None:
    """A reason of several lines is shown with each of them, up to a limit, and its last."""
    lines = "&#10;".join(f"line {number}" for number in range(30))
    junit = f'<testsuite name="u"><testcase name="t"><failure message="uv failed:&#10;{lines}"/></testcase></testsuite>'
    told = call("results", "show", str(make(tmp_path / "r", junit, code="1"))).stdout
    assert "t uv failed:\n    line 0\n    line 1\n" in told
    assert "    [...]\n    line 29\n" in told
    assert "line 20" not in told


PROBLEM = """<testsuite name="floe-ci"><testcase classname="floe-ci" name="configure"><error type="Problem"
message="pyproject.toml: 2 problems">pyproject.toml: 2 problems
  tool.floe-ci.a: unknown key
  tool.floe-ci.b: unknown key</error></testcase></testsuite>"""


def test_every_problem_is_told(call: Call, tmp_path: Path) -> None:
    """What ended a run before its tests is told whole, by the step that it happened in."""
    shown = call("results", "show", str(make(tmp_path / "r", PROBLEM, code="2"))).stdout
    assert "configure pyproject.toml: 2 problems" in shown
    assert "tool.floe-ci.a: unknown key" in shown
    assert "tool.floe-ci.b: unknown key" in shown
    assert "floe-ci::" not in shown


def test_newest_is_the_default(call: Call, results: Path) -> None:
    """Without a folder the results that were written last are shown; a hidden one is no run's."""
    call("test", "--on", "local", "--tier", "unit")
    for name in ("run.json", "timings.json"):
        os.utime(results / name, (1, 1))
    make(results.parent / ".draft")
    assert json.loads(call("results", "show", "--json").stdout)["tier"] == "unit"


def test_no_results(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are none, that is told, and how to make some."""
    monkeypatch.chdir(tmp_path)
    told = call("results", "show")
    assert told.exit_code == 2
    assert (
        told.stderr == "floe-ci: results: there are no results here; `floe-ci test` makes some, or name their folder\n"
    )


def test_run_that_goes_on(call: Call, tmp_path: Path) -> None:
    """A run that goes on has no verdict yet, which is told, and so is one that was killed."""
    folder = RunFolder.take(tmp_path / "unit", run_id="abc", tier="unit", place="local")
    make(folder.path)
    told = call("results", "show", str(folder.path))
    assert told.exit_code == 2
    assert "run abc (since " in told.stderr
    assert "is still going on" in told.stderr
    os.close(folder._lock)  # noqa: SLF001 - as the kernel does when a process ends
    folder._lock = None  # noqa: SLF001 - as above
    told = call("results", "show", str(folder.path))
    assert told.exit_code == 2
    assert "did not come to its end, so there is no verdict" in told.stderr


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"exit-code": "x", "timings.json": "{}", "junit.xml": ""},
        {"exit-code": "0", "timings.json": "\udcff", "junit.xml": ""},
    ],
)
def test_other_folder(call: Call, tmp_path: Path, content: dict[str, str]) -> None:
    """A folder that holds something else is refused by name."""
    for name, text in content.items():
        (tmp_path / name).write_text(text, errors="surrogateescape")
    told = call("results", "show", str(tmp_path))
    assert told.exit_code == 2
    assert told.stderr.startswith(f"floe-ci: {tmp_path}: no results of a run")


@pytest.mark.parametrize("name", ["run.json", "exit-code", "timings.json", "junit.xml"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to itself"])
def test_what_is_no_file_is_not_waited_for(call: Call, tmp_path: Path, name: str, kind: str) -> None:
    """A pipe, a folder, a device or a circle of links in the place of a file ends the command with that file's name."""
    file = make(tmp_path / "r") / name
    file.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case _:
            file.symlink_to("/dev/zero" if kind == "device" else name)
    told = call("results", "show", str(tmp_path / "r"))
    # Without a record of its own a run has ended.
    assert told.exit_code == (0 if name == "run.json" else 2), told.output
    assert "Errno" not in told.output
    assert name == "run.json" or name in told.stderr


@pytest.mark.parametrize("junit", ["", PASSED[:-20], "<html/>", "no xml", "<testsuites/>"])
def test_unreadable_junit(call: Call, tmp_path: Path, junit: str) -> None:
    """What can't be read, or tells of no test, is never called passed."""
    told = call("results", "show", str(make(tmp_path / "r", junit)))
    assert told.exit_code == 2
    assert told.stderr.startswith(f"floe-ci: {tmp_path}")
    assert not told.stdout


def test_missing_junit(call: Call, tmp_path: Path) -> None:
    """Where `junit.xml` is missing, nobody knows what became of the tests."""
    (make(tmp_path / "r") / "junit.xml").unlink()
    told = call("results", "show", str(tmp_path / "r"))
    assert told.exit_code == 2
    assert "junit.xml: it can't be read: No such file or directory" in told.stderr


def test_contradiction(call: Call, tmp_path: Path) -> None:
    """An exit code that says passed beside a test that failed is not believed."""
    junit = '<testsuite name="u"><testcase name="t"><failure message="no"/></testcase></testsuite>'
    told = call("results", "show", str(make(tmp_path / "r", junit)))
    assert told.exit_code == 2
    assert "exit-code says that the tests passed, and junit.xml does not" in told.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"total_seconds": None},
        {"total_seconds": "1"},
        {"total_seconds": True},
        {"started_at": "noon"},
        {"started_at": 5},
        {"steps": [{"name": 3, "started_seconds": 0, "seconds": 1}]},
        {"steps": ["tests"]},
        {"steps": None},
        {"run_id": None},
    ],
)
def test_record_of_other_types(call: Call, tmp_path: Path, change: dict[str, object]) -> None:
    """A record of timings in which something is of another type is refused by its name, in words for a reader."""
    told = call("results", "show", str(make(tmp_path / "r", timings=TIMINGS | change)))
    assert told.exit_code == 2
    assert re.search(r"must be|Invalid isoformat", told.stderr)
    assert told.stderr.startswith(f"floe-ci: {tmp_path}/r/timings.json: not a record of timings: ")


@pytest.mark.parametrize(
    "timings",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps(TIMINGS).replace("1.0", "NaN"),
        json.dumps(TIMINGS).replace("1.0", "1e999"),
    ],
)
def test_no_record(call: Call, tmp_path: Path, timings: str) -> None:
    """Whatever stands in the place of the record, one line says so, in words for a reader."""
    told = call("results", "show", str(make(tmp_path / "r", timings=timings or " ")))
    assert told.exit_code == 2
    assert not re.search(r"subscript|indices|recursion", told.stderr)
    assert told.stderr.startswith(f"floe-ci: {tmp_path}/r/timings.json: not a record of timings: ")


@pytest.mark.parametrize("time", ["abc", "nan", "inf", "1e999", ""])
def test_strict_json(call: Call, tmp_path: Path, time: str) -> None:
    """The document for machines is strict JSON, whatever numbers a test's file holds."""
    folder = make(tmp_path / "r", PASSED.replace('"1"', f'"{time}"'))

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    told = json.loads(call("results", "show", "--json", str(folder)).stdout, parse_constant=refuse)
    assert told["verdict"] == "passed"
    assert told["suites"]["unit"]["seconds"] == 0


def test_time_without_a_zone(call: Call, tmp_path: Path) -> None:
    """A start that names no zone is read as UTC."""
    told = call("results", "show", str(make(tmp_path / "r", timings=TIMINGS | {"started_at": "2025-01-01T00:00:00"})))
    assert told.exit_code == 0


BROKEN = PASSED.replace("/></testsuite>", '><failure message="assert 0"/></testcase></testsuite>')
SLOW = PASSED.replace('time="1"', 'time="3"')


def test_compare(call: Call, tmp_path: Path) -> None:
    """What differs between two runs is told as tables, with both verdicts and a count at the end."""
    before, after = make(tmp_path / "a"), make(tmp_path / "b", BROKEN, code="1\n")
    told = call("results", "compare", str(before), str(after))
    assert told.exit_code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.stdout.splitlines() if "│" in line]
    assert rows == [["passed", "failed", "t::a", "assert 0"]]
    assert told.stdout.splitlines()[-3:] == [
        f"before: passed: tier unit, 1 passed, 1 s, in {before}",
        f"after: failed: tier unit, 1 failed, 1 s, in {after}",
        "came to something else: 1, of them failing now: 1; got slower: 0",
    ]


def test_compare_for_machines(call: Call, tmp_path: Path) -> None:
    """The same as one JSON document."""
    before, after = make(tmp_path / "a"), make(tmp_path / "b", SLOW)
    told = json.loads(call("results", "compare", "--json", str(before), str(after)).stdout)
    run = {"run_id": "abc", "verdict": "passed", "seconds": 1.0}
    assert told == {
        "before": {"results": str(before), **run},
        "after": {"results": str(after), **run},
        "changes": [],
        "slower": [{"test": "t::a", "before": 1.0, "after": 3.0}],
    }


def test_tiers_by_name(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier stands for its folder in `results`, unless there is a folder of that name with results of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unit").mkdir()
    make(tmp_path / "results" / "unit", SLOW)
    assert json.loads(call("results", "show", "unit", "--json").stdout)["results"] == "results/unit"
    make(tmp_path / "unit")
    assert json.loads(call("results", "show", "unit", "--json").stdout)["results"] == "unit"


def test_compare_with_nothing(call: Call, tmp_path: Path) -> None:
    """Where one of the two is no results folder, that one is named."""
    told = call("results", "compare", str(make(tmp_path / "a")), str(tmp_path / "none"))
    assert told.exit_code == 2
    assert told.stderr.startswith(f"floe-ci: {tmp_path}/none: no results of a run")


def test_name_that_no_folder_can_have(call: Call) -> None:
    """A name that is longer than the system takes is told like any other that is not there."""
    told = call("results", "show", "x" * 300)
    assert told.exit_code == 2
    assert told.stderr.endswith("no results of a run: exit-code is not there\n")


def test_open_without_a_page(call: Call, tmp_path: Path) -> None:
    """Results of an earlier version have no page, which is told, and what to do."""
    told = call("results", "open", str(make(tmp_path / "r")))
    assert told.exit_code == 2
    page = tmp_path / "r" / "report.html"
    assert (
        told.stderr == f"floe-ci: {page}: there is no such page; `floe-ci results show` tells of results without one\n"
    )
