"""Hands tests out to shards as they become free, so that one slow test does not decide how long all of them take.

The shards' processes cut the tests into slices, the same ones in each, the longest tests first; here it is known how
many there are, and who has which. What a shard is handed goes to it as a line of a file, and what it does with that it
tells by the events that it tells of its tests with. So nothing is needed between shards, nor rights in a cluster.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from floe_ci.live import LiveTests

Work = int | tuple[str, ...]
"""A slice, by its number, or tests that another shard left, by their ids."""
_HEARD: Final = tuple(f'"event": "{name}"' for name in ("queue", "begins", "wants"))


@dataclass
class _Shard:
    """What one of them has."""

    sent: int = 0
    """How many orders it got."""
    at_hand: dict[int, Work] = field(default_factory=dict)
    """Those that it has not begun with, by their numbers."""
    is_there: bool = False
    wants: bool = False
    is_over: bool = False
    """Whether it was told that there is no more, or has ended."""
    is_lost: bool = False
    """Whether nothing counts any more that it may still tell."""

    def order(self, **what: object) -> str:
        """Return the line of one more order; what was cut before it is no line of its own by that."""
        self.sent += 1
        return f"\n{json.dumps({'number': self.sent, **what})}\n"


class WorkQueue:
    """What is still to be handed out, and who has what."""

    def __init__(self, parts: Sequence[LiveTests], changed: Callable[[], object] = lambda: None) -> None:
        """Have nothing yet: the first shard that is there says how many slices there are.

        Args:
            parts: What is known of each shard's tests.
            changed: Is called when there may be something to hand out.
        """
        self._parts, self._shards = parts, [_Shard() for _ in parts]
        self._free: deque[Work] | None = None
        self._lock = threading.Lock()
        self.changed = changed

    def hear(self, shard: int, line: str) -> None:
        """Take a line of what a shard's process tells, of its tests and of what it was handed.

        What a lost one still tells doesn't count: others run that as well, from the moment on that it was lost.
        """
        event = _event(line)
        with self._lock:
            if self._shards[shard].is_lost:
                return
            self._parts[shard].feed(line)
            if event is None:
                return
            self._take(self._shards[shard], event)
        self.changed()

    def hand_out(self, shard: int) -> str:
        """Return what is to be added to a shard's file; empty: nothing as yet.

        That there is no more is told to those too that have not asked: their last test ends all fixtures then.
        """
        with self._lock:
            its = self._shards[shard]
            if self._free is None or not its.is_there or its.is_over or its.at_hand:
                return ""
            if not self._free:
                its.is_over = True
                return its.order(over=True)
            if not its.wants:
                return ""
            work = self._free.popleft()
            told = its.order(slice=work) if isinstance(work, int) else its.order(tests=work)
            its.at_hand[its.sent], its.wants = work, False
            return told

    def lose(self, shard: int) -> None:
        """Have others run what a shard has not that is lost: all but the test that ran then."""
        with self._lock:
            self._shards[shard].is_lost = True
        self.end(shard, whole=False)

    def end(self, shard: int, *, whole: bool) -> None:
        """Have others run what a shard has not that has ended.

        Args:
            shard: It.
            whole: Whether its pytest came to an end of its own: what it had begun with is its affair then.
        """
        with self._lock:
            its, part = self._shards[shard], self._parts[shard]
            its.is_over = True
            others = any(not each.is_over for each in self._shards)
            if self._free is None or not others:
                return
            left = {} if whole else _left_by(part)
            part.tests = [test for test in part.tests if test not in left]
            self._free.extendleft(reversed([*([tuple(left)] if left else []), *its.at_hand.values()]))
            its.at_hand.clear()
        self.changed()

    def _take(self, its: _Shard, event: Any) -> None:  # noqa: ANN401 - a document
        match event:
            case {"event": "queue", "slices": int(count)}:
                its.is_there = True
                if self._free is None:
                    self._free = deque(range(count))
            case {"event": "begins", "number": int(number)}:
                its.at_hand.pop(number, None)
            case {"event": "wants"}:
                its.wants = True


def _event(line: str) -> Any:  # noqa: ANN401 - a document
    """Return what a line says of what is handed out; None: nothing."""
    if not any(each in line for each in _HEARD):
        return None
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _left_by(part: LiveTests) -> dict[str, None]:
    """Return the tests of slices that a shard had begun with, and not come to."""
    come_to = part.ended | {*part.running}
    return {test: None for test in part.tests if test not in come_to}
