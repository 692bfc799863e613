"""pytest plugin: keeps one shard's part of the tests, the same part on every machine.

It is loaded into the tests' own environment, by `-p floe_ci_shard`, beside the reporter: it needs nothing but pytest,
and does nothing unless FLOE_CI_SHARD names the file that says which part is meant.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import statistics
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VARIABLE, EVENTS = "FLOE_CI_SHARD", "FLOE_CI_EVENTS"
TESTS, COVERAGE = "tests.json", "coverage.json"
"""What it leaves in the shard's folder: the ids of its tests with a digest of all ids, and how coverage is measured."""
LONGEST_LINE = 8192
"""Bytes of an event: a log takes a line of this length whole."""
NEW = 1.0
"""Seconds that each test counts for where nothing is known of any."""


def pytest_configure(config: pytest.Config) -> None:
    """Register what splits, where a part is asked for; each worker of pytest-xdist collects, and splits alike."""
    path = os.environ.get(VARIABLE)
    if path:
        with open(path, encoding="utf-8") as file:
            config.pluginmanager.register(Splitter(**json.load(file)), "floe-ci-shard-part")


class Splitter:
    """Keeps a part of what is collected."""

    def __init__(self, index: int, count: int, together: str, durations: str, folder: str) -> None:
        """Take which part it is, what stays together, where the durations are, and where to tell of it."""
        self._index, self._count, self._together, self._folder = index, count, together, folder
        with open(durations, encoding="utf-8") as file:
            self._durations: dict[str, float] = json.load(file)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests of other parts, after all that selects; the order of the others stays."""
        groups: dict[str, list[str]] = {}
        for item in items:
            groups.setdefault(group_of(item, self._together), []).append(item.nodeid)
        of = hashlib.sha256("\n".join(sorted(item.nodeid for item in items)).encode(errors="replace")).hexdigest()
        mine = set(parts(groups, self._durations, self._count)[self._index])
        others = [item for item in items if item.nodeid not in mine]
        items[:] = [item for item in items if item.nodeid in mine]
        if others:
            config.hook.pytest_deselected(items=others)
        if not hasattr(config, "workerinput") or config.workerinput["workerid"] == "gw0":
            tests = [item.nodeid for item in items]
            self._write(TESTS, {"tests": tests, "of": of})
            tell(tests, of)

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
        self._write(COVERAGE, told)
        options.cov_report, options.cov_fail_under = {}, 0

    def _write(self, name: str, told: object) -> None:
        with open(os.path.join(self._folder, name), "w", encoding="utf-8") as file:
            json.dump(told, file)


def tell(tests: Sequence[str], of: str) -> None:
    """Say at once, where what happens is told, which tests are its part: its folder may be lost with its machine."""
    path = os.environ.get(EVENTS)
    if not path:
        return
    with open(path, "a", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in part_events(tests, of))


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
    known = [durations[test] for tests in groups.values() for test in tests if test in durations]
    new = statistics.median(known) if known else NEW
    weights = {name: sum_of(durations.get(test, new) for test in tests) for name, tests in groups.items()}
    found: list[list[str]] = [[] for _ in range(count)]
    # Of parts that last alike the one with fewer tests: those that take no time are spread, too.
    loads = [(0.0, 0, place) for place in range(count)]
    for name in sorted(groups, key=lambda name: (-weights[name], name)):
        load, tests, place = heapq.heappop(loads)
        found[place].extend(groups[name])
        heapq.heappush(loads, (load + weights[name], tests + len(groups[name]), place))
    return found


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
