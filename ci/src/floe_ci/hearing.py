"""Hearing of a run that another process carries out: what it tells is handed on, and it is told of signals."""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from floe_ci.local import messages
from floe_ci.signals import SIGNALS, early
from floe_ci.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from floe_ci.listeners import Progress
    from floe_ci.request import PlaceName, RunRequest


class Hearing:
    """Hands on what a worker tells."""

    def __init__(self, progress: Progress, request: RunRequest) -> None:
        """Prepare; `progress` is told of it."""
        self.outcome: Outcome | None = None
        """What the run came to, once it is told."""
        self._progress, self._request = progress, request

    def listen(self, told: IO[str]) -> messages.Done | messages.Refused | messages.Up | None:
        """Hand on all that is told, and return the worker's last word; None where it died."""
        progress = self._progress
        for line in told:
            message = messages.read(line)
            if messages.hand_on(message, progress):
                continue
            match message:
                case messages.Collected(count=count):
                    progress.collected(count)
                case messages.TestBegins(test=test):
                    progress.started(test)
                case messages.TestEnds() as test:
                    progress.ended(test.test, test.outcome, test.seconds, test.message, test.done, test.total)
                case messages.Judged() as judged:
                    self.outcome = Outcome(
                        judged.verdict,
                        judged.exit_code,
                        self._request.results,
                        judged.summary,
                        judged.problem,
                        judged.began,
                        judged.lasts,
                    )
                    progress.verdict(self.outcome)
                case messages.Done() | messages.Refused() | messages.Up() as last:
                    return last
        return None


def finish_for(request: RunRequest, place: PlaceName, progress: Progress, problem: str) -> Outcome:
    """End a run whose worker has died: what it had written until then are the results."""
    from floe_ci import results  # noqa: PLC0415 - only where it is needed
    from floe_ci.ends import End, Problem  # noqa: PLC0415 - as above
    from floe_ci.folder import RunFolder  # noqa: PLC0415 - as above
    from floe_ci.steps import Timings  # noqa: PLC0415 - as above

    folder = RunFolder.resume(request.results, run_id=request.run_id, tier=request.tier, place=place)
    end = End(problem=Problem("infrastructure", problem))
    outcome = results.finish(folder, request.tier, request.run_id, end, Timings(), None)
    # Nobody knows whether tests had begun.
    outcome = replace(outcome, began=True)
    progress.verdict(outcome)
    return outcome


@contextmanager
def signals_to(orders: IO[str]) -> Iterator[None]:
    """Hand the first signal on to the worker, which ends the run in order; the next one ends this process at once."""

    def interrupted(number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        with suppress(BrokenPipeError, ValueError):
            orders.write(f"{number}\n")
            orders.flush()

    before = {number: signal.signal(number, interrupted) for number in SIGNALS}
    if number := early():
        interrupted(number, None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
