"""Simulate and measure shards: schedules at sizes that no machine here has, what merging takes, and what a run gains.

.venv/bin/python benchmarks/shards.py simulate
.venv/bin/python benchmarks/shards.py merge
.venv/bin/python benchmarks/shards.py run --on dagger --registry mirror.example.com
"""

from __future__ import annotations

import heapq
import json
import random
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_ci import held_cluster, junit, reporter
from floe_ci.driver.apis import Apis
from floe_ci.driver.pods import JOB_NAME, is_ready
from floe_ci.driver.poll import wait_until
from floe_ci.ends import End
from floe_ci.folder import RunFolder
from floe_ci.junit import Case, Suite
from floe_ci.live import LiveTests
from floe_ci.report import performance
from floe_ci.results import finish
from floe_ci.steps import Timings
from floe_ci.work_queue import WorkQueue

sys.path.insert(0, str(reporter.FOLDER))
import floe_ci_shard  # type: ignore[import-not-found]  # the tests' own, by its file

if TYPE_CHECKING:
    from collections.abc import Sequence

TESTS, PODS, SEED = 10_000, (4, 32, 256), 16
START, START_SPREAD = 8.0, 2.0
"""Seconds until a pod's pytest has collected, and how they spread (a normal distribution): assumed, not measured."""
ASK = 0.02
"""Seconds that a pod would need to ask for its next test, where each is handed out by itself."""
DELAYS = (0.3, 3.0)
"""Seconds until an order is at a pod that asked for one, by what pods tell and a command in them: assumed, too."""
NOISE = 0.15
"""How much a test's time differs from that of the run before (a log-normal's sigma)."""
MERGED, SHARDS = 50_000, 20
WAITING, WAIT, PARTS, TURNS = 200, 0.3, 4, 3
"""Tests that wait, how many seconds each, how many shards they are split into, and how often each way runs."""
QUIET = 60.0
"""Seconds until nothing goes on in the cluster between two runs."""
TABLE = """
[tool.floe-ci.runner]
install = ["pytest"]
[tool.floe-ci.tiers.integration]
services = []
"""
SUITE = f"""
from threading import Event

import pytest

@pytest.mark.parametrize("number", range({WAITING}))
def test_waits(number):
    assert not Event().wait({WAIT})
"""


