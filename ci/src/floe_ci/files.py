"""Files that others may have put where they are: opened so that a link is not followed, and nothing is waited for."""

from __future__ import annotations

import os
from typing import Final

_CAUTIOUS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Windows has neither, and no pipes among its files."""


def cautiously(path: str, flags: int) -> int:
    """Open a file, as an opener of `open`: a link is an error, and a pipe without a writer is empty."""
    return os.open(path, flags | _CAUTIOUS)
