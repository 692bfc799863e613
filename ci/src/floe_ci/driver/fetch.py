"""Gets a run's results out of a pod while that lives: streamed, checked to be whole, and again if they are not."""

from __future__ import annotations

import shutil
import tarfile
import time
from typing import IO, TYPE_CHECKING, Final, cast

from floe_ci.driver.exec import CutError, Exec
from floe_ci.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from floe_ci.driver.apis import Apis

TRIES: Final = 3
END: Final = bytes(1024)
"""What a tar archive ends with: without it the stream was cut, even if nothing else says so."""
CHANGED: Final = 1
"""tar's exit code where a file changed while it was read: the archive is whole all the same."""


def fetch(  # noqa: PLR0913 - where from, where to, and how long
    apis: Apis, namespace: str, pod: str, container: str, source: str, target: Path, *, seconds: float, without: tuple[str, ...]
) -> tuple[str, ...]:
    """Copy the plain files of a pod's folder into a folder here; return what was left out, a line each.

    Raises:
        RunError: They could not be had in time; what there is of them stays.
    """
    deadline = time.monotonic() + seconds
    command = ("tar", "--create", "--directory", source, *(f"--exclude=./{name}" for name in without), ".")
    for attempt in range(1, TRIES + 1):
        tar = Exec(apis, namespace, pod, container, command)
        try:
            notes = unpack(tar.stdout(deadline=deadline), target)
            if tar.exit_code not in {0, CHANGED}:
                msg = f"the results could not be packed: {tar.errors}"
                raise RunError(msg)
        except (CutError, tarfile.TarError) as error:
            if attempt == TRIES or time.monotonic() >= deadline:
                msg = f"the results did not come whole, in {attempt} tries: {error}"
                raise RunError(msg) from error
            shutil.rmtree(target, ignore_errors=True)
        else:
            return notes
    return ()


def unpack(pieces: Iterator[bytes], target: Path) -> tuple[str, ...]:
    """Write the plain files of a streamed tar archive into a folder; return what was left out, a line each.

    Raises:
        CutError: The archive has no end.
        tarfile.TarError: It is none.
    """
    target.mkdir(parents=True, exist_ok=True)
    stream, notes = Pieces(pieces), list[str]()
    root = target.resolve()
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
        for member in archive:
            path = (root / member.name).resolve()
            if member.isdir():
                continue
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or not path.is_relative_to(root):
                notes.append(f"{member.name.removeprefix('./')}: no file, and left out")
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
            except OSError as error:
                notes.append(f"{member.name.removeprefix('./')}: left out: {error.strerror or error}")
    while stream.read(1 << 20):
        pass
    if stream.last != END:
        msg = "the archive has no end"
        raise CutError(msg)
    return tuple(notes)


class Pieces:
    """A stream of bytes to be read like a file, which remembers the last of them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Begin at the start."""
        self.last = b""
        self._pieces, self._rest = pieces, b""

    def read(self, size: int) -> bytes:
        """Return as many bytes, or fewer at the end."""
        parts, wanted = [self._rest], size - len(self._rest)
        while wanted > 0 and (piece := next(self._pieces, None)):
            self.last = (self.last + piece)[-len(END) :]
            parts.append(piece)
            wanted -= len(piece)
        data = b"".join(parts)
        data, self._rest = data[:size], data[size:]
        return data
