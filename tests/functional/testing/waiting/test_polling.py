"""How tests wait: the two waits keep the same rules."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import threading
import time
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from floe_testing import ConditionTimeoutError, FloeTestingError, PollingConfig, Unmet, wait_for_condition
from floe_testing.conditions import Condition
from floe_testing.services.reaching import wait_for_service, wait_for_service_async
from floe_testing.waiting.polling import (
    HopelessError,
    NotAwaitedError,
    interruptions,
    time_left,
    wait_for_condition_async,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.functional.testing.answering import Answers

SHORT = PollingConfig(timeout=1.0, interval=0.1)


def wait_async(condition: Callable[[], Any], config: PollingConfig | None = None, **options: Any) -> Any:  # noqa: ANN401 - as the wait's own
    """Wait in an event loop of its own, with a condition that is asynchronous."""

    async def asynchronous() -> Any:  # noqa: ANN401 - as above
        return condition()

    return asyncio.run(wait_for_condition_async(asynchronous, config, **options))


def wait_in_thread(condition: Callable[[], Any], config: PollingConfig | None = None, **options: Any) -> Any:  # noqa: ANN401 - as above
    """Wait in an event loop of its own, with a condition that is not asynchronous."""
    return asyncio.run(wait_for_condition_async(condition, config, **options))


@pytest.fixture(params=[wait_for_condition, wait_async, wait_in_thread])
def wait(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return each of the ways to wait."""
    way: Callable[..., Any] = request.param
    return way


@pytest.fixture
def interrupt() -> Iterator[list[Exception]]:
    """Yield a list: what a test puts into it interrupts every wait."""
    reasons: list[Exception] = []

    def check() -> None:
        for reason in reasons:
            raise reason

    interruptions.append(check)
    yield reasons
    interruptions.remove(check)


@pytest.mark.requirement("T008")
@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0.9},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"interval": 0.09},
        {"backoff": 0.5},
        {"tries": 3},
    ],
)
def test_config_refuses(wrong: dict[str, float]) -> None:
    """A wait lasts a second or more and is never without end, and an interval is a tenth of one or more."""
    with pytest.raises(ValidationError):
        PollingConfig.model_validate(wrong)


@pytest.mark.requirement("T008")
def test_config_defaults() -> None:
    """Unless told otherwise, a wait looks every half second for half a minute."""
    config = PollingConfig()
    assert (config.timeout, config.interval, config.backoff) == (30.0, 0.5, 1.0)


@pytest.mark.requirement("T009", "T011")
def test_wait_returns_what_met_the_condition(wait: Callable[..., Any]) -> None:
    """A wait looks until there is something true, and returns it."""
    seen = iter([None, Unmet("almost"), "there", "never looked at"])
    assert wait(lambda: next(seen), SHORT) == "there"
    assert next(seen) == "never looked at"


@pytest.mark.requirement("T009", "T011", "REQ-646", "REQ-646.6")
def test_timeout_tells_what_was_seen_last(wait: Callable[..., Any]) -> None:
    """A wait that fails tells what for, how long, how often it looked, and what it saw last."""
    looks = iter(range(1, 100))
    with pytest.raises(ConditionTimeoutError) as failure:
        wait(lambda: Unmet(f"state {next(looks)}"), SHORT.model_copy(update={"description": "the table is there"}))
    error = failure.value
    assert isinstance(error, TimeoutError)
    assert 1.0 <= error.elapsed < 5.0
    assert 3 <= error.attempts <= 11
    assert str(error) == (
        f"the table is there: not so after {error.elapsed:.1f} s (timeout 1 s, looked {error.attempts} times). "
        f"Last state seen: state {error.attempts}"
    )


@pytest.mark.requirement("T009", "T011")
def test_timeout_tells_the_error_seen_last(wait: Callable[..., Any]) -> None:
    """An exception that means "not yet" is waited out, and is told where it was the last thing seen."""

    def refuse() -> None:
        message = "nobody listens"
        raise ConnectionRefusedError(message)

    with pytest.raises(
        ConditionTimeoutError, match=r"Last state seen: ConnectionRefusedError: nobody listens$"
    ) as failure:
        wait(refuse, SHORT, retry_on=(OSError,))
    assert isinstance(failure.value.__cause__, ConnectionRefusedError)


