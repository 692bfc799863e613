"""How to wait. What to wait for is a condition: a function of no arguments, true when it is met."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay

from testing.errors import FloeTestingError

T = TypeVar("T")


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
    """What is waited for, as a message would call it."""


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

    def __init__(self, config: PollingConfig, elapsed: float, attempts: int, last_state: str) -> None:
        """Say how long, what for, and what was seen last."""
        self.config = config
        self.elapsed = elapsed
        self.attempts = attempts
        self.last_state = last_state
        times = "once" if attempts == 1 else f"{attempts} times"
        super().__init__(
            f"{config.description}: not so after {elapsed:.1f} s "
            f"(timeout {config.timeout:g} s, looked {times}). Last state seen: {last_state}"
        )


def wait_for_condition(
    condition: Callable[[], T],
    config: PollingConfig | None = None,
    *,
    retry_on: tuple[type[Exception], ...] = (),
) -> T:
    """Call a condition until it is true, and return what it returned.

    Args:
        condition: Returns something true when met. `Unmet("…")` says what it saw instead.
        config: How long and how often; 30 s and every 0.5 s unless told otherwise.
        retry_on: Exceptions that mean "not yet". Any other leaves the wait at once.

    Raises:
        ConditionTimeoutError: It was not met in time. It is a `TimeoutError`.
    """
    config = config or PollingConfig()

    def pause(state: RetryCallState) -> float:
        remaining = config.timeout - (state.seconds_since_start or 0.0)
        # The last look is at the timeout, not an interval before or after it.
        return max(0.0, min(config.interval * config.backoff ** min(state.attempt_number - 1, 100), remaining))

    def give_up(state: RetryCallState) -> NoReturn:
        outcome = state.outcome
        error = outcome.exception() if outcome else None
        seen = f"{type(error).__name__}: {error}" if error else repr(outcome.result() if outcome else None)
        raise ConditionTimeoutError(
            config, state.seconds_since_start or 0.0, state.attempt_number, seen.strip()
        ) from error

    retrying = Retrying(
        stop=stop_after_delay(config.timeout),
        wait=pause,
        retry=retry_if_result(lambda result: not result) | retry_if_exception_type(retry_on),
        retry_error_callback=give_up,
    )
    return retrying(condition)
