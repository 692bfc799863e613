"""Two runs beside each other: which tests came to something else, and which got slower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from floe_ci.ansi import plain
from floe_ci.junit import BAD, first_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from floe_ci.junit import Case

FACTOR: Final = 1.5
"""A test got slower that takes more than so many times as long,"""
SECONDS: Final = 0.5
"""and so many seconds longer; less is noise. As in floe-testing, unless a repository says otherwise there."""


@dataclass(frozen=True)
class Change:
    """A test that came to something else."""

    test: str
    before: str | None
    """None: it was not there."""
    after: str | None
    message: str = ""
    """Why it doesn't pass, where it doesn't any more."""

    @property
    def is_worse(self) -> bool:
        """Whether it fails, and did not."""
        return self.after in BAD and self.before not in BAD


@dataclass(frozen=True)
class Slower:
    """A test that passed both times and took longer; times are in seconds."""

    test: str
    before: float
    after: float


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs."""

    changes: tuple[Change, ...]
    """Those that fail now come first."""
    slower: tuple[Slower, ...]
    """The one that lost the most seconds comes first."""

    @classmethod
    def of(cls, before: Iterable[Case], after: Iterable[Case]) -> Self:
        """Compare the tests of two runs by class and name; of those with one name, each with its like in order."""
        old, new = _numbered(before), _numbered(after)
        # In the order of the newer run, and those that are gone where the older one ends.
        pairs = [(old.get(key), new.get(key)) for key in (*new, *(key for key in old if key not in new))]
        changes = [change for pair in pairs if (change := _change(*pair))]
        slower = [each for pair in pairs if (each := _slower(*pair))]
        return cls(
            tuple(sorted(changes, key=lambda change: not change.is_worse)),
            tuple(sorted(slower, key=lambda each: each.before - each.after)),
        )


def _numbered(cases: Iterable[Case]) -> dict[tuple[str, str, int], Case]:
    numbers: dict[tuple[str, str], int] = {}
    found = {}
    for case in cases:
        number = numbers[case.key] = numbers.get(case.key, 0) + 1
        found[*case.key, number] = case
    return found


def _outcome(case: Case | None) -> str | None:
    if case is None:
        return None
    return "flaky" if case.flaky else case.outcome


def _change(old: Case | None, new: Case | None) -> Change | None:
    before, after = _outcome(old), _outcome(new)
    there = new or old
    if before == after or there is None:
        return None
    message = first_line(plain(new.reason)) if new and after != "passed" else ""
    return Change(there.title, before, after, message)


def _slower(old: Case | None, new: Case | None) -> Slower | None:
    if old is None or new is None or {old.outcome, new.outcome} != {"passed"}:
        return None
    if new.seconds <= max(old.seconds * FACTOR, old.seconds + SECONDS):
        return None
    return Slower(new.title, old.seconds, new.seconds)
