"""Shards: the parts that a tier's tests are split into, each run by a process of its own, in a cluster by a pod.

A run that is not split has one shard, which has every test.
"""

from __future__ import annotations

import hashlib
import json
import math
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Count = int | Literal["auto"]
Together = Literal["test", "class", "module", "xdist_group"]
"""What is never split."""
Schedule = Literal["static", "dynamic"]
"""Whether each shard has its tests from the start, or is handed them as it becomes free."""
SCHEDULES: Final[tuple[Schedule, ...]] = get_args(Schedule)
MOST: Final = 1000
FOLDER: Final = "shards"
"""In the results: a folder for each shard, with what its tests wrote."""
DURATIONS: Final = "durations.json"
"""In the results: seconds of each test by its id, of this run and of those before it."""
_NO_TESTS: Final = 5
"""pytest's exit code where it had nothing to run."""
_LARGEST: Final = 64 << 20


@dataclass(frozen=True)
class Shard:
    """One of the parts."""

    index: int = 0
    """From 0."""
    count: int = 1

    @property
    def is_all(self) -> bool:
        """Whether it has every test."""
        return self.count == 1

    @property
    def folder(self) -> str:
        """Where its files are in the results, relative to them; empty: it has the results to itself."""
        return "" if self.is_all else f"{FOLDER}/{self.index + 1}"

    @property
    def suffix(self) -> str:
        """What is added to the run's id: what its tests make has other names than that of all other shards."""
        return "" if self.is_all else f"-{self.index + 1}"

    @property
    def log(self) -> str:
        """The name of its log."""
        return "runner.log" if self.is_all else f"shard-{self.index + 1}/runner.log"

    def file(self, name: str) -> str:
        """Return where a file of its is in the results."""
        return name if self.is_all else f"{self.folder}/{name}"

    def part(self, *, together: Together, durations: str, folder: str, handed: str = "") -> str:
        """Return the text of the file by which its process knows its part: `reporter/floe_ci_shard.py` reads it.

        Args:
            together: What stays in one shard.
            durations: The file of durations, as the process finds it.
            folder: Where it leaves its results.
            handed: The file by which tests are handed out to it; empty: it has its tests from the start.
        """
        more = {"together": together, "durations": durations, "folder": folder, "handed": handed}
        return json.dumps(asdict(self) | more)

    def __str__(self) -> str:
        """Return what a reader knows it by."""
        return f"shard {self.index + 1} of {self.count}"


def all_of(count: int) -> tuple[Shard, ...]:
    """Return that many shards."""
    return tuple(Shard(index, count) for index in range(count))


def run_tags(run_id: str, shards: int) -> tuple[str, ...]:
    """Return what stands for a run, and for each of its shards, in the labels of what their tests make.

    An id that is no short word is hashed there, as floe-testing does it.
    """
    ids = [f"{run_id}{shard.suffix}" for shard in all_of(shards) if not shard.is_all]
    return (run_id, *(hashlib.sha256(each.encode()).hexdigest()[:12] for each in ids))


def parse(text: str) -> Count:
    """Return a count as a caller writes it.

    Raises:
        ValueError: It is none; the message says what is one.
    """
    if text == "auto":
        return "auto"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        msg = f"{text!r}: must be a number from 1 to {MOST}, or 'auto'"
        raise ValueError(msg)
    return int(text)


def known_durations(path: Path) -> dict[str, float]:
    """Return the seconds of tests by their ids; nothing where there is no such file.

    The format is that of pytest-split's `.test_durations`, too.

    Raises:
        UserError: The file is of another kind.
    """
    try:
        status = path.stat()
        if status.st_size > _LARGEST:
            msg = f"{path}: is larger than {_LARGEST >> 20} MiB"
            raise UserError(msg)
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path}: is no file: name a copy of a run's {DURATIONS}"
            raise UserError(msg)
        return parse_durations(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(str(path), error) from None


def parse_durations(text: str, path: str) -> dict[str, float]:
    """Return the seconds of tests by their ids, by the text of a file that the caller knows as `path`.

    Raises:
        UserError: The file is of another kind.
    """
    try:
        return durations_of(text)
    except ValueError as error:
        raise _unreadable(path, error) from None


def durations_of(text: str) -> dict[str, float]:
    """Return the seconds of tests by their ids, by the text of a file of them.

    Raises:
        ValueError: It is something else.
    """
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(*error.args) from None
    if not isinstance(found, dict) or not all(map(_is_duration, found.values())):
        msg = "it is no JSON object of seconds by the ids of tests"
        raise ValueError(msg)
    return {test: float(seconds) for test, seconds in found.items()}


def durations_text(before: Mapping[str, float], now: Mapping[str, float], *, whole: bool) -> str:
    """Return the text of a file of durations, in one order everywhere.

    Args:
        before: Those of earlier runs.
        now: Those of the run.
        whole: Whether that ran all there is: what it did not run is gone.
    """
    found = dict(now) if whole else {**before, **now}
    return json.dumps({test: round(found[test], 3) for test in sorted(found)}, indent=0) + "\n"


def balance(seconds: Sequence[float]) -> float:
    """Return how long the slowest shard took, as a multiple of their mean; 1 is balanced."""
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return max(seconds) / mean if mean else 1.0


def parse_schedule(text: str) -> Schedule:
    """Return a schedule as a caller writes it.

    Raises:
        ValueError: It is none; the message says what is one.
    """
    found = next((each for each in SCHEDULES if each == text), None)
    if found is None:
        msg = f"{text!r}: must be {' or '.join(map(repr, SCHEDULES))}"
        raise ValueError(msg)
    return found


def told_of(count: int, known: Mapping[str, float], schedule: Schedule = "static") -> str:
    """Return what the reader should know of how the tests are split."""
    if schedule == "dynamic":
        first = f"the longest first, by the durations of {len(known)} tests" if known else "in the order of their names"
        return f"{count} shards, which are handed tests as they become free, {first}"
    by = f"the durations of {len(known)} tests" if known else "number: no durations of earlier runs are known"
    return f"{count} shards, balanced by {by}"


def joint_code(codes: Sequence[int]) -> int:
    """Return the exit code of several processes: the first that failed, or else that tests ran, where any did."""
    failed = next((code for code in codes if code not in {0, _NO_TESTS}), None)
    return failed if failed is not None else min(codes)


def too_little(said: str) -> str:
    """Return why what all shards covered is not enough, by the last line of `floe_ci_coverage.py`; or nothing."""
    found = json.loads(said)
    if round(found["percent"], 2) >= found["limit"]:
        return ""
    return f"coverage of all shards is {found['percent']:.2f} %, and {found['limit']:g} % are required"


def _unreadable(path: str, error: Exception) -> UserError:
    msg = f"{path}: durations of tests can't be read: {error}; remove the file, or copy `{DURATIONS}` of a run there"
    return UserError(msg)


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
