"""pytest plugin: keeps one shard's part of the tests, the same part on every machine, or runs those it is handed.

It is loaded into the tests' own environment, by `-p floe_ci_shard`, beside the reporter: it needs nothing but pytest,
and does nothing unless FLOE_CI_SHARD names the file that says which part is meant.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

VARIABLE, EVENTS = "FLOE_CI_SHARD", "FLOE_CI_EVENTS"
TESTS, COVERAGE = "tests.json", "coverage.json"
"""What it leaves in the shard's folder: the ids of its tests with a digest of all ids, and how coverage is measured."""
LONGEST_LINE = 8192
"""Bytes of an event: a log takes a line of this length whole."""
NEW = 1.0
"""Seconds that each test counts for where nothing is known of any."""
SHARE = 2
"""The share of what is left, of that of each shard, that is handed out at once: one in so many."""
LEAST = 1.0
"""Seconds of tests that are handed out at once at least, for it takes a moment to ask for more."""
AHEAD = 2.0
"""Seconds of tests at hand with which it asks for more; not earlier: what is at hand nobody else can run."""
PATIENCE = 0.5
"""Seconds that the last test at hand waits for what comes after it, whose fixtures may be its own."""
LONGEST_WAIT = 900.0
"""Seconds without anything at hand after which nobody seems to hand out tests any more."""
GLANCE = 0.05
"""Seconds between two looks at whether something was handed out."""
WITHOUT_WORKERS = (
    "tests that are handed out as shards become free are run by one process a shard: leave out pytest-xdist's workers "
    "(-n, --dist), or ask for more shards in their place"
)


def pytest_configure(config: pytest.Config) -> None:
    """Register what splits, where a part is asked for; each worker of pytest-xdist collects, and splits alike."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    with open(path, encoding="utf-8") as file:
        part = Part(json.load(file))
    config.pluginmanager.register(CoverageOfPart(part.folder), "floe-ci-shard-coverage")
    config.pluginmanager.register(Taker(part) if part.handed else Splitter(part), "floe-ci-shard-part")
    if part.handed and (config.getoption("numprocesses", None) or config.getoption("dist", "no") != "no"):
        raise pytest.UsageError(WITHOUT_WORKERS)


class Part:
    """Which part is meant."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Take what the file says."""
        self.index: int = told["index"]
        self.count: int = told["count"]
        self.together: str = told["together"]
        """What stays together."""
        self.folder: str = told["folder"]
        """Where to tell of it."""
        self.handed: str = told["handed"]
        """The file by which tests are handed out; empty: what its tests are is known from the start."""
        # Read now: tests may do what they like to the environment, and to the working directory.
        self.events = os.path.abspath(os.environ[EVENTS]) if os.environ.get(EVENTS) else ""
        """The file that what happens is told in; empty: nobody asks."""
        with open(told["durations"], encoding="utf-8") as file:
            self.durations: dict[str, float] = json.load(file)

    def groups(self, items: Iterable[pytest.Item]) -> dict[str, list[str]]:
        """Return the ids of tests that stay together, by a name."""
        found: dict[str, list[str]] = {}
        for item in items:
            found.setdefault(group_of(item, self.together), []).append(item.nodeid)
        return found


class CoverageOfPart:
    """Has a process measure what its part covers, and say nothing of it."""

    def __init__(self, folder: str) -> None:
        """Take where to tell how it is measured."""
        self._folder = folder

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Leave what is said of coverage, a report and a limit, to who has all the parts."""
        plugin: Any = session.config.pluginmanager.getplugin("_cov")
        options: Any = getattr(plugin, "options", None)
        if getattr(plugin, "cov_controller", None) is None or hasattr(session.config, "workerinput"):
            return
        measured = getattr(plugin.cov_controller, "combining_cov", None)
        told = {
            "source": getattr(plugin.cov_controller, "cov_source", None),
            "omit": measured.get_option("report:omit") if measured is not None else None,
            "config": getattr(options, "cov_config", True),
            "branch": getattr(options, "cov_branch", None),
            "limit": getattr(options, "cov_fail_under", None) or 0,
        }
        write(self._folder, COVERAGE, told)
        options.cov_report, options.cov_fail_under = {}, 0


class Splitter:
    """Keeps a part of what is collected."""

    def __init__(self, part: Part) -> None:
        """Take which part it is."""
        self._part = part

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests of other parts, after all that selects; the order of the others stays."""
        part, of = self._part, digest(items)
        mine = set(parts(part.groups(items), part.durations, part.count)[part.index])
        others = [item for item in items if item.nodeid not in mine]
        items[:] = [item for item in items if item.nodeid in mine]
        if others:
            config.hook.pytest_deselected(items=others)
        if not hasattr(config, "workerinput") or config.workerinput["workerid"] == "gw0":
            tests = [item.nodeid for item in items]
            write(part.folder, TESTS, {"tests": tests, "of": of})
            tell(part.events, part_events(tests, of))


