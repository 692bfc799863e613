"""How to wait. What to wait for is a condition: a function of no arguments, true when it is met.

`floe_testing.conditions` has conditions that are ready-made and can be combined. Nobody sleeps:

    wait_for_condition(job_complete(kube, "shop", "import") & http_ok("http://shop:8080/health"))
"""

import inspect
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict, Field
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception, retry_if_result

from floe_testing.errors import FloeTestingError
from floe_testing.unpatched import clock

T = TypeVar("T")

interruptions: Final[list[Callable[[], None]]] = []
"""Called in the pauses of every wait, each half second at the least. What one raises leaves the wait at once."""

SHORTEST_LOOK: Final = 1.0
"""Seconds. A look at the very end of a wait still gets an answer."""

_LONGEST_NAP = 0.5
_DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)


class PollingConfig(BaseModel):
    """How long to wait for a condition, and how often to look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: float = Field(default=30.0, ge=1.0, allow_inf_nan=False)
    """Seconds after which the wait fails."""
    interval: float = Field(default=0.5, ge=0.1, allow_inf_nan=False)
    """Seconds between the first two looks."""
    backoff: float = Field(default=1.0, ge=1.0, allow_inf_nan=False)
    """What each interval is multiplied with to give the next."""
    description: str = "condition"
    """What is waited for, as a message would call it; unless given, the condition's own description."""


class Unmet:
    """A condition's way to say what it saw instead; it is false."""

    def __init__(self, state: str) -> None:
        """Keep what was seen, in words."""
        self.state = state

    def __bool__(self) -> bool:
        """Be false."""
        return False

    def __repr__(self) -> str:
        """Return the state."""
        return self.state


class ConditionTimeoutError(FloeTestingError, TimeoutError):
    """A condition was not met in time."""

    def __init__(  # noqa: PLR0913 - all that a message tells
        self,
        config: PollingConfig,
        elapsed: float,
        attempts: int,
        last_state: str,
        advice: str = "",
        *,
        cut_short: bool = False,
    ) -> None:
        """Say how long, what for, what was seen last, and what to do next."""
        self.config = config
        self.elapsed = elapsed
        self.attempts = attempts
        self.last_state = last_state
        self.cut_short = cut_short
        """Whether a wait around this one ended first: that one goes by its own timeout."""
        times = "once" if attempts == 1 else f"{attempts} times"
        ended = ", cut short by the wait around it" if cut_short else ""
        super().__init__(
            f"{config.description}: not so after {elapsed:.1f} s "
            f"(timeout {config.timeout:g} s{ended}, looked {times}). Last state seen: {last_state}"
            f"{'. ' if advice else ''}{advice}"
        )


class HopelessError(FloeTestingError):
    """A condition can't be met any more: a wait for it ends at once, whatever it retries on."""


class NotAwaitedError(FloeTestingError):
    """An asynchronous condition was given to the synchronous wait, to which any coroutine looks true."""


