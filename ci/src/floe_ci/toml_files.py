"""Files of TOML that somebody wrote: whatever is in one, the message says what to do with it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from floe_ci.errors import UserError
from floe_ci.files import content_of

if TYPE_CHECKING:
    from pathlib import Path

TABLE: Final = "floe-ci"
PYPROJECT: Final = "pyproject.toml"
OWN_FILE: Final = "floe-ci.toml"
"""Has the table in a repository without a `pyproject.toml`, in the same form."""
LARGEST_FILE: Final = 1 << 24
"""Bytes of a file that is searched, as lock files are."""
LARGEST_DOCUMENT: Final = 1 << 20
"""Bytes of a document of TOML, many times what anybody has written by hand: one of 10 MB takes minutes to parse."""
_ENCODINGS: Final = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\xef\xbb\xbf": "UTF-8 with a byte order mark, which TOML does not have",
}
_TOML_PLACE: Final = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)")


def read_text(path: Path, largest: int = LARGEST_FILE) -> str | None:
    """Return the text of a file that should be UTF-8, of so many bytes at most; None where there is no such file.

    Raises:
        UserError: It is something else than a file, can't be read, is too large, or is not UTF-8.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            msg = f"{path}: is a link to {path.readlink()}, which is not there"
            raise UserError(msg) from None
        return None
    except (OSError, ValueError) as error:
        msg = f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise UserError(msg) from None
    if not stat.S_ISREG(status.st_mode):
        msg = f"{path}: is {'a folder' if stat.S_ISDIR(status.st_mode) else 'something else'}, where a file should be"
        raise UserError(msg)
    if status.st_size > largest:
        remedy = ": move what is no setting to other files" if largest == LARGEST_DOCUMENT else ""
        msg = f"{path}: has {status.st_size} bytes, and may have {largest}{remedy}"
        raise UserError(msg)
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror or error}"
        raise UserError(msg) from None


def decode(content: bytes, where: str) -> str:
    """Return bytes as text.

    Raises:
        UserError: They are not UTF-8; the message says what they seem to be, or where they stop to be.
    """
    for mark, name in _ENCODINGS.items():
        if content.startswith(mark):
            msg = f"{where}: is {name}: save it as plain UTF-8"
            raise UserError(msg)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"{where}: line {line}: byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise UserError(msg) from None


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Return a TOML document.

    Raises:
        UserError: It is none; the message has the place.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        msg = f"{where}: not valid TOML: tables or lists are nested too deeply"
        raise UserError(msg) from None
    except ValueError as error:  # also a number that has too many digits
        raise UserError(_explain_toml(str(error), text, where)) from None


def configuration_file(folder: Path) -> Path:
    """Return the file that a repository's table is in: where there is no `pyproject.toml`, `floe-ci.toml`."""
    own = folder / OWN_FILE
    return own if own.is_file() and not os.path.lexists(folder / PYPROJECT) else folder / PYPROJECT


def only_configuration_file(folder: Path) -> Path:
    """Return the file that a repository's table is in, where no other could be taken for it.

    Raises:
        UserError: There are both.
    """
    found = configuration_file(folder)
    refuse_both(found.name, OWN_FILE if (folder / OWN_FILE).is_file() else "")
    return found


def refuse_both(*there: str) -> None:
    """Refuse a repository that has both files that a table may be in: only one of them would be read.

    Args:
        there: The names of those that it has.

    Raises:
        UserError: It has both.
    """
    if {PYPROJECT, OWN_FILE} <= {*there}:
        msg = f"{OWN_FILE}: is not read beside a {PYPROJECT}: move its tables there, or remove it"
        raise UserError(msg)


def document_of(path: Path) -> dict[str, Any]:
    """Return what a file says; nothing where it is no TOML, too large or not there: whoever it is for tells that."""
    with suppress(ValueError, RecursionError):
        content = content_of(path) or b""
        return tomllib.loads(content.decode()) if len(content) <= LARGEST_DOCUMENT else {}
    return {}


def table_in(document: object, *names: str) -> dict[str, Any]:
    """Return a table of a document, and nothing where something else stands there: whoever it is for tells that."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def texts(value: object) -> list[str]:
    """Return the texts of a list in a document, and none where something else stands there."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _explain_toml(error: str, text: str, where: str) -> str:
    found = _TOML_PLACE.fullmatch(error)
    if found is None:
        return f"{where}: not valid TOML: {error}"
    lines = text.splitlines() or [""]
    line = found["line"] or len(lines)
    column = found["column"] or len(lines[-1]) + 1
    return f"{where}: not valid TOML: line {line}, column {column}: {found['what']}"