@pytest.mark.requirement("T009", "T011")
def test_other_error_leaves_the_wait(wait: Callable[..., Any]) -> None:
    """An exception that nobody called "not yet" ends the wait with the first look."""
    looks = []

    def fail() -> None:
        looks.append(1)
        raise LookupError

    with pytest.raises(LookupError):
        wait(fail, SHORT, retry_on=(OSError,))
    assert len(looks) == 1


def test_hopeless_leaves_the_wait(wait: Callable[..., Any]) -> None:
    """What can't be met any more ends the wait at once, even one that retries on everything."""
    looks = []

    def fail() -> None:
        looks.append(1)
        message = "the job failed"
        raise HopelessError(message)

    with pytest.raises(HopelessError, match="the job failed"):
        wait(fail, SHORT, retry_on=(Exception,))
    assert len(looks) == 1


def test_last_look_is_at_the_timeout() -> None:
    """However long the interval, a wait looks once more when its time is over, and not after."""
    looks: list[float] = []
    begin = time.monotonic()
    with pytest.raises(ConditionTimeoutError):
        wait_for_condition(lambda: looks.append(time.monotonic() - begin), PollingConfig(timeout=2.0, interval=1.2))
    assert len(looks) == 3
    assert 1.2 <= looks[1] < 2.0 <= looks[2] < 5.0


def test_backoff_makes_intervals_longer() -> None:
    """Each interval is the one before, multiplied, and the last ends with the timeout."""
    looks: list[float] = []
    config = PollingConfig(timeout=2.0, interval=0.2, backoff=3.0)
    with pytest.raises(ConditionTimeoutError):
        wait_for_condition(lambda: looks.append(time.monotonic()), config)
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    # A busy machine makes them longer, and then it is the last that is shorter.
    assert len(gaps) == 3
    assert gaps[0] >= 0.2
    assert gaps[1] >= 0.6
    assert 1.9 <= sum(gaps) < 5.0


def test_condition_describes_itself() -> None:
    """A message has the condition's own name, unless the wait gives it another, and its advice."""
    condition = Condition("the door is open", lambda _: Unmet("shut"), advice="Push.")
    with pytest.raises(ConditionTimeoutError, match=r"^the door is open: not so .* Last state seen: shut\. Push\.$"):
        wait_for_condition(condition, SHORT)
    with pytest.raises(ConditionTimeoutError, match=r"^we may enter: not so "):
        wait_for_condition(condition, SHORT.model_copy(update={"description": "we may enter"}))


def test_coroutine_is_no_condition_of_the_synchronous_wait() -> None:
    """An asynchronous condition, whose coroutine is always true, is refused where nobody awaits it."""

    async def never() -> bool:
        return False

    with pytest.raises(NotAwaitedError, match="never is asynchronous: wait for it with wait_for_condition_async"):
        wait_for_condition(never, SHORT)


@pytest.mark.parametrize(
    "in_thread",
    [
        lambda look: Condition("it is released", lambda _: look()),
        lambda look: lambda: asyncio.to_thread(look),
    ],
    ids=["condition", "to_thread"],
)
def test_other_tasks_go_on(in_thread: Callable[[Callable[[], bool]], Callable[[], Any]]) -> None:
    """While one task waits for a condition that blocks, the others run: one of them ends the first look."""
    released = threading.Event()
    looks: list[bool] = []

    def look() -> bool:
        looks.append(released.wait(5))
        return looks[-1]

    async def main() -> None:
        waiting = asyncio.create_task(wait_for_condition_async(in_thread(look), PollingConfig(timeout=30)))
        await asyncio.wait({waiting}, timeout=0.05)
        released.set()
        await waiting

    asyncio.run(main())
    assert looks == [True]


async def answer(value: object = "answered") -> object:
    """Return a value, after other tasks had their turn."""
    await asyncio.to_thread(lambda: None)
    return value


@pytest.mark.parametrize(
    "condition",
    [
        lambda: asyncio.gather(answer(), answer()),
        lambda: asyncio.create_task(answer()),  # type: ignore[arg-type] # a coroutine
        lambda: asyncio.get_running_loop().create_task(answer()),  # type: ignore[arg-type] # as above
        lambda: asyncio.wait_for(answer(), 5),
        functools.partial(answer, "there"),
        lambda: asyncio.to_thread(lambda: True),
        lambda: bool(asyncio.current_task()),
    ],
)
def test_condition_is_called_in_the_loop(condition: Callable[[], Any]) -> None:
    """A condition finds the event loop and the task that wait for it."""

    async def main() -> object:
        return await wait_for_condition_async(condition, SHORT)

    assert asyncio.run(main())


