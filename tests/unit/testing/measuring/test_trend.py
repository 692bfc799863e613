"""Tests over runs, by way of `floe-testing trend`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from floe_testing.cli import group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from click.testing import Result

pytestmark = pytest.mark.requirement("REQ-650")

TABLE = "[tool.floe-testing.performance]\n"


def write(folder: Path, day: int, **seconds: float | None) -> Path:
    """Write the results of a run: the calls of its tests, where None is a test that failed."""
    tests = [
        {"id": f"t.py::{name}", "outcome": "passed" if taken else "failed", "seconds": {"call": taken or 9.0}}
        for name, taken in seconds.items()
    ]
    content = {"version": 1, "started_at": f"2026-01-{day:02}T00:00:00Z", "seconds": 1.0, "tests": tests}
    folder.mkdir(parents=True)
    (folder / "performance.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def trend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return what runs the command in a repository with a table of the configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def trend(*arguments: object, table: str = TABLE) -> Result:
        (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
        return CliRunner().invoke(group, ["trend", *map(str, arguments)])

    return trend


def found(result: Result) -> dict[str, dict[str, Any]]:
    """Return the tests of a JSON answer, by the ends of their ids."""
    assert result.exit_code == 0, result.output
    return {each["id"].removeprefix("t.py::"): each for each in json.loads(result.output)}


def runs(folder: Path, calls: Sequence[float]) -> list[Path]:
    """Write a run a day, of one test."""
    return [write(folder / f"run-{day}", day, test=taken) for day, taken in enumerate(calls, start=1)]


def test_times_without_a_zone(trend: Callable[..., Result], tmp_path: Path) -> None:
    """Of runs of which one says in which zone its time is, and one doesn't, the one that is newer is told as such."""
    new, old = write(tmp_path / "new", 2, test=2.0), write(tmp_path / "old", 1, test=1.0)
    file = old / "performance.json"
    file.write_text(file.read_text(encoding="utf-8").replace("00:00Z", "00:00"), encoding="utf-8")
    (only,) = found(trend("--json", new, old)).values()
    assert (only["before"], only["now"]) == (1.0, 2.0)


def test_number_that_is_none(trend: Callable[..., Result], tmp_path: Path) -> None:
    """A duration that is no number is refused with its file; nothing could be compared with it."""
    new, old = write(tmp_path / "new", 2, test=2.0), write(tmp_path / "old", 1, test=float("nan"))
    refused = trend(new, old)
    assert refused.exit_code == 2
    assert f"{old}/performance.json" in refused.output


@pytest.mark.requirement("REQ-650.4")
def test_median_of_earlier_runs(trend: Callable[..., Result], tmp_path: Path) -> None:
    """The newest run stands beside the median of those before, so that one slow run counts for little."""
    each = found(trend("--json", *runs(tmp_path, [1.0, 9.0, 1.2, 3.0])))["test"]
    assert each == {"id": "t.py::test", "runs": 3, "before": 1.2, "now": 3.0, "change": 2.5, "regressed": True}


def test_order_is_that_of_dates(trend: Callable[..., Result], tmp_path: Path) -> None:
    """Which run is the newest, its date says, not its place on the command line."""
    newest, *others = reversed(runs(tmp_path, [1.0, 1.0, 5.0]))
    assert found(trend("--json", newest, *others))["test"]["now"] == 5.0


def test_tolerance(trend: Callable[..., Result], tmp_path: Path) -> None:
    """What is a regression, the configuration says, test by test."""
    write(tmp_path / "a", 1, lenient=1.0, strict=1.0)
    write(tmp_path / "b", 2, lenient=3.0, strict=3.0)
    table = f'{TABLE}tests = {{ "*lenient" = {{ ratio = 5 }} }}\n'
    each = found(trend("--json", tmp_path, table=table))
    assert (each["lenient"]["regressed"], each["strict"]["regressed"]) == (False, True)


