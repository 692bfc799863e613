"""Thirty runs in a cluster that stays, three at a time: none loses anything, and nothing grows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import psutil
import pytest
from floe_ci import held_cluster
from floe_ci.driver.apis import Apis
from floe_ci.driver.usage import summary

from faulted import Row, first_line
from tests.engine.conftest import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from floe_ci.held_cluster import Held

    from repositories import Repository
    from tests.engine.conftest import Dagger

pytestmark = pytest.mark.timeout(1500)

RUNS, AT_ONCE, SETTLED = 30, 3, 6
"""Runs, how many at a time, and after how many everything that is made once is there."""
LOOKING = 5.0
"""Seconds between two looks."""
ANSWER = 10
"""Seconds in which a node must tell what it takes."""
GROWTH, DISK = 1.10, 1.05
"""How much more memory, and disk, there may be taken in the end."""
SETTLING = 480.0
"""Seconds in which it must be so: what a cluster remembers of former states it drops every five minutes."""
TABLE = """
[tool.floe-ci.runner]
install = ["pytest"]
[tool.floe-ci.tiers.integration]
services = ["redis"]
"""
TESTS = """
import os, socket
import pytest

@pytest.mark.parametrize("number", range(10))
def test_service(number):
    socket.create_connection((os.environ["FLOE_REDIS_HOST"], int(os.environ["FLOE_REDIS_PORT"])), timeout=10).close()
"""


@dataclass(frozen=True)
class Taken:
    """What is taken at a moment, in bytes."""

    engine: int
    holder: int
    nodes: int
    disk: int

    @classmethod
    def now(cls, held: Held) -> Taken:
        """Look."""
        everything = [*psutil.process_iter(["name", "cmdline", "memory_info"])]
        engine = [each for each in everything if each.info["name"].startswith("dagger-engine")]
        holder = [each for each in everything if "floe_ci.holder" in (each.info["cmdline"] or ())]
        # What processes hold, as of the others: the cache of files gives way where memory is wanted.
        core = Apis.of_kubeconfig(held.kubeconfig.read_text(encoding="utf-8")).core
        told = [summary(core, node.metadata.name, ANSWER)["node"]["memory"] for node in core.list_node().items]
        return cls(
            sum(each.info["memory_info"].rss for each in engine),
            sum(each.info["memory_info"].rss for each in holder),
            sum(memory["rssBytes"] for memory in told),
            shutil.disk_usage("/").used,
        )

    def is_settled(self, before: Taken) -> bool:
        """Tell whether no more is taken than before, but for what may be."""
        memory = all(now <= then * GROWTH for now, then in zip(self.memory, before.memory, strict=True))
        return memory and self.disk <= before.disk * DISK

    @property
    def memory(self) -> tuple[int, int, int]:
        """What is memory of it."""
        return self.engine, self.holder, self.nodes


@pytest.fixture
def shop(repository: Repository, dagger: Dagger) -> Iterator[Repository]:  # noqa: ARG001 - there is an engine
    """Yield a repository whose cluster is up."""
    repository.write("pyproject.toml", TABLE)
    repository.write("tests/integration/test_it.py", TESTS)
    call = [sys.executable, "-m", "floe_ci"]
    try:
        subprocess.run([*call, "up", "--on", "dagger", *OPTIONS], cwd=repository.folder, check=True, timeout=600)
        yield repository
    finally:
        subprocess.run([*call, "down", "--on", "dagger"], cwd=repository.folder, check=True, timeout=300)


def run(shop: Repository, results: Path) -> tuple[int, int]:
    """Run the tests once, and return the exit code and how many passed by `junit.xml`."""
    argv = [sys.executable, "-m", "floe_ci", "test", "--on", "dagger", "--results", str(results), *OPTIONS]
    done = subprocess.run(argv, cwd=shop.folder, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, (results / "junit.xml").read_text().count("<testcase")


def test_soak(shop: Repository, tmp_path: Path, record: Callable[[Row], None]) -> None:
    """Of thirty runs at three a time each passes with all its tests, and memory and disk are as after the first."""
    held = held_cluster.find(shop.folder)
    assert held
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        first = [*pool.map(lambda number: run(shop, tmp_path / str(number)), range(SETTLED))]
        before = Taken.now(held)
        rest = [*pool.map(lambda number: run(shop, tmp_path / str(number)), range(SETTLED, RUNS))]
    if not (before.engine and before.holder):
        pytest.skip("the engine's processes can't be seen from here")
    seconds = round(time.monotonic() - began, 1)
    deadline = time.monotonic() + SETTLING
    while not (after := Taken.now(held)).is_settled(before) and time.monotonic() < deadline:
        Event().wait(LOOKING)
    last = tmp_path / str(RUNS - 1)
    files = tuple(sorted(str(each.relative_to(last)) for each in last.rglob("*") if each.is_file()))
    verdict = json.loads((last / "run.json").read_text())["verdict"]
    what = (
        f"{RUNS} runs in a cluster that stays, {AT_ONCE} at a time: engine {after.engine / before.engine:.2f}, "
        f"holder {after.holder / before.holder:.2f}, nodes {after.nodes / before.nodes:.2f}, "
        f"disk {after.disk / before.disk:.3f} times as much as after {SETTLED}"
    )
    assert [*first, *rest] == [(0, 10)] * RUNS
    assert after.is_settled(before), what
    record(Row("soak", what, first_line(last), verdict, 0, files, seconds, ()))