def test_condition_of_this_thread() -> None:
    """A condition can use what belongs to the thread of the event loop, as a connection of sqlite3 does."""

    async def main() -> object:
        with closing(sqlite3.connect(":memory:")) as connection:
            return await wait_for_condition_async(lambda: connection.execute("SELECT 7").fetchone(), SHORT)

    assert asyncio.run(main()) == (7,)


async def hang(*_: object) -> None:
    """Never return."""
    await asyncio.Event().wait()


def test_hanging_condition_is_ended() -> None:
    """A look that never ends is cancelled when the time is over, and the message says so and what was seen before."""
    looks = iter([Unmet("almost")])
    cancelled: list[bool] = []

    async def condition() -> object:
        for seen in looks:
            return seen
        try:
            await hang()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return True

    told = r"the look had not ended after [01]\.\d s; before that: almost$"
    with pytest.raises(ConditionTimeoutError, match=told) as failure:
        asyncio.run(wait_for_condition_async(condition, SHORT))
    assert cancelled == [True]
    assert failure.value.elapsed < 5


def test_timeout_of_the_conditions_own() -> None:
    """A condition's own `TimeoutError` is not taken for the wait's."""

    async def condition() -> None:
        async with asyncio.timeout(0.01):
            await hang()

    with pytest.raises(TimeoutError) as failure:
        asyncio.run(wait_for_condition_async(condition, SHORT))
    assert not isinstance(failure.value, ConditionTimeoutError)


def test_cancelled_wait() -> None:
    """A wait that is cancelled ends, and cancels the look that goes on."""

    async def main() -> bool:
        waiting = asyncio.create_task(wait_for_condition_async(hang, PollingConfig(timeout=60)))
        await asyncio.wait({waiting}, timeout=0.05)
        waiting.cancel()
        await asyncio.wait({waiting}, timeout=5)
        return waiting.cancelled()

    assert asyncio.run(main())


LONG = PollingConfig(timeout=20.0, interval=0.1, description="inner")


def never_met(*_: object) -> Unmet:
    """Return what an inner wait sees."""
    return Unmet("not yet")


@pytest.mark.parametrize(
    "outer_and_inner",
    [
        lambda: wait_for_condition(lambda: wait_for_condition(never_met, LONG), SHORT),
        lambda: asyncio.run(wait_for_condition_async(lambda: wait_for_condition_async(never_met, LONG), SHORT)),
        lambda: asyncio.run(
            wait_for_condition_async(lambda: asyncio.to_thread(wait_for_condition, never_met, LONG), SHORT)
        ),
        lambda: wait_for_condition(lambda: asyncio.run(wait_for_condition_async(never_met, LONG)), SHORT),
        lambda: wait_for_condition(
            lambda: wait_for_condition(lambda: wait_for_condition(never_met, LONG), LONG), SHORT
        ),
        lambda: wait_for_condition(Condition("outer", lambda _: wait_for_condition(never_met, LONG)), SHORT),
    ],
    ids=["sync", "async", "thread", "loop", "thrice", "condition"],
)
def test_nested_wait_does_not_overrun(outer_and_inner: Callable[[], object]) -> None:
    """A wait within another one ends with it, and it is the outer one's message, with what the inner one saw."""
    with pytest.raises(ConditionTimeoutError, match=r"not yet|had not ended") as failure:
        outer_and_inner()
    assert failure.value.elapsed < 8
    assert failure.value.config.timeout == SHORT.timeout
    assert not failure.value.cut_short


def test_inner_wait_that_fails_by_itself(wait: Callable[..., Any]) -> None:
    """An inner wait whose own time is over leaves the outer one at once, as any error does."""
    inner = PollingConfig(timeout=1.0, interval=0.1, description="inner")
    looks: list[int] = []

    def look() -> object:
        looks.append(1)
        return wait_for_condition(never_met, inner)

    with pytest.raises(ConditionTimeoutError, match=r"^inner: not so after 1") as failure:
        wait(look, PollingConfig(timeout=60))
    assert not failure.value.cut_short
    assert len(looks) == 1


