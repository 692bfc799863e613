"""Shards are handed slices as they become free, and what one of them leaves goes to the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from floe_ci import reporter
from floe_ci.junit import Counts
from floe_ci.live import LiveTests
from floe_ci.work_queue import WorkQueue


class Shards:
    """Shards that are handed tests, and what they say."""

    def __init__(self, count: int) -> None:
        """Let none of them be there yet."""
        self.live = LiveTests()
        self.parts = [self.live.part(is_handed_out=True) for _ in range(count)]
        self.changes = 0
        self.queue = WorkQueue(self.parts, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def say(self, shard: int, **event: object) -> None:
        """Have a shard tell something."""
        self.queue.hear(shard, json.dumps(event))

    def are_there(self, slices: int, *which: int) -> None:
        """Have shards say that they have cut the tests into so many slices."""
        for shard in which:
            self.say(shard, event="queue", slices=slices, of="all")
            self.say(shard, event="wants")

    def handed(self, shard: int) -> dict[str, Any]:
        """Return what a shard is handed now; empty: nothing."""
        text = self.queue.hand_out(shard)
        assert not text or text.endswith("\n")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def begin(self, shard: int, number: int, *tests: str) -> None:
        """Have a shard begin with what it was handed."""
        self.say(shard, event="part", tests=list(tests), of="all")
        self.say(shard, event="begins", number=number)

    def ended(self, shard: int, test: str) -> None:
        """Have a test of a shard end."""
        classname, name = reporter.address(test)
        case = {"classname": classname, "name": name, "outcome": "passed", "seconds": 1.0}
        self.say(shard, event="started", test=test)
        self.say(shard, event="ended", test=test, **case)


def test_each_slice_once_and_then_no_more() -> None:
    """Slices go out in their order, each once, to who asks; then each shard is told once that there are no more."""
    shards = Shards(2)
    assert shards.handed(0) == {}
    shards.are_there(3, 0, 1)
    first = shards.handed(0), shards.handed(1)
    assert [each["slice"] for each in first] == [0, 1]
    shards.begin(0, 1)
    assert shards.handed(0) == {}
    shards.say(0, event="wants")
    assert shards.handed(0) == {"number": 2, "slice": 2}
    assert shards.handed(0) == {}
    shards.begin(1, 1)
    assert shards.handed(1) == {"number": 2, "over": True}
    assert shards.handed(1) == {}
    shards.begin(0, 2)
    assert shards.handed(0) == {"number": 3, "over": True}


def test_lost_shard() -> None:
    """Of a shard that is lost, others run what it had not begun, and the rest of its slice, but for the test it ran."""
    shards = Shards(2)
    shards.are_there(4, 0, 1)
    shards.handed(0)
    shards.begin(0, 1, "t/a.py::a", "t/a.py::b", "t/a.py::c")
    shards.say(0, event="wants")
    assert shards.handed(0)["slice"] == 1
    shards.ended(0, "t/a.py::a")
    shards.say(0, event="started", test="t/a.py::b")
    shards.queue.lose(0)
    assert shards.handed(0) == {}
    assert shards.parts[0].tests == ["t/a.py::a", "t/a.py::b"]
    assert shards.handed(1) == {"number": 1, "tests": ["t/a.py::c"]}
    shards.begin(1, 1, "t/a.py::c")
    shards.say(1, event="wants")
    assert shards.handed(1)["slice"] == 1


def test_late_words_of_a_lost_shard() -> None:
    """What a lost shard still tells changes nothing: neither what it was handed, nor how many tests ended, or run."""
    shards = Shards(2)
    shards.are_there(2, 0, 1)
    shards.handed(0)
    shards.begin(0, 1, "t/a.py::a", "t/a.py::b")
    shards.say(0, event="started", test="t/a.py::a")
    shards.queue.lose(0)
    shards.ended(0, "t/a.py::a")
    shards.ended(0, "t/a.py::b")
    shards.say(0, event="finished", exit_code=0)
    assert (shards.live.counts, shards.parts[0].exit_code) == (Counts(), None)
    assert shards.live.running == ("t/a.py::a",)
    assert shards.handed(1)["tests"] == ["t/a.py::b"]
    shards.begin(1, 1, "t/a.py::b")
    shards.ended(1, "t/a.py::b")
    assert shards.live.counts == Counts(passed=1)


def test_shard_that_came_to_its_end() -> None:
    """Of a shard whose pytest stopped by itself, others run what it had not begun with, and no more."""
    shards = Shards(2)
    shards.are_there(4, 0, 1)
    shards.handed(0)
    shards.begin(0, 1, "t/a.py::a", "t/a.py::b")
    shards.say(0, event="wants")
    assert shards.handed(0)["slice"] == 1
    shards.queue.end(0, whole=True)
    assert shards.handed(1) == {"number": 1, "slice": 1}
    assert shards.parts[0].tests == ["t/a.py::a", "t/a.py::b"]


def test_last_shard_that_is_lost() -> None:
    """Where nobody is left, what was begun is told of the shard that had it, and the rest is counted."""
    shards = Shards(2)
    shards.are_there(3, 0)
    shards.say(0, event="collected", count=9)
    shards.queue.lose(1)
    shards.handed(0)
    shards.begin(0, 1, "t/a.py::a", "t/a.py::b", "t/a.py::c")
    shards.queue.lose(0)
    assert len(shards.parts[0].tests) == 3
    assert shards.live.left == 6


def test_nothing_is_left_where_nothing_was_handed_out() -> None:
    """Where shards end before they were handed anything, as for a module that breaks, no tests are told as left."""
    shards = Shards(2)
    for shard in range(2):
        shards.say(shard, event="collected", count=9)
        shards.say(shard, event="finished", exit_code=2)
        shards.queue.end(shard, whole=True)
    assert shards.live.left == 0


def test_total_is_that_of_one() -> None:
    """Shards that are handed tests have collected the same ones: they count once."""
    shards = Shards(3)
    for shard in range(3):
        shards.say(shard, event="collected", count=7)
    assert shards.live.total == 7


@pytest.mark.parametrize(
    "line", ["", "{", '{"event": "idle"', '["event": "begins"]', '{"event": "queue", "slices": "3"}']
)
def test_what_is_no_event(line: str) -> None:
    """What a test's process may write beside events changes nothing."""
    shards = Shards(1)
    shards.queue.hear(0, line)
    assert shards.handed(0) == {}


def test_change_is_told() -> None:
    """Whoever hands out is told when there may be something to hand out, and not of every line."""
    shards = Shards(1)
    shards.are_there(3, 0)
    assert shards.changes == 2
    shards.ended(0, "t/a.py::a")
    assert shards.changes == 2
