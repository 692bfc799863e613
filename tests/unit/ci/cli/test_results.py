"""`floe-ci results show` shows what a run left."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result
    from conftest import Somewhere

    Call = Callable[..., Result]


@pytest.fixture
def results(call: Call, somewhere: Somewhere) -> Path:
    """Return the folder of a run's results."""
    call("test", "--on", "local")
    return somewhere.requests[0].results


def test_tables(call: Call, results: Path) -> None:
    """Suites, slowest tests and steps are tables, and the verdict comes last."""
    told = call("results", "show", str(results)).stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if line.startswith("│")]
    assert ["integration", "3", "1", "1", "0", "1", "4.5"] in rows
    assert ["tests.test_orders::test_empty", "4.00"] in rows
    assert ["tests", "1.0", "4.5", "done"] in rows
    assert told.splitlines()[-2].startswith("failed: tier integration")


def test_newest_is_the_default(call: Call, results: Path) -> None:
    """Without a folder the results that were written last are shown."""
    call("test", "--on", "local", "--tier", "unit")
    os.utime(results / "timings.json", (1, 1))
    assert json.loads(call("results", "show", "--json").stdout)["tier"] == "unit"


def test_no_results(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are none, that is told, and how to make some."""
    monkeypatch.chdir(tmp_path)
    told = call("results", "show")
    assert told.exit_code == 2
    assert (
        told.stderr == "floe-ci: results: there are no results here; `floe-ci test` makes some, or name their folder\n"
    )


@pytest.mark.parametrize("content", [{}, {"exit-code": "x", "timings.json": "{}", "junit.xml": ""}])
def test_other_folder(call: Call, tmp_path: Path, content: dict[str, str]) -> None:
    """A folder that holds something else is refused by name."""
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    told = call("results", "show", str(tmp_path))
    assert told.exit_code == 2
    assert told.stderr.startswith(f"floe-ci: {tmp_path}: no results of a run")
