"""What a condition is, and what becomes of several."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from floe_testing import FloeTestingError, PollingConfig, Unmet, wait_for_condition
from floe_testing.conditions import Condition
from floe_testing.waiting.polling import HopelessError

if TYPE_CHECKING:
    from collections.abc import Callable


def met(value: object = "yes", description: str = "it is so") -> Condition[object]:
    """Return a condition that is met."""
    return Condition(description, lambda _: value)


def unmet(state: str = "no", description: str = "it is not so") -> Condition[object]:
    """Return a condition that is not."""
    return Condition(description, lambda _: Unmet(state))


def hopeless(reason: str = "never") -> Condition[object]:
    """Return a condition that can't be any more."""

    def look(_: float) -> object:
        raise HopelessError(reason)

    return Condition("it may have been so", look)


def seen(condition: Callable[[], object]) -> str:
    """Return the state that an unmet condition tells."""
    state = condition()
    assert isinstance(state, Unmet)
    return state.state


def test_condition_is_frozen() -> None:
    """A condition can be shared, since nobody can change it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        met().description = "another"  # type: ignore[misc]


def test_met_condition_gives_what_it_saw() -> None:
    """Calling a condition that is met gives the value that makes it so."""
    assert met("value")() == "value"


@pytest.mark.parametrize("nothing", [False, None, 0, "", ()])
def test_nothing_is_not_met(nothing: object) -> None:
    """A look that returns nothing true is not met, and its state is what it returned."""
    assert seen(met(nothing)) == repr(nothing)


def test_not_yet() -> None:
    """An exception that the condition calls "not yet" becomes its state; any other is raised."""

    def refuse(_: float) -> str:
        message = "nobody listens"
        raise ConnectionRefusedError(message)

    assert seen(Condition("open", refuse, not_yet=(OSError,))) == "ConnectionRefusedError: nobody listens"
    with pytest.raises(ConnectionRefusedError):
        Condition("open", refuse, not_yet=(ValueError,))()


def test_hopeless_is_raised_whatever_means_not_yet() -> None:
    """That a condition is hopeless is never taken for "not yet"."""
    with pytest.raises(HopelessError, match="never"):
        dataclasses.replace(hopeless(), not_yet=(FloeTestingError,))()


def test_and_gives_both() -> None:
    """Both are met when each is, and give both values."""
    assert (met(1) & met(2))() == (1, 2)


def test_and_tells_of_each_that_is_not_met() -> None:
    """The state of two conditions names each that is not met, with what it saw, and none that is."""
    assert seen(met() & unmet("no pod", "pods are ready")) == "pods are ready: no pod"
    assert seen(unmet("shut", "door") & unmet("dark", "light")) == "door: shut; light: dark"


def test_and_is_hopeless_with_one() -> None:
    """Both can't be met any more when one can't."""
    with pytest.raises(HopelessError, match="never"):
        (unmet() & hopeless())()


def test_or_gives_the_first() -> None:
    """One of the two is enough, and it gives its value; the second is looked at only where the first is not met."""
    looked: list[int] = []
    second = Condition("second", lambda _: looked.append(1) or 2)
    assert (met(1) | second)() == 1
    assert not looked
    assert (unmet() | second)() == 2


def test_or_tells_of_both() -> None:
    """Where neither is met, the state names both; one that is hopeless leaves hope for the other."""
    assert seen(unmet("shut", "door") | unmet("closed", "window")) == "door: shut; window: closed"
    assert seen(hopeless("burnt") | unmet("closed", "window")) == "it may have been so: burnt; window: closed"
    assert seen(unmet("closed", "window") | hopeless("burnt")) == "window: closed; it may have been so: burnt"


def test_or_is_hopeless_with_both() -> None:
    """One of the two can't be met any more only when neither can; the message has both reasons."""
    with pytest.raises(HopelessError, match="burnt; bricked up"):
        (hopeless("burnt") | hopeless("bricked up"))()


def test_not() -> None:
    """The opposite is met when a condition is not, or can't be any more, and tells what is still there."""
    assert (~unmet())() is True
    assert (~hopeless())() is True
    assert seen(~met("a pod")) == "it still is so: 'a pod'"


def test_descriptions_are_joined() -> None:
    """What conditions are called together says how they are combined."""
    door, window = met(description="the door is open"), met(description="the window is")
    assert (door & window).description == "the door is open, and the window is"
    assert (door | ~window).description == "the door is open, or not: the window is"


def test_advice_is_joined() -> None:
    """The advice of conditions is given together, each once."""
    push, pull = dataclasses.replace(unmet(), advice="Push."), dataclasses.replace(unmet(), advice="Pull.")
    assert (push & pull).advice == (push | pull).advice == "Push. Pull."
    assert (push & push).advice == "Push."


@pytest.mark.requirement("REQ-646")
def test_look_gets_the_tables_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look may take as long as the table says, or the condition, where no wait is around it."""
    monkeypatch.delenv("FLOE_TIMEOUT_PROBE", raising=False)
    told: list[float] = []
    condition = Condition("told", lambda seconds: told.append(seconds) or 1)
    condition()
    monkeypatch.setenv("FLOE_TIMEOUT_PROBE", "7")
    condition()
    dataclasses.replace(condition, probe=0.25)()
    assert told == [30, 7, 0.25]


def test_look_ends_with_the_wait() -> None:
    """One look may not take longer than the wait around it has left, but a second at the least."""
    told: list[float] = []
    condition = Condition("told", lambda seconds: told.append(seconds) or len(told) == 3)
    wait_for_condition(condition, PollingConfig(timeout=1.5, interval=0.4))
    assert 1.4 < told[0] <= 1.5
    assert 1.0 <= told[1] < 1.15
    assert told[2] == 1.0
