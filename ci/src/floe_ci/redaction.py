"""Keeps passwords out of what a run leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SHORTEST_SECRET: Final = 6


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with each secret of six characters or more replaced by `***`."""
    # A shorter one would hit plain words. The longest comes first: one secret may begin with another.
    values = sorted({value for value in secrets if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, values)), "***", text) if values else text


def redact_files(folder: Path, secrets: Iterable[str]) -> None:
    """Redact every file below a folder: a connection string is easily part of a failed assertion."""
    secrets = tuple(secrets)
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode(errors="surrogateescape")
            if (safe := redact(text, secrets)) != text:
                path.write_bytes(safe.encode(errors="surrogateescape"))
