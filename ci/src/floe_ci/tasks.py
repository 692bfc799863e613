"""Doing several things at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def together(*jobs: Awaitable[object]) -> list:  # type: ignore[type-arg]
    """Run jobs at the same time and return their results in order; the first failure cancels the rest and is raised."""
    outcomes: list[object] = [None] * len(jobs)

    async def one(place: int, job: Awaitable[object]) -> None:
        outcomes[place] = await job

    try:
        async with anyio.create_task_group() as group:
            for place, job in enumerate(jobs):
                group.start_soon(one, place, job)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return outcomes
