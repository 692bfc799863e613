"""Files that others may have put where they are: nothing is waited for, and no link is followed that leads astray."""

from __future__ import annotations

import codecs
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WITHOUT_WAITING: Final = getattr(os, "O_NONBLOCK", 0)
_CAUTIOUS: Final = getattr(os, "O_NOFOLLOW", 0) | _WITHOUT_WAITING
"""Windows has neither, and no pipes among its files."""
_MARKED: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Encodings by the marks that texts begin with: PowerShell's `>` writes UTF-16, and pip and uv read it."""


def cautiously(path: str, flags: int) -> int:
    """Open a file, as an opener of `open`: a link is an error, and a pipe without a writer is empty."""
    return os.open(path, flags | _CAUTIOUS)


def content_of(path: Path) -> bytes | None:
    """Return what a file holds; None where there is none that can be read, or something else than a file."""
    try:
        with open(path, "rb", opener=without_waiting) as file:
            return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except (OSError, ValueError):
        return None


def is_marked(content: bytes) -> bool:
    """Return whether a text begins with the mark of its encoding."""
    return content.startswith(tuple(_MARKED))


def text_of(path: Path) -> str:
    """Return what a file of text says, in the encoding that it is marked with or else in UTF-8; empty: nothing."""
    content = content_of(path) or b""
    marked = (encoding for mark, encoding in _MARKED.items() if content.startswith(mark))
    return content.decode(next(marked, "utf-8"), errors="replace")


def for_system(text: str) -> bytes:
    """Return a text as the system takes it; where a locale's encoding lacks one of its characters, in UTF-8."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def variables_for_system(environment: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return variables as another process is given them, whatever the encoding of this one's locale."""
    return {for_system(name): for_system(value) for name, value in environment.items()}


def without_waiting(path: str, flags: int) -> int:
    """Open a file, as an opener of `open`: a pipe without a writer is empty."""
    return os.open(path, flags | _WITHOUT_WAITING)
