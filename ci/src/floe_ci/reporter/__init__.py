"""What tells of the tests as they begin and end: a plugin of one file, which is put beside them wherever they run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPORTER: Final = "floe_ci_reporter"
"""The plugin's name, for pytest's `-p`."""
ENV_EVENTS: Final = "FLOE_CI_EVENTS"
"""Names the file that it tells of the tests in."""
FOLDER: Final = Path(__file__).parent
"""Has to be on the tests' PYTHONPATH, or the plugin in another folder that is."""


def source() -> str:
    """Return the plugin's text."""
    return (FOLDER / f"{REPORTER}.py").read_text(encoding="utf-8")
