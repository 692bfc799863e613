"""Runs pytest in a repository, with the variables that a runner's container would have."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from floe_ci import selection
from floe_ci.local.processes import ended_after, spawn
from floe_ci.local.variables import environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_ci.local.plan import Plan

__all__ = ("Ended", "environment", "run")  # the environment is made in `variables`

GRACE: Final = 30.0
"""Seconds that pytest has to write down what it knows, when it is stopped."""
INTERRUPTION: Final = "the run was interrupted"
TIMED_OUT, INTERRUPTED, KILLED = 124, 2, 128
"""Exit codes as `timeout`, pytest and a shell give them; the last is added to a signal's number."""


@dataclass(frozen=True)
class Ended:
    """How pytest ended."""

    exit_code: int
    problem: str | None = None


async def run(plan: Plan, packages: Path, environment: Mapping[str, str], results: Path, stop: asyncio.Event) -> Ended:
    """Run the tier's tests and return how that ended; what they leave is in `results`.

    Args:
        plan: What is to run.
        packages: The virtual environment.
        environment: The whole of it.
        results: Where pytest writes, with a folder `logs`.
        stop: Ends the tests early when it is set.
    """
    arguments = selection.pytest_arguments(plan.tier, plan.config, plan.request.selection, str(results))
    with (results / "logs" / "runner.log").open("wb") as log:
        command = (str(packages / "bin" / "pytest"), *arguments)
        child = await spawn(command, environment, plan.request.source, log.fileno())
    limit = plan.config.timeouts.job
    async with ended_after(child):
        ended, stopped = asyncio.create_task(child.wait()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({ended, stopped}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                code = ended.result()
                return Ended(code if code >= 0 else KILLED - code)
            child.send_signal(signal.SIGINT)
            await asyncio.wait({ended}, timeout=GRACE)
        finally:
            stopped.cancel()
    if stop.is_set():
        return Ended(INTERRUPTED, INTERRUPTION)
    return Ended(TIMED_OUT, f"the tests took longer than {limit} s and were stopped")