class Taker:
    """Runs what is handed out to its process: slices of the tests, which are the same in each."""

    def __init__(self, part: Part) -> None:
        """Take which part it is."""
        self._part, self._handed = part, Handed(part.handed)
        self._items: dict[str, list[pytest.Item]] = {}
        self._seconds: dict[str, float] = {}
        self._slices: list[list[str]] = []
        self._of = ""
        self._last: Any = None
        """The test that ran last, where fixtures of the session have outlived it."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run tests in pytest's place, where they are to be run."""
        option = session.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
            return None
        for item in session.items:
            self._items.setdefault(item.nodeid, []).append(item)
        self._of = digest(session.items)
        self._seconds = weights_of({test: [test] for test in self._items}, self._part.durations)
        self._slices = slices(self._part.groups(session.items), self._part.durations, self._part.count)
        tell(self._part.events, [json.dumps({"event": "queue", "slices": len(self._slices), "of": self._of})])
        order = self._next()
        while not order.over:
            order = self._run(session, order)
        if self._last is not None:
            end_fixtures(session, self._last)
        return True

    def _ask(self) -> None:
        tell(self._part.events, [json.dumps({"event": "wants"})])

    def _next(self, *, has_asked: bool = False) -> Order:
        """Return what to run, where there is nothing at hand."""
        if not has_asked:
            self._ask()
        found = self._handed.take(LONGEST_WAIT)
        if found is None:
            pytest.exit(f"no tests were handed out in {LONGEST_WAIT:g} s, and nobody said that there are no more", 3)
        return found

    def _run(self, session: pytest.Session, order: Order) -> Order:
        """Run what was handed out, and return what comes then."""
        items = self._tests(order)
        tell(self._part.events, [*part_events([item.nodeid for item in items], self._of), order.begins()])
        left, has_asked = sum(self._seconds[item.nodeid] for item in items), False
        then: Order | None = None
        for item, *others in (items[place : place + 2] for place in range(len(items))):
            if left <= AHEAD and not has_asked:
                self._ask()
                has_asked = True
            left -= self._seconds[item.nodeid]
            following: Any = others[0] if others else None
            if not others:
                then = self._handed.take(PATIENCE if has_asked else 0)
                following = session if then is None else next(iter(self._tests(then)), None)
            run(session, item, following)
            self._last = item if following is session else None
        return then or self._next(has_asked=has_asked)

    def _tests(self, order: Order) -> list[pytest.Item]:
        """Return the tests of an order, those of a module one behind the other as they were collected."""
        ids = order.tests
        if order.slice is not None:
            ids = self._slices[order.slice] if order.slice < len(self._slices) else []
        wanted = set(ids)
        return [item for test, items in self._items.items() if test in wanted for item in items]


class Order:
    """What was handed out at once: a slice, or tests by their ids, or that there are no more."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Take what a line says."""
        self.number = int(told["number"])
        self.slice: int | None = told.get("slice")
        self.tests: Sequence[str] = told.get("tests", ())
        self.over = bool(told.get("over"))

    def begins(self) -> str:
        """Return the event that says so of it."""
        return json.dumps({"event": "begins", "number": self.number})


class Handed:
    """A file to which a line is added with each order; one may be there twice, or be cut where it was sent again."""

    def __init__(self, path: str, calls: tuple[Callable[..., Any], ...] = (open, time.sleep)) -> None:
        """Take the file, and how to read and wait: tests may have files and clocks of their own by then."""
        self._path = path
        self._open, self._sleep = calls
        self._at, self._last = 0, 0

    def take(self, seconds: float) -> Order | None:
        """Return the next order; None: there is none in so many seconds."""
        for _ in range(int(seconds / GLANCE) + 1):
            found = self._read()
            if found is not None:
                return found
            self._sleep(GLANCE)
        return None

    def _read(self) -> Order | None:
        try:
            with self._open(self._path, "rb") as file:
                file.seek(self._at)
                lines = file.readlines()
        except FileNotFoundError:
            return None
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._at += len(line)
            try:
                order = Order(json.loads(line))
            except (ValueError, TypeError, KeyError):
                continue
            if order.number > self._last:
                self._last = order.number
                return order
        return None