def wait_for_condition(
    condition: Callable[[], T | Unmet],
    config: PollingConfig | None = None,
    *,
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """Call a condition until it is true, and return what it returned.

    A wait within the look of another one ends with that one at the latest.

    Args:
        condition: Returns something true when met. `Unmet("…")` says what it saw instead. It has to end by itself:
            `time_left()` tells it how soon.
        config: How long and how often; 30 s and every 0.5 s unless told otherwise.
        retry_on: Exceptions that mean "not yet". Any other leaves the wait at once.

    Raises:
        ConditionTimeoutError: It was not met in time. It is a `TimeoutError`.
        HopelessError: It can't be met any more.
        NotAwaitedError: The condition is asynchronous.
    """

    def look() -> T | Unmet:
        seen = condition()
        if inspect.isawaitable(seen):
            if inspect.iscoroutine(seen):
                seen.close()
            message = f"{_name(condition)} is asynchronous: wait for it with wait_for_condition_async"
            raise NotAwaitedError(message)
        return seen

    __tracebackhide__ = True
    config = _described(config, condition)
    with _wait(config) as wait:
        try:
            return cast("T", Retrying(sleep=_pause, **_rules(condition, wait, retry_on))(look))
        except FloeTestingError as error:
            # Its message says it all: a report needs the caller's line, and none of the retry library's.
            raise error.with_traceback(None) from error.__cause__


@overload
async def wait_for_condition_async(
    condition: Callable[[], Awaitable[T | Unmet]],
    config: PollingConfig | None = None,
    *,
    retry_on: tuple[type[Exception], ...] = (),
) -> T: ...
@overload
async def wait_for_condition_async(
    condition: Callable[[], T | Unmet],
    config: PollingConfig | None = None,
    *,
    retry_on: tuple[type[Exception], ...] = (),
) -> T: ...
async def wait_for_condition_async(
    condition: Callable[[], object],
    config: PollingConfig | None = None,
    *,
    retry_on: tuple[type[Exception], ...] = (),
) -> object:
    """Call a condition until it is true, and return what it returned, while other tasks go on.

    A look that has not ended when the time is over is cancelled.

    Args:
        condition: A function that is called in the event loop; what it returns is awaited, if it can be. One that
            blocks is for a thread: `lambda: asyncio.to_thread(look)`. A `Condition` is looked at in a thread anyway.
        config: As for `wait_for_condition`.
        retry_on: As for `wait_for_condition`.

    Raises:
        ConditionTimeoutError: It was not met in time. It is a `TimeoutError`.
        HopelessError: It can't be met any more.
    """
    import asyncio  # noqa: PLC0415 - takes a tenth of the plugin's start, which most sessions don't need

    seen: object = None

    async def look() -> object:
        nonlocal seen
        before, seconds = seen, max(time_left(), SHORTEST_LOOK)
        try:
            async with asyncio.timeout(seconds) as limit:
                looking = asyncio.to_thread(condition) if getattr(condition, "blocks", False) else condition()
                seen = await looking if inspect.isawaitable(looking) else looking
        except TimeoutError:
            if not limit.expired():
                raise
            earlier = f"; before that: {before!r}" if before is not None else ""
            return Unmet(f"the look had not ended after {seconds:.1f} s{earlier}")
        return seen

    __tracebackhide__ = True
    config = _described(config, condition)
    with _wait(config) as wait:
        try:
            return await AsyncRetrying(sleep=_pause_async, **_rules(condition, wait, retry_on))(look)
        except FloeTestingError as error:
            raise error.with_traceback(None) from error.__cause__  # as above


def time_left() -> float:
    """Return the seconds that the wait around this look has left; infinitely many where there is no wait."""
    return _DEADLINE.get() - clock.perf_counter()


def _name(condition: Callable[[], object]) -> str:
    return str(getattr(condition, "description", None) or getattr(condition, "__name__", repr(condition)))


def _described(config: PollingConfig | None, condition: Callable[[], object]) -> PollingConfig:
    """Return the configuration, with the condition's own description where it has no other."""
    config = config or PollingConfig()
    description = getattr(condition, "description", None)
    if description is None or "description" in config.model_fields_set:
        return config
    return config.model_copy(update={"description": description})


@dataclass(frozen=True)
class _Wait:
    """A wait that goes on, by the clock that nobody freezes."""

    config: PollingConfig
    begun: float
    deadline: float

    @property
    def elapsed(self) -> float:
        return clock.perf_counter() - self.begun

    @property
    def left(self) -> float:
        return self.deadline - clock.perf_counter()

    @property
    def is_cut_short(self) -> bool:
        return self.deadline < self.begun + self.config.timeout


@contextmanager
def _wait(config: PollingConfig) -> Iterator[_Wait]:
    """Begin a wait, which lasts no longer than the one around it."""
    begun = clock.perf_counter()
    wait = _Wait(config, begun, min(_DEADLINE.get(), begun + config.timeout))
    token = _DEADLINE.set(wait.deadline)
    try:
        yield wait
    finally:
        _DEADLINE.reset(token)


def _rules(condition: Callable[[], object], wait: _Wait, retry_on: tuple[type[Exception], ...]) -> dict[str, Any]:
    """Return what both of tenacity's controllers are told; they differ in how they sleep."""
    config = wait.config

    def not_yet(error: BaseException) -> bool:
        if isinstance(error, ConditionTimeoutError) and error.cut_short:
            return True
        return isinstance(error, retry_on) and not isinstance(error, HopelessError)

    def pause(state: RetryCallState) -> float:
        # The last look is at the timeout, not an interval before or after it.
        return max(0.0, min(config.interval * config.backoff ** min(state.attempt_number - 1, 100), wait.left))

    def give_up(state: RetryCallState) -> NoReturn:
        outcome = state.outcome
        error = outcome.exception() if outcome else None
        seen = f"{type(error).__name__}: {error}" if error else repr(outcome.result() if outcome else None)
        advice = str(getattr(condition, "advice", ""))
        raise ConditionTimeoutError(
            config, wait.elapsed, state.attempt_number, seen.strip(), advice, cut_short=wait.is_cut_short
        ) from error

    return {
        "stop": lambda _: wait.left <= 0,
        "wait": pause,
        "retry": retry_if_result(lambda result: not result) | retry_if_exception(not_yet),
        "retry_error_callback": give_up,
    }


def _naps(seconds: float) -> Iterator[float]:
    """Cut a pause into naps, and ask the interruptions before each."""
    left = seconds
    while left > 0:
        for interrupt in tuple(interruptions):
            interrupt()
        yield min(left, _LONGEST_NAP)
        left -= _LONGEST_NAP


def _pause(seconds: float) -> None:
    for each in _naps(seconds):
        clock.sleep(each)


async def _pause_async(seconds: float) -> None:
    import asyncio  # noqa: PLC0415 - as above

    for each in _naps(seconds):
        await asyncio.sleep(each)
