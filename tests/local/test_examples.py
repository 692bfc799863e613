"""The repositories that the guides show, run on this machine as their readers would."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Here

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.requirement("T073")


@pytest.mark.parametrize(
    ("name", "tier", "count"),
    [
        ("fastapi", "integration", 3),
        ("django", "integration", 3),
        ("lake", "integration", 2),
        ("queue", "integration", 3),
        ("product", "unit", 10),
        # dbt and Dagster take minutes on a busy machine.
        pytest.param("product", "integration", 10, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
        ("monorepo", "unit", 5),
        ("monorepo", "integration", 2),
    ],
)
def test_example(  # noqa: PLR0913, PLR0917 - what is run, and with what
    here: Here, index: Path, monkeypatch: pytest.MonkeyPatch, name: str, tier: str, count: int
) -> None:
    """A clean copy of the repository passes by the command of its guide, and nothing of the run is left."""
    shutil.rmtree(here.repository)
    shutil.copytree(EXAMPLES / name, here.repository, ignore=shutil.ignore_patterns("results", ".*", "__pycache__"))
    monkeypatch.setenv("UV_FIND_LINKS", str(index))
    own = replace(here, own=frozenset({"results", *(path.name for path in here.repository.iterdir())}))
    code, said = own.run("test", "--on", "local", "--tier", tier, timeout=800)
    assert code == 0, said
    assert f"passed: tier {tier}, {count} passed" in said
    assert own.wait_until_clean() == ([], [])
