"""The folder that a run leaves its results in: taken when the run starts, readable by others when it has ended.

What goes into it goes through the run's redactor. What tests wrote is copied into it, so that no link, socket or the
like is in it, and no file of theirs stands in the place of one of ours.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from floe_ci.errors import UserError
from floe_ci.files import cautiously, content_of
from floe_ci.locks import lock_folder
from floe_ci.redaction import Redactor, looks_compressed
from floe_ci.shards import DURATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO, TextIO

_RESERVED: Final = ".reserve"
RUN: Final = "run.json"
"""Says whose run the folder holds, and whether it goes on."""
MARKS: Final = ("exit-code", "timings.json")
"""What the results of a run hold that has ended, and hardly another folder."""
LOGS: Final = "logs"
HISTORY: Final = "history.jsonl"
"""What earlier runs into the folder came to."""
_FORMER: Final = ".former"
_OF_AN_ATTEMPT: Final = ("summary.md", "events.txt", "timings.json", "pods")
"""What tells of an attempt that broke, beside its logs."""
LARGEST_HISTORY: Final = 1 << 20
LASTING: Final = (HISTORY, DURATIONS)
"""The files that a new run leaves."""
EXPECTED: Final = ("junit.xml", "coverage.xml")
"""The files that pytest leaves for us."""
OURS: Final = frozenset({RUN, *MARKS, "summary.md", "report.html", "events.txt", *LASTING, _RESERVED})
ASIDE: Final = ".of-the-tests"
"""Is added to the name of what tests wrote where something of ours belongs."""

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_LARGEST: Final = 4 << 30
_SPARED: Final = 64 << 20
"""Bytes that files of tests leave free on the disk."""
_RESERVE: Final = 256 << 10
"""Bytes that are set aside for the verdict, should the disk be full when the run ends."""
_DEEPEST: Final = 64
_LONGEST_NAME: Final = 200
_MOST_NOTES: Final = 20
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f\udc80-\udcff\\\\]")
"""In a name: what isn't UTF-8, ends a line, or that other systems take for a separator."""