def test_wait_while_the_clock_is_frozen() -> None:
    """A wait ends in real time, however the test has frozen its own."""
    freezegun = pytest.importorskip("freezegun")
    with freezegun.freeze_time("2024-01-01"), pytest.raises(ConditionTimeoutError) as failure:
        wait_for_condition(never_met, SHORT)
    assert 1.0 <= failure.value.elapsed < 10


def test_interruption_leaves_the_wait(wait: Callable[..., Any], interrupt: list[Exception]) -> None:
    """What an interruption raises ends a wait in its first pause, however long that would be."""
    interrupt.append(FloeTestingError("the pod is gone"))
    looks: list[int] = []
    with pytest.raises(FloeTestingError, match="the pod is gone"):
        wait(lambda: looks.append(1), PollingConfig(timeout=60.0, interval=60.0))
    assert len(looks) == 1


def test_interruption_reaches_into_a_long_pause(wait: Callable[..., Any], interrupt: list[Exception]) -> None:
    """An interruption is asked during a pause too: it leaves the wait before the next look."""
    asked: list[int] = []

    def later() -> None:
        asked.append(1)
        if len(asked) == 3:
            interrupt.append(FloeTestingError("it broke meanwhile"))

    interruptions.insert(0, later)
    looks: list[int] = []
    try:
        with pytest.raises(FloeTestingError, match="it broke meanwhile"):
            wait(lambda: looks.append(1), PollingConfig(timeout=3.0, interval=3.0))
    finally:
        interruptions.remove(later)
    assert len(looks) == 1


def test_what_is_there_is_not_interrupted(wait: Callable[..., Any], interrupt: list[Exception]) -> None:
    """A condition that is met by the first look is met, whatever went wrong elsewhere."""
    interrupt.append(FloeTestingError("the pod is gone"))
    assert wait(lambda: "there", SHORT) == "there"


def test_look_knows_the_time_left(wait: Callable[..., Any]) -> None:
    """A look can ask how long the wait around it goes on, and outside of one has all the time."""
    left: list[float] = []
    wait(lambda: left.append(time_left()) or len(left) == 2, SHORT)
    assert 0 < left[0] <= 1.0
    assert left[1] < left[0] - 0.09
    assert time_left() == float("inf")


@pytest.mark.requirement("T010", "T011")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_service_is_waited_for(
    server: Answers,
    monkeypatch: pytest.MonkeyPatch,
    asynchronous: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A service is waited for where the environment says that it is."""
    monkeypatch.setenv("FLOE_SHOP_HOST", "127.0.0.1")
    monkeypatch.setenv("FLOE_SHOP_PORT", str(server.port))
    if asynchronous:
        asyncio.run(wait_for_service_async("shop", 80, config=SHORT))
    else:
        wait_for_service("shop", 80, config=SHORT)
    wait_for_condition(lambda: server.connections == 1, SHORT)


@pytest.mark.requirement("T010", "T011")
def test_service_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for a service tells where it looked, and how to look closer."""
    monkeypatch.delenv("FLOE_NAMESPACE", raising=False)
    with pytest.raises(ConditionTimeoutError) as failure:
        wait_for_service("nobody", 80, "shop", SHORT)
    assert str(failure.value).startswith("nobody:80 in namespace shop takes connections: not so after 1.")
    assert "FLOE_NOBODY_HOST is not set" in failure.value.last_state
    assert "kubectl --namespace shop get services,pods" in str(failure.value)


@pytest.mark.requirement("T010", "REQ-646")
def test_service_gets_the_tables_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless told otherwise, a service gets as long as the table says."""
    monkeypatch.setenv("FLOE_TIMEOUT_SERVICES", "1")
    monkeypatch.delenv("FLOE_NAMESPACE", raising=False)
    with pytest.raises(ConditionTimeoutError, match=r"\(timeout 1 s, "):
        wait_for_service("nobody", 80)


def test_report_shows_the_callers_line_only(wait: Callable[..., Any]) -> None:
    """A failed wait is raised from the line that waits, and nothing of how it waited is in the traceback."""
    with pytest.raises(ConditionTimeoutError) as failure:
        wait(lambda: False, SHORT)
    assert not [entry for entry in failure.traceback if "tenacity" in str(entry.path)]
