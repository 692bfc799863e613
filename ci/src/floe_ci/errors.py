"""Problems that the user can mend, told without a traceback."""

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar, Final, Self

from floe_ci.ends import Problem, ProblemKind

LONGEST_VALUE: Final = 60
"""How many characters of a wrong value are shown."""


class UserError(Exception):
    """A problem that the user can mend; its text says what was wrong, where, and what to do next."""

    kind: ClassVar[ProblemKind] = "input"
    SHOWN = 20
    """How many problems are told; of more there is the number."""

    @classmethod
    def of(cls, problems: Sequence[str], heading: str) -> Self:
        """Return one error for all `problems`: one line for a single one, else a list under `heading`."""
        if not problems:
            msg = "an error needs at least one problem"
            raise ValueError(msg)
        if len(problems) == 1:
            return cls(f"{heading}: {problems[0]}")
        more = [f"… and {len(problems) - cls.SHOWN} more"] if len(problems) > cls.SHOWN else []
        lines = [f"  {line}" for line in [*problems[: cls.SHOWN], *more]]
        return cls("\n".join([f"{heading}: {len(problems)} problems", *lines]))


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the question for the known name nearest to `word`, or else the list of them all."""
    names = sorted(known)
    nearest = get_close_matches(word.lower().replace("_", "-"), names, n=1) or get_close_matches(word, names, n=1)
    if nearest:
        return f"did you mean '{nearest[0]}'?"
    return f"known: {', '.join(names)}" if names else "none is known"


class NothingToRunError(UserError):
    """What was selected holds no test: no mistake by itself, and not green either."""


def shown(value: object) -> str:
    """Return a value about as TOML writes it, short enough for one line."""
    text = "".join(map(_visible, json.dumps(value, default=str, ensure_ascii=False)))
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _visible(char: str) -> str:
    """Return a character as it can be seen in one line: one that turns the direction of writing is no such."""
    return char if char.isprintable() else json.dumps(char)[1:-1]


class RunError(Exception):
    """A run that broke outside its tests; its text goes into the results."""

    kind: ClassVar[ProblemKind] = "infrastructure"
    lasts: bool = False
    """Whether another attempt would break on it too."""


class LastingError(RunError):
    """A run that broke on what another attempt would find as it was: a command, an image, a manifest, a right."""

    lasts = True


class BrokenError(RunError):
    """A run that broke, with what is known of how."""

    def __init__(self, problem: Problem) -> None:
        """Take the problem; its text is the error's."""
        super().__init__(problem.text)
        self.problem = problem


class CommandError(RunError):
    """A command that failed; the text is what it said, its last lines, or else how it ended."""

    SHOWN = 4000
    """How many characters of its output are shown."""

    def __init__(self, command: str, end: str, said: str) -> None:
        """Take a command line as it can be pasted, how it ended in words, and all that it said."""
        self.said = said
        last = said.strip()[-self.SHOWN :]
        super().__init__(f"`{command}` failed with {end}" + (f":\n{last}" if last else ", and said nothing"))


def first_of(error: BaseException) -> BaseException:
    """Return the first error of a group of them, and of those in it; any other as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