class RunFolder:
    """A results folder, held by one run."""

    def __init__(self, path: Path, run: dict[str, Any], lock: int | None = None) -> None:
        """Use `take`: it is what makes a folder ready."""
        self.path = path
        self.named = path
        """As the caller named it."""
        self.redactor = Redactor()
        self._run, self._lock = run, lock
        self._logs: list[LogFile] = []
        self.gathered: set[str] = set()
        """What was copied from the tests, relative to the folder."""

    @classmethod
    def take(cls, target: Path, *, run_id: str, tier: str, place: str, attempts: int = 0) -> RunFolder:
        """Take a folder for a run's results, and remove those of an earlier run.

        Args:
            target: The folder.
            run_id: The run's.
            tier: The run's.
            place: Where it runs.
            attempts: How many there were before this one at the same; the last one's results are what is there, and
                what tells why it broke stays below `logs/`.

        Raises:
            UserError: Something else is there, another run is using it, or it can't be written.
        """
        started = datetime.now(UTC).isoformat(timespec="seconds")
        run = {"run_id": run_id, "tier": tier, "state": "running", "started_at": started, "place": place}
        try:
            path = _prepared(target)
            lock = _locked(path, target)
            folder = cls(path, {**run, "pid": os.getpid()}, lock)
            folder.named = target
            try:
                folder._begin(target, attempts)
            except BaseException:
                folder._unlock()
                raise
        except OSError as error:
            msg = f"--results {target}: it can't be written: {error.strerror or error}; name another folder"
            raise UserError(msg) from error
        return folder

    @classmethod
    def resume(cls, target: Path, *, run_id: str, tier: str, place: str) -> RunFolder:
        """Take on the folder of a run whose process has died, with what it had written until then.

        Raises:
            UserError: It never took the folder, or something else has it now, or it can't be written.
        """
        run = read_run(target) or {}
        if run.get("run_id") != run_id:
            return cls.take(target, run_id=run_id, tier=tier, place=place)
        try:
            folder = cls(target, run, _locked(target, target))
            (target / LOGS).mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            msg = f"--results {target}: it can't be written: {error.strerror or error}"
            raise UserError(msg) from error
        return folder

    def write(self, name: str, text: str) -> None:
        """Write a file whole or not at all, redacted.

        Args:
            name: Relative to the folder.
            text: What to write.

        Raises:
            OSError: It can't be written; what was there before stays.
        """
        self.write_parts(name, [text])

    def write_parts(self, name: str, parts: Iterable[str]) -> None:
        """Write a file whole or not at all, each part of it redacted; as `write` for what is large.

        Raises:
            OSError: It can't be written; what was there before stays.
        """
        with self._whole(self.path / name) as file:
            for part in parts:
                file.write(self.redactor.text(part).encode(errors="replace"))

    def has_gathered(self, name: str) -> bool:
        """Return whether a file is one that tests, or their pytest, wrote."""
        return name in self.gathered

    def log(self, name: str) -> LogFile:
        """Return a file below `logs/` that takes lines; one that is there is continued."""
        log = LogFile(self.path / LOGS / name.removeprefix(f"{LOGS}/"), self.redactor)
        self._logs.append(log)
        return log

    def gather(self, raw: Path, into: str = "", *, seconds: float | None = None) -> tuple[str, ...]:
        """Copy what tests wrote, redacted, and without all that is no plain file that can be read.

        Args:
            raw: Where they wrote.
            into: Relative to the folder.
            seconds: How long it may take; what is not copied then is left out.

        Returns:
            What was left out or renamed, a line each.
        """
        return _Gathering(self, raw, into, seconds).notes()

    def end(self, **found: object) -> None:
        """Note in `run.json` that the run has ended.

        Raises:
            OSError: It can't be written.
        """
        self._run |= {"state": "ended", **found}
        self.write(RUN, json.dumps(self._run, indent=2) + "\n")

    def spend_reserve(self) -> None:
        """Free the disk space that was set aside for the end."""
        with contextlib.suppress(OSError):
            (self.path / _RESERVED).unlink(missing_ok=True)

    def release(self) -> None:
        """Let others read the results, and take the folder for runs of their own."""
        self.spend_reserve()
        for log in self._logs:
            log.close()
        for folder, _, names in os.walk(self.path, topdown=False):
            for name in names:
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(folder, name), 0o644, follow_symlinks=False)  # noqa: PTH101, PTH118 - one by one, and many
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o755)  # noqa: PTH101, S103 - results are for all to read # nosec B103
        self._unlock()

    def incomplete_logs(self) -> tuple[str, ...]:
        """Return a note for each log that could not be written to its end."""
        return tuple(
            f"{log.path.relative_to(self.path)}: it is not complete: {log.problem}" for log in self._logs if log.problem
        )

    def _begin(self, target: Path, attempts: int = 0) -> None:
        with contextlib.suppress(PermissionError):  # a folder of somebody else's, that all may write to
            self.path.chmod(_PRIVATE_FOLDER)
        if attempts:
            self._put_aside(attempts, target)
        # First, so that a folder that is half emptied is known for a run's.
        self.write(RUN, json.dumps(self._run, indent=2) + "\n")
        for name in ("exit-code", "summary.md", *(path.name for path in self.path.iterdir())):
            is_kept = name in LASTING and _may_last(self.path / name, name)
            if name != RUN and not is_kept and not (attempts and name == LOGS):
                _remove(self.path / name, target)
        (self.path / LOGS).mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        self._set_aside()

    def _put_aside(self, attempts: int, target: Path) -> None:
        """Keep what the attempt before left that tells why it broke, and take it out of the history: it is no run."""
        former, logs = self.path / _FORMER, self.path / LOGS
        _remove(former, target)
        if logs.is_dir() and not logs.is_symlink():
            logs.rename(former)
        former.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        logs.mkdir(mode=_PRIVATE_FOLDER)
        for before in map(attempt_folder, range(1, attempts)):
            if (former / before).is_dir():
                (former / before).rename(logs / before)
        for name in _OF_AN_ATTEMPT:
            if (self.path / name).exists() and not (former / name).exists():
                (self.path / name).rename(former / name)
        former.rename(logs / attempt_folder(attempts))
        run_id = (read_run(self.path) or {}).get("run_id")
        told = content_of(self.path / HISTORY) if _may_last(self.path / HISTORY, HISTORY) else None
        lines = (told or b"").decode(errors="replace").splitlines(keepends=True)
        if run_id and lines and json.dumps(run_id) in lines[-1]:
            self.write(HISTORY, "".join(lines[:-1]))

    def _set_aside(self) -> None:
        with contextlib.suppress(OSError), self._whole(self.path / _RESERVED) as file:
            file.write(bytes(_RESERVE))

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def _whole(self, path: Path) -> Iterator[BinaryIO]:
        """Yield a file that takes the place of another once it is written."""
        path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}"[:_LONGEST_NAME] + ".draft")
        try:
            with open(draft, "wb", opener=_private) as file:
                yield file
            draft.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise


