"""One version of uv installs everything, wherever it is written down."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_same_version_everywhere() -> None:
    """The Makefile, the images and the command line's extra pin the same version of uv."""
    extras = tomllib.loads((ROOT / "ci" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pinned = {
        *re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE),
        *re.findall(r'^UV = "uv==(\S+)"$', (ROOT / "ci/src/floe_ci/uv.py").read_text(), re.MULTILINE),
        *(each.removeprefix("uv==") for each in extras["local"] if each.startswith("uv")),
    }
    assert len(pinned) == 1, pinned
