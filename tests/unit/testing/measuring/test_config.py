"""The table `[tool.floe-testing.performance]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.measuring.config import TABLE, PerformanceConfig, Tolerance
from floe_testing.settings import SettingsError, read_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-650")


def read(folder: Path, table: str) -> PerformanceConfig:
    """Return what a `pyproject.toml` with this table says."""
    (folder / "pyproject.toml").write_text(f"[tool.floe-testing.performance]\n{table}", encoding="utf-8")
    return read_settings(PerformanceConfig, TABLE, folder)


def test_defaults(tmp_path: Path) -> None:
    """Without a table nothing is compared, and nothing fails."""
    config = read_settings(PerformanceConfig, TABLE, tmp_path)
    assert (config.baseline, config.on_slower) == (None, "warn")


def test_every_problem_is_told(tmp_path: Path) -> None:
    """Every problem of the table stands in one message, an unknown key with the nearest that is known."""
    with pytest.raises(SettingsError) as error:
        read(tmp_path, 'baselin = "x"\non-slower = "shout"\ntolerance = { ratio = 0.5, flor = 1 }\n')
    message = str(error.value)
    assert "performance.baselin: unknown key; did you mean 'baseline'?" in message
    assert "performance.on-slower: must be 'warn' or 'fail'" in message
    assert "performance.tolerance.ratio: must be at least 1" in message
    assert "performance.tolerance.flor: unknown key; did you mean 'floor'?" in message


@pytest.mark.requirement("REQ-650.6")
@pytest.mark.parametrize(
    ("seconds", "baseline", "exceeded"),
    [
        (1.4, 1.0, False),
        (1.51, 1.0, True),
        (0.4, 0.01, False),
        (0.52, 0.01, True),
        (10.6, 10.0, False),
        (15.1, 10.0, True),
    ],
)
def test_tolerance(*, seconds: float, baseline: float, exceeded: bool) -> None:
    """A test is too slow where it takes 1.5 times as long as its baseline and half a second more."""
    assert Tolerance().exceeded(seconds, baseline) is exceeded


@pytest.mark.parametrize(
    ("node_id", "ratio", "floor"),
    [
        ("tests/test_a.py::test_one[x-1]", 9.0, 2.0),
        ("tests/test_a.py::test_one[x-2]", 2.0, 0.25),
        ("tests/test_b.py::test_two", 4.0, 2.0),
    ],
)
def test_tolerance_of_a_test(tmp_path: Path, node_id: str, ratio: float, floor: float) -> None:
    """A test has the tolerance of the first pattern that fits, and what that leaves out from the default."""
    config = read(
        tmp_path,
        "tolerance = { ratio = 4, floor = 2 }\n[tool.floe-testing.performance.tests]\n"
        '"tests/test_a.py::test_one[x-1]" = { ratio = 9 }\n"*::test_one*" = { ratio = 2, floor = 0.25 }\n',
    )
    found = config.tolerance_for(node_id)
    assert (found.ratio, found.floor) == (ratio, floor)
