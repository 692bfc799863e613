"""How a run ended, before its results are judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ProblemKind = Literal["input", "infrastructure", "timeout", "memory", "interrupted"]
"""Whose affair it is: the caller's, the place's, the tests' own length or size, or whoever stopped the run."""


@dataclass(frozen=True)
class Problem:
    """What ended a run beside its tests' own verdict."""

    kind: ProblemKind
    text: str
    """The first cause, whole: its first line is what is shown first."""
    step: str | None = None
    """The step that it happened in."""
    signal: int | None = None
    """The signal that interrupted the run."""
    lasts: bool = False
    """Whether another attempt would break on it too."""


def out_of_time(limit: float | None) -> Problem:
    """Return that the tests were stopped, for they took longer than `limit` seconds."""
    text = f"the tests took longer than {limit} s and were stopped; raise timeouts.job, or name fewer tests"
    return Problem("timeout", text)


@dataclass(frozen=True)
class End:
    """How a run ended."""

    exit_code: int | None = None
    """The test process's own, as a shell gives it (128 and the signal's number); None: it never ended."""
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    """What the reader of the results should know: where the tests ran, and what was left out."""
    kept: tuple[str, ...] = ()
    """How to enter and to delete what was left for a look, a line each; none: nothing was left."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What the tests had around them, and in which version."""
    earlier: tuple[str, ...] = ()
    """What became of attempts before this one, a line each."""
    used: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """What the run's `pods` and the `nodes` took, in the form of `performance.json`; none: the place doesn't tell."""
