"""Services that outlive the command that brought them up, for one repository at a time.

A worker claims a repository with a lock that the kernel frees when the worker ends, however that happens. What the
lock's file and the record beside it say counts only as long as the lock is held.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation
from typing import TYPE_CHECKING, Final, Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from floe_ci import contract
from floe_ci.errors import UserError
from floe_ci.local.files import cache, write_whole
from floe_ci.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE: Final = 1.0
"""Seconds that a claim waits for a lock: whoever only looks holds it for an instant."""
INTERVAL: Final = 0.02
TIMEOUT: Final = 30.0
"""Seconds that kept services have to end."""


class Kept(BaseModel):
    """What a later run has to know of services that are there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[3] = contract.UP_FORMAT
    """Of this record: another version's may mean something else."""
    source: Path
    """The repository that they are for."""
    worker: int
    """The process that keeps them running, and ends them when it is asked to."""
    services: tuple[str, ...]
    shards: int = 1
    """How many of a run's processes they were made to serve."""
    variables: dict[str, str]
    """How they are reached, passwords included."""
    environment: dict[str, str]
    """What tests get that `floe-ci` does not start: these variables, and those of the tier's configuration."""
    passwords: tuple[str, ...]
    pids: Path
    logs: Path


def find(source: Path) -> Kept | None:
    """Return what is kept for a repository, or None.

    Raises:
        UserError: Services are kept, and what another version wrote of them can't be read.
    """
    if not claimed(source):
        return None
    record, _lock = _files(source)
    try:
        return Kept.model_validate_json(record.read_bytes())
    except FileNotFoundError:
        return None  # they are starting, or ending
    except (OSError, ValidationError):
        msg = (
            f"services are up for {source}, and what another version of floe-ci wrote of them in {record} "
            "can't be read: `floe-ci down --on local` ends them, then bring them up again"
        )
        raise UserError(msg) from None


def everyone() -> list[tuple[datetime, Kept]]:
    """Return what is kept for all repositories, as far as it can be read, and since when."""
    found = []
    for record in sorted(cache(*contract.UP_FOLDER[1:]).glob("*.json")):
        with suppress(OSError, ValidationError):
            since = datetime.fromtimestamp(record.stat().st_mtime, UTC)
            kept = Kept.model_validate_json(record.read_bytes())
            if claimed(kept.source):
                found.append((since, kept))
    return found


def claimed(source: Path) -> bool:
    """Tell whether a worker lives that has claimed a repository; what a killed one has left is removed."""
    record, lock = _files(source)
    with lock.open("a") as file:
        if not try_lock(file.fileno(), fcntl.LOCK_SH):
            return True
        record.unlink(missing_ok=True)  # nobody can claim it meanwhile
        return False


@contextmanager
def claim(source: Path) -> Iterator[Callable[[Kept], None]]:
    """Claim a repository for as long as this lasts, and yield what makes the services known.

    Raises:
        UserError: Another worker has claimed it.
    """
    record, lock = _files(source)
    with lock.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + PATIENCE
        while not try_lock(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                msg = f"services for {source} are up already; `floe-ci down --on local` ends them"
                raise UserError(msg)
            time.sleep(INTERVAL)
        record.unlink(missing_ok=True)
        file.truncate(0)
        file.write(f"{os.getpid()} {psutil.Process().create_time()}\n")
        file.flush()
        try:
            yield lambda kept: write_whole(record, kept.model_dump_json())
        finally:
            record.unlink(missing_ok=True)


def end(source: Path, *, timeout: float = TIMEOUT) -> bool:
    """End the services that are kept for a repository, whoever wrote their record; tell whether there were any.

    Raises:
        UserError: The worker that keeps them does not end, or can't be told from others.
    """
    if not claimed(source):
        return False
    _record, lock = _files(source)
    worker = _worker(lock) or _holder(lock)
    if worker is None:
        msg = f"a process keeps services for {source}, and which one is not known: end the one that has {lock} open"
        raise UserError(msg)
    with suppress(psutil.NoSuchProcess):
        worker.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while claimed(source):
        if time.monotonic() > deadline:
            msg = f"process {worker.pid}, which keeps the services, does not end; kill it"
            raise UserError(msg)
        time.sleep(INTERVAL)
    return True


def _worker(lock: Path) -> psutil.Process | None:
    """Return the process that wrote the lock's file, if it is still that one and not another with its number."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(ValueError, psutil.Error):
            number, began = lock.read_text(encoding="utf-8").split()
            found = psutil.Process(int(number))
            if abs(found.create_time() - float(began)) < 1:
                return found
        time.sleep(INTERVAL)  # it has just locked the file, and not written yet
    return None


def _holder(lock: Path) -> psutil.Process | None:
    """Return the one worker of this user that has the lock's file open for longer than a look takes."""
    path = os.path.realpath(lock)
    found = [process for process in psutil.process_iter() if _has_open(process, path)]
    time.sleep(10 * INTERVAL)
    lasting = [process for process in found if _has_open(process, path)]
    return lasting[0] if len(lasting) == 1 else None


def _has_open(process: psutil.Process, path: str) -> bool:
    try:
        return "floe_ci.local" in process.cmdline() and any(file.path == path for file in process.open_files())
    except psutil.Error:
        return False  # it has ended, or is someone else's


def _files(source: Path) -> tuple[Path, Path]:
    folder = cache(*contract.UP_FOLDER[1:])
    name = contract.up_name(str(source.resolve()))
    return folder / f"{name}.json", folder / f"{name}.lock"
