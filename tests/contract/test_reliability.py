"""The page of faults names each that has a test, once."""

from __future__ import annotations

import re
from pathlib import Path

from faulted import NAMES

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_page_has_each_fault() -> None:
    """Each fault stands on the page once: with what came of it, or among those that were not tried."""
    text = PAGE.read_text(encoding="utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    _, _, rest = text.partition("Not tried")
    tried_not = re.findall(r"^- `([a-z-]+)`", rest, re.MULTILINE)
    assert sorted([*table, *tried_not]) == sorted(NAMES)