class LogFile:
    """A log that grows by whole, redacted lines; a disk that is full ends it, not whoever writes it."""

    def __init__(self, path: Path, redactor: Redactor) -> None:
        """Open it with the first line."""
        self.path = path
        self.problem: str | None = None
        """Why lines are missing, if any are."""
        self._redactor = redactor
        self._file: TextIO | None = None
        self._closed = False

    def line(self, text: str) -> None:
        """Append a line; whether it ends in a newline makes no difference."""
        try:
            if self._file is None:
                self._file = self._opened()
            self._file.write(self._redactor.text(text.rstrip("\r\n")) + "\n")
        except (OSError, ValueError) as error:  # the latter of a file that is closed
            self.problem = self.problem or getattr(error, "strerror", None) or str(error)

    def close(self) -> None:
        """Write what is left to be written."""
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self.problem = self.problem or error.strerror

    def _opened(self) -> TextIO:
        self.path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        return open(self.path, "a", buffering=1, encoding="utf-8", errors="replace", newline="\n", opener=_private)


@dataclass(frozen=True)
class _Found:
    """A file of the tests'."""

    source: str
    """Its path, relative to where they wrote."""
    target: str
    """Where it goes, relative to the results."""
    size: int


class _Gathering:
    """Copies what tests wrote; whatever they made of their folder, it ends and doesn't raise."""

    def __init__(self, folder: RunFolder, raw: Path, into: str, seconds: float | None) -> None:
        self._folder, self._raw, self._into = folder, raw, into
        self._until = None if seconds is None else time.monotonic() + seconds
        self._notes: list[str] = []

    def notes(self) -> tuple[str, ...]:
        """Copy, and return what there is to tell."""
        found = list(self._found())
        # What the verdict needs comes first, and what may take long last.
        for each in sorted(found, key=lambda each: (each.target not in EXPECTED, each.size)):
            try:
                self._copy(each)
            except OSError as error:
                self._leave_out(each.source, error.strerror or str(error))
        more = len(self._notes) - _MOST_NOTES
        return (*self._notes[:_MOST_NOTES], *([f"and {more} more of this kind"] if more > 0 else []))

    def _found(self) -> Iterator[_Found]:
        folders = [("", self._into, 0)]
        taken: set[str] = set()
        while folders:
            source, target, depth = folders.pop()
            try:
                names = sorted(path.name for path in (self._raw / source).iterdir())
            except OSError as error:
                if source or not isinstance(error, FileNotFoundError):
                    self._leave_out(source or ".", error.strerror or str(error))
                continue
            for name in names:
                path = f"{source}/{name}" if source else name
                try:
                    status = (self._raw / path).lstat()
                except OSError as error:
                    self._leave_out(path, error.strerror or str(error))
                    continue
                is_folder = stat.S_ISDIR(status.st_mode)
                if kind := _KINDS.get(stat.S_IFMT(status.st_mode)):
                    self._leave_out(path, kind)
                elif is_folder and depth >= _DEEPEST:
                    self._leave_out(path, f"it is more than {_DEEPEST} folders deep")
                elif not is_folder and status.st_size > _LARGEST:
                    self._leave_out(path, f"it is larger than {_LARGEST >> 30} GiB")
                else:
                    into = self._free(target, path, taken, is_folder=is_folder)
                    if is_folder:
                        folders.append((path, into, depth + 1))
                    else:
                        yield _Found(path, into, status.st_size)

    def _free(self, target: str, path: str, taken: set[str], *, is_folder: bool) -> str:
        """Return where something may go, under another name where its own is ours, or not fit to be one."""
        name = path.rpartition("/")[2]
        safe = _UNSAFE.sub(_as_percent, self._folder.redactor.name(name))[:_LONGEST_NAME]
        if not target and _is_ours(safe, is_folder=is_folder):
            safe += ASIDE
        into, number = (f"{target}/{safe}" if target else safe), 1
        base = into
        while (
            into in taken
            or (into not in EXPECTED and not is_folder and self._is_there(into))
            or (is_folder and self._is_file(into))
        ):
            number += 1
            into = f"{base}-{number}"
        taken.add(into)
        if into.rpartition("/")[2] != name:
            self._notes.append(f"{self._named(path)}: it is called {into} here")
        return into

    def _is_there(self, into: str) -> bool:
        return os.path.lexists(self._folder.path / into)

    def _is_file(self, into: str) -> bool:
        return self._is_there(into) and not (self._folder.path / into).is_dir()

    def _copy(self, found: _Found) -> None:
        if self._until is not None and time.monotonic() > self._until:
            self._leave_out(found.source, "there was no time left")
            return
        # Whatever has taken its place meanwhile, it is neither followed nor waited for.
        with open(self._raw / found.source, "rb", opener=cautiously) as source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                self._leave_out(found.source, "it is no file any more")
                return
            size = min(status.st_size, _LARGEST)
            if size > shutil.disk_usage(self._folder.path).free - _SPARED and size > _RESERVE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if looks_compressed(source.read(8)):
                self._notes.append(f"{self._named(found.target)}: it is compressed, and was not searched for passwords")
            source.seek(0)
            with self._folder._whole(self._folder.path / found.target) as target:  # noqa: SLF001 - its other half
                self._folder.redactor.copy(source, target, size)
            self._folder.gathered.add(found.target)
            if os.fstat(source.fileno()).st_size > size:
                self._notes.append(f"{self._named(found.source)}: it was still growing; its start is here")

    def _leave_out(self, path: str, why: str) -> None:
        self._notes.append(f"{self._named(path)}: left out: {why}")

    def _named(self, path: str) -> str:
        where = f"{self._into}/{path}" if self._into else path
        return _UNSAFE.sub(_as_percent, self._folder.redactor.text(where))[-_LONGEST_NAME:]


