"""Files of this user that runs share."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """Return the folder of what runs of this user share."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "floe-ci"


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all; no one else may read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
