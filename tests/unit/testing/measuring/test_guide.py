"""The guide beside what it describes."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_testing.measuring.config import PerformanceConfig, Tolerance
from floe_testing.measuring.models import Consumer, ControlGroup, Performance, Phases, TestPerformance

if TYPE_CHECKING:
    from floe_testing.settings import Table

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "guides" / "performance.md"


@pytest.mark.skipif(not GUIDE.exists(), reason="the runner image holds no documents")
@pytest.mark.parametrize("part", [Performance, TestPerformance, Phases, ControlGroup, Consumer])
def test_every_field_is_described(part: type[Performance]) -> None:
    """The guide names every field of the results."""
    assert {field.name for field in fields(part)} <= words()


@pytest.mark.skipif(not GUIDE.exists(), reason="the runner image holds no documents")
@pytest.mark.parametrize("table", [PerformanceConfig, Tolerance])
def test_every_key_is_described(table: type[Table]) -> None:
    """The guide names every key of the configuration."""
    assert {field.alias or name for name, field in table.model_fields.items()} <= words()


def words() -> set[str]:
    """Return the words of the guide that may be names."""
    return set(re.findall(r"[a-z][a-z_-]+", GUIDE.read_text(encoding="utf-8")))