_KINDS: Final = {
    stat.S_IFLNK: "it is a link",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFBLK: "it is a device",
    stat.S_IFCHR: "it is a device",
}


def _is_ours(name: str, *, is_folder: bool) -> bool:
    if name in EXPECTED:
        return is_folder
    return name in OURS or (name == LOGS and not is_folder)


def _as_percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(match[0]))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _PRIVATE_FILE)


def _prepared(target: Path) -> Path:
    """Return the folder itself, which is there and holds nothing but an earlier run's results."""
    if target.is_symlink() and not target.exists():
        msg = f"--results {target}: it is a link to nothing; name a folder"
        raise UserError(msg)
    if target.exists() and not target.is_dir():
        msg = f"--results {target}: it is no folder; name another"
        raise UserError(msg)
    target.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    path = target.resolve()
    if not is_of_a_run(path) and [*path.iterdir()]:
        msg = f"--results {target}: it holds something else than the results of a run; name another folder"
        raise UserError(msg)
    return path


def attempt_folder(number: int) -> str:
    """Return what the folder below `logs/` is called that has what an attempt left which was followed by another."""
    return f"attempt-{number}"


def is_of_a_run(path: Path) -> bool:
    """Return whether a folder holds the results of a run, of one that goes on or was killed too."""
    return read_run(path) is not None or all(os.path.isfile(path / name) for name in MARKS)  # noqa: PTH113 - it takes any text


def read_run(path: Path) -> dict[str, Any] | None:
    """Return what `run.json` says, or None where there is none that a run wrote."""
    try:
        run = json.loads(content_of(path / RUN) or b"")
    except (ValueError, RecursionError):
        return None
    return run if isinstance(run, dict) and isinstance(run.get("run_id"), str) and "state" in run else None


def _locked(path: Path, target: Path) -> int | None:
    """Return a lock on a folder that ends with this process, however that ends; None where there are none."""
    try:
        return lock_folder(path)
    except BlockingIOError:
        run = read_run(path) or {}
        who = f"run {run['run_id']} (process {run.get('pid')}, since {run.get('started_at')})" if run else "another run"
        msg = f"--results {target}: {who} is using it; wait until it has ended, or name another folder"
        raise UserError(msg) from None


def _may_last(path: Path, name: str) -> bool:
    """Return whether a file can be one that outlives a run: no link to another, and no larger than we write it."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (name != HISTORY or status.st_size <= LARGEST_HISTORY)


def _remove(path: Path, target: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        msg = f"--results {target}: what an earlier run left can't be removed: {error}"
        raise UserError(msg) from error