def test_failed_tests_do_not_count(trend: Callable[..., Result], tmp_path: Path) -> None:
    """How long a test took to fail says nothing."""
    write(tmp_path / "a", 1, test=1.0, gone=1.0)
    write(tmp_path / "b", 2, test=None, gone=None)
    write(tmp_path / "c", 3, test=1.1, gone=None)
    each = found(trend("--json", tmp_path))
    assert set(each) == {"test"}
    assert (each["test"]["runs"], each["test"]["before"]) == (1, 1.0)


def test_new_test(trend: Callable[..., Result], tmp_path: Path) -> None:
    """A test without earlier runs is new, and no regression."""
    write(tmp_path / "a", 1, old=1.0)
    write(tmp_path / "b", 2, old=1.0, new=99.0)
    new = found(trend("--json", tmp_path))["new"]
    assert (new["runs"], new["before"], new["change"], new["regressed"]) == (0, None, None, False)
    assert "new" in trend(tmp_path).output


def test_table(trend: Callable[..., Result], tmp_path: Path) -> None:
    """The table shows what regressed first, with both times and the change."""
    write(tmp_path / "a", 1, same=5.0, slow=1.0)
    write(tmp_path / "b", 2, same=5.0, slow=2.0)
    lines = trend(tmp_path).output.splitlines()
    assert lines[1].split() == ["t.py::slow", "1", "1.000", "2.000", "x", "2.00"]
    assert lines[2].split() == ["t.py::same", "1", "5.000", "5.000", "x", "1.00"]
    assert lines[-1] == "1 of 2 tests regressed over 2 runs"


def test_parameters_are_shown(trend: Callable[..., Result], tmp_path: Path) -> None:
    """A parameter in brackets is text."""
    for day in (1, 2):
        write(tmp_path / f"run-{day}", day, **{"test[red]": 1.0})
    assert "t.py::test[red]" in trend(tmp_path).output


def test_long_tables_are_cut(trend: Callable[..., Result], tmp_path: Path) -> None:
    """Of many tests twenty are shown, or all that regressed, and every one where that is asked for."""
    for day in (1, 2):
        write(tmp_path / f"run-{day}", day, **{f"test_{number}": 1.0 for number in range(30)})
    assert trend(tmp_path).output.count("t.py::") == 20
    assert trend(tmp_path).output.endswith("2 runs, 10 more with --all\n")
    assert trend(tmp_path, "--all").output.count("t.py::") == 30


@pytest.mark.parametrize(("table", "code"), [(TABLE, 0), (f'{TABLE}on-slower = "fail"\n', 1)])
def test_exit_code(trend: Callable[..., Result], tmp_path: Path, table: str, code: int) -> None:
    """A regression fails the command where slower tests are to fail."""
    assert trend(*runs(tmp_path, [1.0, 3.0]), table=table).exit_code == code


def test_no_regression_is_no_failure(trend: Callable[..., Result], tmp_path: Path) -> None:
    """Without a regression the command succeeds."""
    assert trend(*runs(tmp_path, [1.0, 1.0]), table=f'{TABLE}on-slower = "fail"\n').exit_code == 0


def test_every_problem_is_told(trend: Callable[..., Result], tmp_path: Path) -> None:
    """Every place that holds no results, or others, is named at once, without a traceback."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "performance.json").write_text('{"version": 2}', encoding="utf-8")
    result = trend(tmp_path / "empty", tmp_path / "missing", tmp_path / "broken", tmp_path / ("x" * 300))
    assert result.exit_code == 2
    for part in (
        "empty: holds no performance.json",
        "missing: holds no",
        "xxx: holds no",
        "broken/performance.json: is no",
    ):
        assert part in result.output


@pytest.mark.parametrize("times", [1, 2])
def test_one_run_is_no_trend(trend: Callable[..., Result], tmp_path: Path, times: int) -> None:
    """One run is none to compare, also where it is named twice."""
    result = trend(*runs(tmp_path, [1.0]) * times)
    assert result.exit_code == 2
    assert "two runs or more" in result.output
