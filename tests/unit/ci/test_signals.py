"""Who takes a signal, and when."""

from __future__ import annotations

import asyncio
import signal

import anyio
import pytest
from floe_ci import signals

pytestmark = [pytest.mark.requirement("REQ-644"), pytest.mark.anyio]


async def test_signal_between_two_runs() -> None:
    """A signal that comes when one run has ended, and before the next has begun, is remembered for that."""
    taken = asyncio.Queue[int]()
    with signals.remembered():
        with signals.heard(asyncio.get_running_loop(), signal.SIGTERM, taken.put_nowait):
            signal.raise_signal(signal.SIGTERM)
            with anyio.fail_after(10):
                assert await taken.get() == signal.SIGTERM
        assert signals.early() is None
        signal.raise_signal(signal.SIGTERM)
        assert signals.early() == signal.SIGTERM
