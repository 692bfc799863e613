"""Writing what a command was asked to write."""

from pathlib import Path

from floe_testing.errors import FloeTestingError


class UnwritableError(FloeTestingError):
    """A file that a command should write can't be written."""


def write_text(file: Path, text: str) -> None:
    """Write a file as UTF-8, and the folders above it that are not there.

    Raises:
        UnwritableError: Names the file and the reason.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{file}: can't be written: {reason}"
        raise UnwritableError(message) from None
