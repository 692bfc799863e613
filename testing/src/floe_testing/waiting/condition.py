"""What a condition is, and how conditions are combined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from floe_testing.waiting.polling import SHORTEST_LOOK, HopelessError, Unmet, time_left
from floe_testing.waiting.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


@dataclass(frozen=True)
class Condition(Generic[T_co]):
    """Something to wait for. Calling it looks once: what makes it met, or `Unmet` with the state seen.

    `a & b` is met when both are, and returns both; `a | b` returns the first that is; `~a` is met when `a` is not.
    """

    blocks: ClassVar[bool] = True
    """What waits in an event loop looks in a thread."""

    description: str
    """What is so when it is met, as a message would say it."""
    look: Callable[[float], T_co | Unmet] = field(repr=False)
    """Looks once, for no longer than the seconds it is given."""
    not_yet: tuple[type[Exception], ...] = ()
    """Exceptions of the look that mean "not yet". Any other leaves the wait."""
    probe: float | None = None
    """Seconds that one look may take; the table's `probe` unless given. The wait's end cuts it short."""
    advice: str = ""
    """What to do where it is not met, for the message of a timeout."""

    def __call__(self) -> T_co | Unmet:
        """Look once.

        Raises:
            HopelessError: It can't be met any more.
        """
        probe = Timeouts.from_environment().probe if self.probe is None else self.probe
        try:
            seen = self.look(min(probe, max(time_left(), SHORTEST_LOOK)))
        except HopelessError:
            raise
        except self.not_yet as error:
            return Unmet(f"{type(error).__name__}: {error}".strip())
        return seen if seen or isinstance(seen, Unmet) else Unmet(repr(seen))

    def __and__(self, other: Condition[U]) -> Condition[tuple[T_co, U]]:
        """Return the condition that both are met; its state tells of each that is not."""

        def look(_: float) -> tuple[T_co, U] | Unmet:
            mine, others = self(), other()
            if isinstance(mine, Unmet) or isinstance(others, Unmet):
                return _states({self.description: mine, other.description: others})
            return mine, others

        return Condition(
            f"{self.description}, and {other.description}", look, advice=_joined(self.advice, other.advice)
        )

    def __or__(self, other: Condition[U]) -> Condition[T_co | U]:
        """Return the condition that one of the two is met. It is hopeless when both are."""

        def look(_: float) -> T_co | U | Unmet:
            mine = _hoped(self)
            if not isinstance(mine, Unmet | HopelessError):
                return mine
            theirs = _hoped(other)
            if not isinstance(theirs, Unmet | HopelessError):
                return theirs
            if isinstance(mine, HopelessError) and isinstance(theirs, HopelessError):
                message = f"{mine}; {theirs}"
                raise HopelessError(message)
            return _states({self.description: mine, other.description: theirs})

        return Condition(f"{self.description}, or {other.description}", look, advice=_joined(self.advice, other.advice))

    def __invert__(self) -> Condition[bool]:
        """Return the condition that this one is not met; one that is hopeless is not."""

        def look(_: float) -> bool | Unmet:
            seen = _hoped(self)
            return isinstance(seen, Unmet | HopelessError) or Unmet(f"it still is so: {seen!r}")

        return Condition(f"not: {self.description}", look)


def _hoped(condition: Condition[T_co]) -> T_co | Unmet | HopelessError:
    try:
        return condition()
    except HopelessError as error:
        return error


def _states(seen: Mapping[str, object]) -> Unmet:
    unmet = {what: state for what, state in seen.items() if isinstance(state, Unmet | HopelessError)}
    return Unmet("; ".join(f"{what}: {state}" for what, state in unmet.items()))


def _joined(*advice: str) -> str:
    return " ".join(dict.fromkeys(filter(None, advice)))
