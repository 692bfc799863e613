"""What of a repository is no source: caches, and what runs leave in the folder `results`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from floe_ci.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOT_SOURCE: Final = (
    ".git",
    ".venv",
    "**/__pycache__",
    "**/.mypy_cache",
    "**/.pytest_cache",
    "**/.ruff_cache",
)
"""What never is, as patterns of the engine's."""
RESULTS: Final = "results"
"""Where runs leave theirs, a folder for each tier; a repository may have one of this name for its own."""
_OF_A_RUN: Final = frozenset({"exit-code", "junit.xml", "run.json"})
"""Files in the folder of a run."""


def patterns_for(source: Path) -> list[str]:
    """Return what of a repository on this machine is no source, as patterns of the engine's."""
    return patterns(*_results(source))


def has_own_results(source: Path) -> bool:
    """Tell whether the folder `results` holds something that no run has left."""
    return RESULTS not in patterns_for(source) and (source / RESULTS).is_dir()


def patterns(inside: Iterable[str], runs: Iterable[str] = ()) -> list[str]:
    """Return what is no source, as patterns of the engine's.

    Args:
        inside: The names in the folder `results`.
        runs: Those of them that are known to be a run's, beside those of tiers.
    """
    names, left = set(inside), {*TIERS, *runs}
    own = {name for name in names - left if not name.startswith(".")}  # a run that goes on writes beside its place
    if not own or names & _OF_A_RUN:
        return [*NOT_SOURCE, RESULTS]
    return [*NOT_SOURCE, *(f"{RESULTS}/{name}" for name in sorted(names - own))]


def inside(source: Path, files: Iterable[Path | None]) -> list[str]:
    """Return which of some files lie in a repository, relative to it: what is given to a run, or made by it."""
    root = source.resolve()
    found = set[str]()
    for file in filter(None, files):
        # A link is a file of the repository's as much as what it leads to.
        for path in (file.parent.resolve() / file.name, file.resolve()):
            if path.is_relative_to(root):
                found.add(path.relative_to(root).as_posix())
    return sorted(found)


def literal(name: str) -> str:
    """Return a pattern of the engine's that is this path alone, whatever its characters mean to the engine."""
    return re.sub(r"([\\*?\[\]!#])", r"\\\1", name)


def _results(source: Path) -> tuple[list[str], list[str]]:
    """Return what is in the folder `results`, and which of that are runs'."""
    try:
        inside = list((source / RESULTS).iterdir())
    except OSError:  # there is none, or nobody may look
        return [], []
    return [each.name for each in inside], [
        each.name for each in inside if any((each / name).is_file() for name in _OF_A_RUN)
    ]