def run(session: pytest.Session, item: pytest.Item, following: Any) -> None:
    """Run a test as pytest does: fixtures live on that the following one has, or all of the session's do."""
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def end_fixtures(session: pytest.Session, last: pytest.Item) -> None:
    """End the fixtures of the session; what fails in that is the last test's error, as where it is known to be last."""
    runner: Any = session.config.pluginmanager.getplugin("runner")
    ended = runner.CallInfo.from_call(
        lambda: runner.pytest_sessionfinish(session=session),
        when="teardown",
        reraise=(pytest.exit.Exception, KeyboardInterrupt),
    )
    if ended.excinfo is not None:
        report = last.ihook.pytest_runtest_makereport(item=last, call=ended)
        last.ihook.pytest_runtest_logreport(report=report)


def write(folder: str, name: str, told: object) -> None:
    """Leave a file in the shard's folder."""
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(told, file)


def digest(items: Iterable[pytest.Item]) -> str:
    """Return what tells these tests from others."""
    ids = "\n".join(sorted(item.nodeid for item in items))
    return hashlib.sha256(ids.encode(errors="replace")).hexdigest()


def tell(path: str, events: Iterable[str], opened: Callable[..., Any] = open) -> None:
    """Say at once, where what happens is told, what is its part: its folder may be lost with its machine."""
    if not path:
        return
    with opened(path, "a", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in events)


def part_events(tests: Sequence[str], of: str) -> list[str]:
    """Return events, each short enough to be taken whole, that tell of these tests; at least one."""
    lines, some, room = [], list[str](), 0
    for test in tests:
        length = len(json.dumps(test)) + 2
        if some and room < length:
            lines.append(json.dumps({"event": "part", "tests": some, "of": of}))
            some, room = [], 0
        room = room or LONGEST_LINE - 200
        some.append(test)
        room -= length
    return [*lines, json.dumps({"event": "part", "tests": some, "of": of})]


def parts(groups: Mapping[str, Sequence[str]], durations: Mapping[str, float], count: int) -> list[list[str]]:
    """Return the tests of each part: the longest group first, and each to the part that has the least until then.

    Nothing but names and durations decides: neither the order of collection, nor a hash that differs between processes.

    Args:
        groups: The ids of tests that stay together, by a name.
        durations: Seconds of earlier runs, by id; others count as the median of those that are known here.
        count: How many parts.
    """
    weights = weights_of(groups, durations)
    found: list[list[str]] = [[] for _ in range(count)]
    # Of parts that last alike the one with fewer tests: those that take no time are spread, too.
    loads = [(0.0, 0, place) for place in range(count)]
    for name in longest_first(weights):
        load, tests, place = heapq.heappop(loads)
        found[place].extend(groups[name])
        heapq.heappush(loads, (load + weights[name], tests + len(groups[name]), place))
    return found


def slices(groups: Mapping[str, Sequence[str]], durations: Mapping[str, float], count: int) -> list[list[str]]:
    """Return the tests in the pieces that they are handed out in: the longest groups first, and ever less at once.

    As for `parts`, nothing but names and durations decides.
    """
    weights = weights_of(groups, durations)
    found: list[list[str]] = []
    left, room = sum_of(weights.values()), 0.0
    for name in longest_first(weights):
        if room < weights[name] or not found:
            room = max(left / (SHARE * count), LEAST)
            found.append([])
        found[-1].extend(groups[name])
        room -= weights[name]
        left -= weights[name]
    return found


def weights_of(groups: Mapping[str, Sequence[str]], durations: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each group; a test that nothing is known of counts as the median of the others."""
    known = [durations[test] for tests in groups.values() for test in tests if test in durations]
    new = statistics.median(known) if known else NEW
    return {name: sum_of(durations.get(test, new) for test in tests) for name, tests in groups.items()}


def longest_first(weights: Mapping[str, float]) -> list[str]:
    """Return the names of groups in the order that they are given away in."""
    return sorted(weights, key=lambda name: (-weights[name], name))


def sum_of(seconds: Iterable[float]) -> float:
    """Return a sum that does not depend on the order of its parts."""
    return sum(sorted(seconds))


def group_of(item: Any, together: str) -> str:
    """Return the name of what a test stays together with; its own id: nothing."""
    names = item.nodeid.partition("[")[0].split("::")
    if together == "module":
        return str(names[0])
    if together == "class":
        return "::".join(names[:-1]) if len(names) > 2 else str(item.nodeid)  # noqa: PLR2004 - file, class, test
    if together == "xdist_group":
        mark = item.get_closest_marker("xdist_group")
        named = mark and (mark.kwargs.get("name") or next(iter(mark.args), "default"))
        return f"xdist_group {named}" if named else str(item.nodeid)
    return str(item.nodeid)
