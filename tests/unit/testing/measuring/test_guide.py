"""The guide beside what it describes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from floe_testing.measuring.config import PerformanceConfig, Tolerance
from floe_testing.measuring.models import Consumer, ControlGroup, Performance, Phases, TestPerformance

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "guides" / "performance.md"


@pytest.mark.skipif(not GUIDE.exists(), reason="the runner image holds no documents")
@pytest.mark.parametrize(
    "model", [Performance, TestPerformance, Phases, ControlGroup, Consumer, PerformanceConfig, Tolerance]
)
def test_every_field_is_described(model: type[Performance]) -> None:
    """The guide names every field of the results and of the configuration."""
    words = set(re.findall(r"[a-z][a-z_-]+", GUIDE.read_text(encoding="utf-8")))
    assert {field.alias or name for name, field in model.model_fields.items()} <= words
