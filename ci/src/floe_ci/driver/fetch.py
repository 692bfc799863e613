"""Files out of a pod: a tar archive, streamed to disk, checked for its end, and asked for again where it is cut."""

from __future__ import annotations

import errno
import shutil
import tarfile
import time
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Final, cast

from floe_ci.driver import poll
from floe_ci.driver.execute import Broken, Execution, NotBegun
from floe_ci.errors import RunError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from floe_ci.driver.execute import Container

TRIES: Final = 3
"""Transfers that may break off."""
PAUSE: Final = 2.0
"""Seconds before the next try; more after each that failed."""
END: Final = 1024
"""Zero bytes that every archive ends with, at least."""
COMPLAINED: Final = (0, 1, 2)
"""How tar ends where it left nothing out, where a file changed while it was read, and where one could not be read."""
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""What is wrong with the place to write to, and not with the file."""
MOST_TOLD: Final = 20
"""Files that are named in notes."""


def fetch(  # noqa: PLR0913 - from where to where, and for how long
    container: Container,
    source: str,
    target: Path,
    *,
    exclude: Sequence[str] = (),
    timeout: float = 600,
    stop: threading.Event | None = None,
) -> tuple[str, ...]:
    """Copy the plain files of a pod's folder into `target`, where each is whole or not there.

    Args:
        container: Has the folder, and tar.
        source: The folder.
        target: A folder that is there.
        exclude: Names in the folder that stay.
        timeout: Seconds for all tries together.
        stop: Ends it when it is set.

    Returns:
        What was left out, a line each.

    Raises:
        RunError: Not all of it came; the files that did are in `target`.
        Stopped: It was told to stop.
    """
    names = [f"--exclude=./{name}" for name in exclude]
    command = ("tar", "--create", "--directory", source, *names, ".")
    begun = time.monotonic()
    until = begun + timeout
    tries = 0
    while True:
        running = Execution(container)
        try:
            with running.open(command):
                notes = unpack(Stream(running.output(until=until, stop=stop)), target)
                return (*notes, *complaints(running))
        except (Broken, tarfile.TarError) as error:
            # An API that is away for a moment is no transfer that failed.
            is_away = isinstance(error, NotBegun) and time.monotonic() - begun < poll.PATIENCE
            tries += not is_away
            if tries == TRIES or time.monotonic() >= until:
                msg = f"the results of pod {container.pod} did not come whole: {error}, after {running.received} bytes"
                raise RunError(msg) from error
        poll.pause(PAUSE * max(1, tries), stop)


def complaints(running: Execution) -> list[str]:
    """Return what tar said of files that it could not read.

    Raises:
        Broken: It did not come to its end.
    """
    if running.exit_code not in COMPLAINED:
        msg = f"tar ended with exit code {running.exit_code}: {running.errors}"
        raise Broken(msg)
    return [line for line in running.errors.splitlines() if "Exiting with failure status" not in line][:MOST_TOLD]


def unpack(stream: Stream, folder: Path) -> list[str]:
    """Write the plain files of a tar archive into `folder`, and return what was left out, a line each.

    Raises:
        TarError: The archive is cut off, or is none.
        RunError: The folder takes no more.
    """
    left_out: list[str] = []
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", errorlevel=0) as archive:
        for member in archive:
            if not member.isdir() and (why := write(archive, member, folder)):
                left_out.append(f"left out {member.name}: {why}")
            archive.members.clear()  # type: ignore[attr-defined]  # it would remember every one of them
        is_whole = stream.is_empty_from(archive.offset)
    if not is_whole:
        msg = "the archive is cut off"
        raise tarfile.ReadError(msg)
    more = len(left_out) - MOST_TOLD
    return left_out[:MOST_TOLD] + ([f"left out {more} more files"] if more > 0 else [])


def write(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str | None:
    """Write one file, whole or not at all; return why it is left out.

    Raises:
        TarError: The archive ends within it.
        RunError: The folder takes no more.
    """
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\0" in member.name:
        return "its name leaves the folder"
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        return "a link" if member.issym() or member.islnk() else "not a file"
    try:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".floe-", delete=False) as part:
            try:
                shutil.copyfileobj(content, part)
                part.close()
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno in FULL:
            msg = f"the results can't be written to {folder}: {error.strerror}"
            raise RunError(msg) from error
        return f"it can't be written here: {error.strerror}"
    return None


class Stream:
    """The bytes of a running command, as a file that can only be read on."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Begin."""
        self._pieces = pieces
        self._buffer = bytearray()
        self._position = self._said = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; fewer at the end."""
        while len(self._buffer) < size and (piece := next(self._pieces, None)) is not None:
            self._buffer += piece
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        if any_said := found.rstrip(b"\0"):
            self._said = self._position + len(any_said)
        self._position += len(found)
        return found

    def is_empty_from(self, offset: int) -> bool:
        """Read on to the end, and tell whether from `offset` on there was nothing but the end of an archive."""
        while self.read(64 * 1024):
            pass
        return self._said <= offset <= self._position - END
