"""Services that outlive the command that brought them up, for one repository at a time."""

from __future__ import annotations

import fcntl
import hashlib
from contextlib import contextmanager, suppress
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from floe_ci.errors import UserError
from floe_ci.local.files import cache, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Kept(BaseModel):
    """What a later run has to know of services that are there."""

    model_config = ConfigDict(frozen=True)

    worker: int
    """The process that keeps them running, and ends them when it is asked to."""
    services: tuple[str, ...]
    variables: dict[str, str]
    """How they are reached, passwords included."""
    passwords: tuple[str, ...]
    pids: Path
    logs: Path


def find(source: Path) -> Kept | None:
    """Return what is kept for a repository, or None."""
    if not claimed(source):
        return None
    with suppress(FileNotFoundError):
        return Kept.model_validate_json(_files(source)[0].read_text(encoding="utf-8"))
    return None  # they are starting, or ending


def claimed(source: Path) -> bool:
    """Tell whether a worker lives that has claimed a repository; the kernel ends a claim with its worker."""
    with _files(source)[1].open("a") as file:
        return not _lock(file.fileno())


@contextmanager
def claim(source: Path) -> Iterator[Callable[[Kept], None]]:
    """Claim a repository for as long as this lasts, and yield what makes the services known.

    Raises:
        UserError: Another worker has claimed it.
    """
    record, lock = _files(source)
    with lock.open("a") as file:
        if not _lock(file.fileno()):
            msg = f"services for {source} are up already; `floe-ci down --on local` ends them"
            raise UserError(msg)
        try:
            yield lambda kept: write_whole(record, kept.model_dump_json())
        finally:
            record.unlink(missing_ok=True)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _files(source: Path) -> tuple[Path, Path]:
    folder = cache() / "up"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]
    return folder / f"{name}.json", folder / f"{name}.lock"
