"""Files of this user that runs share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from floe_ci.errors import UserError


def cache(*parts: str) -> Path:
    """Return the folder of what runs of this user share, or one in it; it is made where it isn't there.

    Raises:
        UserError: It can't be made or written to.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        # One that is relative would be another folder for each that a command is called in: XDG has it ignored.
        folder = (given if given.is_absolute() else Path.home() / ".cache").joinpath("floe-ci", *parts)
    except RuntimeError as error:  # no HOME, and the account is nobody's
        msg = f"there is no home folder for the cache ({error}): set XDG_CACHE_HOME to a folder that can be written"
        raise UserError(msg) from None
    problem = _unusable(folder)
    if problem:
        msg = f"the cache {folder} can't be used ({problem}): set XDG_CACHE_HOME to a folder that can be written"
        raise UserError(msg)
    return folder


def temporary() -> Path:
    """Return the folder for temporary files.

    Raises:
        UserError: The one that is named can't be used: Python would take another without a word.
    """
    for name in ("TMPDIR", "TEMP", "TMP"):
        if given := os.environ.get(name):
            folder = Path(given).absolute()
            problem = "there is no such folder" if not folder.is_dir() else _unusable(folder)
            if problem:
                msg = f"{name}={given}: {problem}; name a folder for temporary files that can be written"
                raise UserError(msg)
            break
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        msg = f"no folder for temporary files can be written ({error}): name one with TMPDIR"
        raise UserError(msg) from None


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all; no one else may read it.

    Raises:
        UserError: It can't be written: the disk is full, or the folder is gone or read-only.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        msg = f"{path}: can't be written: {error.strerror or error}"
        raise UserError(msg) from None


def _unusable(folder: Path) -> str | None:
    """Make a folder, try to write there, and return why that can't be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A whole block: a full disk still takes empty files.
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(4096))
            probe.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None
