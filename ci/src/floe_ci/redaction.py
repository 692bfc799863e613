"""Keeps passwords out of what a run leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci.report import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def redact_files(folder: Path, secrets: Iterable[str]) -> None:
    """Redact every file below a folder: a connection string is easily part of a failed assertion."""
    secrets = tuple(secrets)
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode(errors="surrogateescape")
            if (safe := redact(text, secrets)) != text:
                path.write_bytes(safe.encode(errors="surrogateescape"))