def simulate() -> None:
    """Print the makespan of each schedule against the lower bound."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    # Heavy-tailed: most take less than half a second, some take minutes.
    before = {f"t{number}": min(0.1 * chance.paretovariate(1.1), 120.0) for number in range(TESTS)}
    now = {test: seconds * chance.lognormvariate(0, NOISE) for test, seconds in before.items()}
    order = chance.sample(list(now), TESTS)
    print(f"{TESTS} tests, {sum(now.values()):.0f} s, the longest {max(now.values()):.0f} s")
    delays = " | ".join(f"dynamic, {delay:g} s until an order is there" for delay in DELAYS)
    first = "| pods | lower bound | by number | static | one by one | one by one, longest first"
    print(f"{first} | {delays} | dynamic, nothing is known |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for pods in PODS:
        starts = [max(1.0, chance.gauss(START, START_SPREAD)) for _ in range(pods)]
        bound = lower_bound(now, starts)
        made = [
            makespan([order[place::pods] for place in range(pods)], now, starts),
            makespan(floe_ci_shard.parts({test: [test] for test in before}, before, pods), now, starts),
            handed_out(order, now, starts),
            handed_out(sorted(order, key=lambda test: -before[test]), now, starts),
            *(by_queue(before, now, starts, delay) for delay in DELAYS),
            by_queue(dict.fromkeys(before, floe_ci_shard.NEW), now, starts, DELAYS[0]),
        ]
        told = " | ".join(f"{seconds:.1f} s ({seconds / bound - 1:+.0%})" for seconds in made)
        print(f"| {pods} | {bound:.1f} s | {told} |")


def lower_bound(now: dict[str, float], starts: Sequence[float]) -> float:
    """Return the time that no schedule can beat: all work over all pods, or the longest test in the first pod."""
    return max((sum(now.values()) + sum(starts)) / len(starts), min(starts) + max(now.values()))


def makespan(parts: Sequence[Sequence[str]], now: dict[str, float], starts: Sequence[float]) -> float:
    """Return when the last pod ends, where each has its part."""
    return max(start + sum(now[test] for test in part) for start, part in zip(starts, parts, strict=True))


def handed_out(order: Sequence[str], now: dict[str, float], starts: Sequence[float]) -> float:
    """Return when the last pod ends, where each asks for its next test."""
    free = list(starts)
    heapq.heapify(free)
    for test in order:
        heapq.heappush(free, heapq.heappop(free) + ASK + now[test])
    return max(free)


def by_queue(before: dict[str, float], now: dict[str, float], starts: Sequence[float], delay: float) -> float:
    """Return when the last pod ends, where the queue of a run hands slices out."""
    slices = floe_ci_shard.slices({test: [test] for test in before}, before, len(starts))
    live = LiveTests()
    queue = WorkQueue([live.part(is_handed_out=True) for _ in starts])
    # The order that is on its way to a pod, or at hand, and when it is or was there.
    coming: dict[int, tuple[float, dict[str, int]]] = {}

    def happens(at: float, pod: int, event: str) -> None:
        queue.hear(pod, json.dumps({"event": event, "slices": len(slices)}))
        if text := queue.hand_out(pod):
            coming[pod] = at + delay, json.loads(text)

    for pod in range(len(starts)):
        happens(0.0, pod, "queue")
    # What happens: a pod asks, or has nothing at hand any more.
    events = [(start, pod, "free") for pod, start in enumerate(starts)]
    heapq.heapify(events)
    end = 0.0
    while events:
        at, pod, what = heapq.heappop(events)
        if what != "free":
            happens(at, pod, what)
            continue
        if pod not in coming:
            happens(at, pod, "wants")
        there, order = coming.pop(pod)
        if "over" in order:
            end = max(end, at)
            continue
        at = max(at, there)
        queue.hear(pod, json.dumps({"event": "begins", "number": order["number"]}))
        tests, asked = slices[order["slice"]], False
        for place, test in enumerate(tests):
            if not asked and sum(before[each] for each in tests[place:]) <= floe_ci_shard.AHEAD:
                heapq.heappush(events, (at, pod, "wants"))
                asked = True
            at += now[test]
        heapq.heappush(events, (at, pod, "free"))
    return end


def merge() -> None:
    """Print what it takes to make one run's results of those of many shards."""
    with tempfile.TemporaryDirectory() as private:
        raw = Path(private) / "raw"
        live = LiveTests()
        for number in range(SHARDS):
            tests = [f"tests/test_{number}.py::test_case[{case}]" for case in range(MERGED // SHARDS)]
            leave(raw / "shards" / str(number + 1), live, tests)
        folder = RunFolder.take(Path(private) / "results", run_id="r1", tier="unit", place="local")
        began, used = time.perf_counter(), time.process_time()
        folder.gather(raw)
        outcome = finish(folder, "unit", "r1", End(0), Timings(), live)
        took, used = time.perf_counter() - began, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        spent = f"{took:.1f} s, {used:.1f} s of a processor, {peak:.0f} MiB at most"
        print(f"{MERGED} tests over {SHARDS} shards: {outcome.verdict}, {spent}")


def leave(folder: Path, live: LiveTests, tests: Sequence[str]) -> None:
    """Have a shard leave its results."""
    folder.mkdir(parents=True)
    part = live.part()
    part.feed(json.dumps({"event": "collected", "count": len(tests)}))
    cases = []
    for test in tests:
        classname, name = reporter.address(test)
        cases.append(Case(classname, name, 0.01, outputs=(("system-out", "a line that the test printed\n" * 5),)))
        event = {"event": "ended", "test": test, "classname": classname, "name": name, "outcome": "passed"}
        part.feed(json.dumps({**event, "seconds": 0.01}))
    (folder / "junit.xml").write_text("".join(junit.write([Suite("pytest", cases)])))
    (folder / reporter.PART).write_text(json.dumps({"tests": tests, "of": "all"}))
    (folder / performance.FILE).write_text(measured(tests))
    part.feed(json.dumps({"event": "finished", "exit_code": 0}))
    part.process_code = 0


def measured(tests: Sequence[str]) -> str:
    """Return what floe-testing leaves of a shard's tests."""
    phases = {"setup": 0.001, "call": 0.008, "teardown": 0.001}
    figures = {"outcome": "passed", "worker": None, "seconds": phases, "cpu_seconds": phases, "peak_memory_bytes": 1e8}
    started = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    found = {"version": 1, "started_at": started, "seconds": 25.0, "tests": [{"id": test, **figures} for test in tests]}
    return json.dumps(found, indent=1)


def run(options: Sequence[str]) -> None:
    """Print what shards gain in the tests' step of a run, in a cluster that stays or on this machine."""
    with tempfile.TemporaryDirectory(prefix="floe-ci-bench-") as private:
        source = Path(private) / "shop"
        (source / "tests" / "integration").mkdir(parents=True)
        (source / "pyproject.toml").write_text(TABLE, encoding="utf-8")
        (source / "tests" / "integration" / "test_it.py").write_text(SUITE, encoding="utf-8")
        subprocess.run(["git", "init", "--quiet", str(source)], check=True)  # nosec B607 - as it is found on PATH
        call = [sys.executable, "-m", "floe_ci"]
        place = options[options.index("--on") :][:2] if "--on" in options else []
        subprocess.run([*call, "up", *options], cwd=source, check=True)
        try:
            # The first has all built and loaded, and leaves the tests' durations.
            of = {shards: [step(call, source, shards, options) for _ in range(TURNS + 1)][1:] for shards in (1, PARTS)}
        finally:
            subprocess.run([*call, "down", *place], cwd=source, check=False)
    for shards, seconds in of.items():
        print(f"{shards} shard(s): {statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})")
    print(f"{statistics.median(of[1]) / statistics.median(of[PARTS]):.2f} times as fast")


def step(call: Sequence[str], source: Path, shards: int, options: Sequence[str]) -> float:
    """Return the seconds that the tests' step of one run takes."""
    wait_until_quiet(source)
    argv = [*call, "test", *options, "--shards", str(shards)]
    done = subprocess.run(argv, cwd=source, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(argv)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    timings = json.loads((source / "results" / "integration" / "timings.json").read_text(encoding="utf-8"))
    return float(next(each["seconds"] for each in timings["steps"] if each["name"] == "tests"))


def wait_until_quiet(source: Path) -> None:
    """Wait until the pods of the run before are gone, and the one for the next is there, as after an edit."""
    held = held_cluster.find(source)
    if held is None:
        return
    core = Apis.of_kubeconfig(held.kubeconfig.read_text(encoding="utf-8")).core

    def observe() -> str | None:
        found = core.list_namespaced_pod(held.namespace, label_selector=JOB_NAME).items
        busy = [pod.metadata.name for pod in found if pod.metadata.deletion_timestamp or not is_ready(pod)]
        return f"{busy} come or go" if busy else None

    wait_until("pods", observe, timeout=QUIET)


if __name__ == "__main__":
    command, *options = sys.argv[1:]
    if command == "run":
        run(options)
    else:
        {"simulate": simulate, "merge": merge}[command]()
