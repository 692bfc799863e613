"""Why a process ended: the lines of its log that say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from floe_ci.ansi import plain

if TYPE_CHECKING:
    from pathlib import Path

_MOST_LINES: Final = 20
_TAIL: Final = 64 << 10
_RULE: Final = re.compile(r"[=_\-!.]{3,}|[=_\-]{3,} .*[=_\-]{3,}|\d+ (?:passed|failed|errors?|skipped).* in [\d.]+s.*")
"""Lines that only part others, and pytest's own count."""
_GATE: Final = re.compile(r"(?:FAIL|ERROR)\b.*|Coverage failure.*|.*\bExit: .*|INTERNALERROR> \S*(?:Error|Exception).*")
"""What a gate on the tests says, and what pytest says of its own end."""
_USAGE: Final = re.compile(r"(?:ERROR: )?usage: .*\[options\]")
UNKNOWN_ARGUMENT: Final = "leave it out of pytest-args and the call, or add the plugin that has it to the packages"
_STAMP: Final = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
"""The time that a cluster puts before each line."""
_HEADLINE: Final = re.compile(r"E   \S|.*\berror: \S|\w*(?:Error|Exception): ")


def last_words(log: str, most: int = _MOST_LINES) -> str:
    """Return the last lines of a log that say something."""
    lines = [line.rstrip() for line in plain(log).splitlines()]
    meaningful = [line for line in lines if line and not _RULE.fullmatch(line.strip())]
    return "\n".join(meaningful[-most:])


def of_gate(log: str) -> str:
    """Return the lines by which a gate on the tests says that they don't pass; the last lines where none does."""
    lines = [line.strip() for line in plain(log).splitlines()]
    found = [line for line in lines if _GATE.fullmatch(line)]
    return "\n".join(found[-_MOST_LINES:]) or last_words(log)


def headline(said: str) -> str:
    """Return the one line of what was said that tells most: what was raised, or which argument was refused."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if _HEADLINE.match(line)] or [line for line in lines if _GATE.fullmatch(line)]
    return told[-1].removeprefix("E   ") if told else ""


def without_headline(said: str, headline: str) -> str:
    """Return what was said without the line that is told by itself, and without how pytest is called."""
    lines = [line for line in said.splitlines() if line.strip().removeprefix("E   ") != headline]
    return "\n".join(line for line in lines if not _USAGE.match(line.strip()))


def remedy(headline: str) -> str:
    """Return what to do about the line that tells most; empty: that is not known."""
    return UNKNOWN_ARGUMENT if "unrecognized arguments: " in headline else ""


def tail(path: Path) -> str:
    """Return the end of a log, nothing where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            return _STAMP.sub("", file.read(_TAIL).decode(errors="replace"))
    except OSError:
        return ""
