"""Texts of others as the page shows them: without control characters, and no longer than a reader reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from floe_ci.files import cautiously
from floe_ci.junit import xml_text

if TYPE_CHECKING:
    from pathlib import Path

_MOST_LOGS: Final = 200
_TAIL: Final = 16 << 10
_TAIL_LINES: Final = 40
_LONGEST_LINE: Final = 400


@dataclass(frozen=True)
class Log:
    """A log, and how it ends."""

    name: str
    link: str
    """Relative to the page."""
    size: int
    end: str = ""


def clipped(text: str, most: int) -> str:
    """Return a text's start and end, of so many characters together, and between them how much was left out."""
    text = shown(text)
    if len(text) <= most:
        return text
    head, tail = text[: most // 3], text[-(most - most // 3) :]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out:,} characters are left out here ...]\n{tail}"


def shown(text: str) -> str:
    """Return a text without what only a terminal follows."""
    return xml_text(text).replace("\r", "")


def line(text: str, most: int) -> str:
    """Return a text on one line."""
    words = " ".join(shown(text[: most * 4]).split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def link(path: str) -> str:
    """Return the address of a file beside the page; a name that looks like a scheme is none."""
    return f"./{quote(path, errors='replace')}"


def logs(folder: Path, most: int) -> list[Log]:
    """Return the logs in a results folder.

    Args:
        folder: The results.
        most: Of how many the end is read; the rest are only named.
    """
    root = folder / "logs"
    there = (
        os.path.join(place, name)  # noqa: PTH118 - as the walk gives it
        for place, _, names in os.walk(root)
        for name in names
        if not name.startswith(".")
    )
    former = str(root / "attempt-")
    found = sorted(there, key=lambda path: (path.startswith(former), path))
    made = []
    for number, path in enumerate(found[:_MOST_LOGS]):
        name = os.path.relpath(path, folder)
        size, end = _end(path) if number < most else (_size(path), "")
        made.append(Log(shown(name), link(name), size, end))
    return made


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size  # noqa: PTH116 - as above
    except OSError:
        return 0


def _end(path: str) -> tuple[int, str]:
    """Return a log's size, and its last whole lines: what is cut in two might be a password that is cut in two."""
    try:
        with open(path, "rb", opener=cautiously) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read(_TAIL)
    except OSError as error:
        return 0, f"it can't be read: {error.strerror}"
    if size > _TAIL:
        data = data.partition(b"\n")[2]
    lines = shown(data.decode(errors="replace")).splitlines()[-_TAIL_LINES:]
    return size, "\n".join(line[:_LONGEST_LINE] for line in lines)
