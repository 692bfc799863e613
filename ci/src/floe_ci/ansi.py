"""Text as a terminal shows it."""

import re
from typing import Final

_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


def plain(text: str) -> str:
    """Return a text without the colours, links and movements that a terminal would follow."""
    return _SEQUENCE.sub("", text) if "\x1b" in text else text
