"""Doing several things at the same time."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskGroup

Result = TypeVar("Result")


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


async def in_thread(work: Callable[[], Result]) -> Result:
    """Do blocking work in a thread that nobody has to wait for: neither who is cancelled, nor the process's end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        if not future.done():
            settle()

    def target() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            failure = error
            settle = lambda: future.set_exception(failure)  # noqa: E731
        else:
            settle = lambda: future.set_result(result)  # noqa: E731
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, settle)

    threading.Thread(target=target, daemon=True).start()
    return await future


class Held(AsyncExitStack):
    """Context managers that are held open, each by a task of its own: they may end in another order than scopes do."""

    def __init__(self, group: TaskGroup) -> None:
        """Prepare; the task will be one of a group's."""
        super().__init__()
        self._group = group

    async def hold(self, manager: AbstractAsyncContextManager[Result]) -> Result:
        """Enter a context manager, and leave it with this one."""
        over, left, failures = anyio.Event(), anyio.Event(), list[Exception]()

        async def holding(*, task_status: anyio.abc.TaskStatus[Result]) -> None:
            entered = False
            try:
                async with manager as value:
                    entered = True
                    task_status.started(value)
                    await over.wait()
            except Exception as error:
                if not entered:
                    raise
                failures.append(error)  # it is for who leaves, and ends nothing before
            finally:
                left.set()

        async def leave() -> None:
            over.set()
            await left.wait()
            for failure in failures:
                raise failure

        value: Result = await self._group.start(holding)
        self.push_async_callback(leave)
        return value
