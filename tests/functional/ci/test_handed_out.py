"""A process that is handed tests runs those, with fixtures that live as long as they do where all are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import floe_ci
import pytest
from floe_ci import junit
from floe_ci.junit import Counts
from floe_ci.live import LiveTests

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGINS = Path(floe_ci.__file__).parent / "reporter"
TIMEOUT = 120
TESTS = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def of_session():
    print("\\nsession begins")
    yield
    print("\\nsession ends")

@pytest.fixture(scope="module", autouse=True)
def of_module(of_session):
    print("\\nmodule begins")
    yield
    print("\\nmodule ends")

@pytest.mark.parametrize("name", "abcdef")
def test_it(name):
    print("\\nruns " + name)
"""


@dataclass(frozen=True)
class Done:
    """How a process ended, and what it printed."""

    code: int
    output: str


class Shard:
    """A process that is one of two shards, and the file by which it is handed tests."""

    def __init__(self, folder: Path) -> None:
        """Know how long each test takes: two are a slice of their own, and the other four are the last."""
        self.folder, self.handed, self.events = folder, folder / "handed", folder / "events"
        (folder / "test_it.py").write_text(TESTS)
        seconds = {f"test_it.py::test_it[{name}]": 8.0 - n if n < 2 else 0.1 for n, name in enumerate("abcdef")}
        (folder / "durations.json").write_text(json.dumps(seconds))
        part = {"index": 0, "count": 2, "together": "test", "durations": str(folder / "durations.json")}
        (folder / "part.json").write_text(json.dumps({**part, "folder": str(folder), "handed": str(self.handed)}))

    def hand_out(self, *orders: dict[str, Any] | str, more: bool = False) -> None:
        """Write orders into the file, or what is none, or add them to it."""
        lines = (f"\n{each if isinstance(each, str) else json.dumps(each)}\n" for each in orders)
        with self.handed.open("a" if more else "w") as file:
            file.write("".join(lines))

    def run(self, *arguments: str) -> Done:
        """Run it to its end."""
        with self.begun(*arguments) as running:
            output, _ = running.communicate(timeout=TIMEOUT)
        return Done(running.returncode, output)

    def begun(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin to run it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "FLOE_"))}
        own = {
            "PYTHONPATH": str(PLUGINS),
            "FLOE_CI_SHARD": str(self.folder / "part.json"),
            "FLOE_CI_EVENTS": str(self.events),
        }
        plain = ("-s", "-p", "no:floe", "-p", "no:cacheprovider", "-p", "floe_ci_shard", "-p", "floe_ci_reporter")
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *plain, *arguments],
            cwd=self.folder,
            env={**kept, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until(self, condition: Callable[[], bool], running: subprocess.Popen[str]) -> None:
        """Wait until something is so, while it runs."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            assert running.poll() is None
            assert time.monotonic() < end
            with suppress(subprocess.TimeoutExpired):
                running.wait(timeout=0.1)

    def told(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of some kinds."""
        text = self.events.read_text() if self.events.exists() else ""
        found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [each for each in found if each["event"] in kinds]


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    """Return a shard that has not begun."""
    return Shard(tmp_path)


def happened(output: str) -> list[str]:
    """Return what tests and fixtures did, in its order."""
    words = ("session ", "module ", "runs ")
    return [line for line in output.splitlines() if line.startswith(words)]


def test_slices(shard: Shard) -> None:
    """What is handed out runs once each in that order, whatever else is in the file; fixtures end where they would."""
    cut = json.dumps({"number": 9, "slice": 0})[:-4]
    shard.hand_out(cut, {"number": 1, "slice": 1}, {"number": 1, "slice": 1}, {"number": 2, "slice": 2}, "3", "[]")
    with shard.handed.open("a") as file:
        file.write(json.dumps({"number": 3, "slice": 7}) + "\n" + json.dumps({"number": 4, "over": True}) + "\n")
    done = shard.run()
    assert done.code == 0, done.output
    ran = [f"runs {name}" for name in "bcdef"]
    assert happened(done.output) == ["session begins", "module begins", *ran, "module ends", "session ends"]
    assert shard.told("queue")[0]["slices"] == 3
    assert [each["number"] for each in shard.told("begins")] == [1, 2, 3]
    assert {test for each in shard.told("part") for test in each["tests"]} == {
        f"test_it.py::test_it[{n}]" for n in "bcdef"
    }


def test_asks_ahead(shard: Shard) -> None:
    """A shard asks for more when what it has at hand is soon over, and not while a long test is still to run."""
    shard.hand_out({"number": 1, "slice": 0}, {"number": 2, "slice": 2}, {"number": 3, "over": True})
    assert shard.run().code == 0
    said = [(each["event"], each.get("number")) for each in shard.told("wants", "begins", "ended")]
    a, last = (
        [("wants", None), ("begins", 1), ("ended", None)],
        [("begins", 2), ("wants", None), *[("ended", None)] * 4],
    )
    assert said == [*a, *last]


def test_fixtures_of_the_session_live_on(shard: Shard) -> None:
    """While it is not known what comes next, fixtures of the session stay, and they end once, with it."""
    following = {1: {"number": 2, "slice": 0}, 2: {"number": 3, "over": True}}
    shard.hand_out({"number": 1, "slice": 1})
    with shard.begun() as running:
        for number, order in following.items():
            shard.wait_until(lambda number=number: len(shard.told("wants")) > number, running)  # type: ignore[misc]
            shard.hand_out(order, more=True)
        output, _ = running.communicate(timeout=TIMEOUT)
    ran = [["module begins", f"runs {name}", "module ends"] for name in "ba"]
    assert happened(output) == ["session begins", *ran[0], *ran[1], "session ends"]


@pytest.mark.parametrize("is_known", [True, False], ids=["known to be last", "over later"])
def test_fixture_of_the_session_fails_at_its_end(shard: Shard, *, is_known: bool) -> None:
    """A fixture of the session that fails at its end is an error of the last test, whenever it is known to be last."""
    text = TESTS.replace('session ends")', "session ends\")\n    raise RuntimeError('it stays open')")
    (shard.folder / "test_it.py").write_text(text)
    over = {"number": 2, "over": True}
    shard.hand_out({"number": 1, "slice": 1}, *([over] if is_known else []))
    with shard.begun("--junitxml=junit.xml") as running:
        shard.wait_until(lambda: len(shard.told("ended")) > 0, running)
        if not is_known:
            shard.wait_until(lambda: len(shard.told("wants")) > 1, running)
            shard.hand_out(over, more=True)
        output, _ = running.communicate(timeout=TIMEOUT)
    assert running.returncode == 1, output
    assert happened(output)[-1] == "session ends"
    *before, last = shard.told("ended")
    assert ([each["outcome"] for each in before], last["outcome"]) == ([] if is_known else ["passed"], "errored")
    assert "it stays open" in last["message"]
    live = LiveTests()
    for line in shard.events.read_text().splitlines():
        live.feed(line)
    assert live.counts == Counts(errored=1)
    (case,) = junit.with_late(junit.read(shard.folder / "junit.xml").cases, live.late)
    assert case.outcome == "errored"
    assert case.title == "test_it::test_it[b]"


def test_fixtures_of_the_session_that_end_well(shard: Shard) -> None:
    """Where fixtures of the session outlive the last test and end well, nothing more is told of it."""
    shard.hand_out({"number": 1, "slice": 1})
    with shard.begun() as running:
        shard.wait_until(lambda: len(shard.told("wants")) > 1, running)
        shard.hand_out({"number": 2, "over": True}, more=True)
        output, _ = running.communicate(timeout=TIMEOUT)
    assert running.returncode == 0, output
    assert [each["outcome"] for each in shard.told("ended")] == ["passed"]


def test_what_another_shard_left(shard: Shard) -> None:
    """Tests can be handed out by their ids, too."""
    shard.hand_out({"number": 1, "tests": ["test_it.py::test_it[d]", "gone.py::test"]}, {"number": 2, "over": True})
    assert [line for line in happened(shard.run().output) if "runs" in line] == ["runs d"]


def test_nothing_is_left(shard: Shard) -> None:
    """A shard that comes too late runs nothing, and says that it was there."""
    shard.hand_out({"number": 1, "over": True})
    done = shard.run()
    assert (done.code, happened(done.output)) == (0, [])
    assert len(shard.told("queue")) == len(shard.told("wants")) == 1


def test_first_failure_ends_it(shard: Shard) -> None:
    """A shard that is to stop at its first failure runs nothing more that it has at hand."""
    (shard.folder / "test_it.py").write_text(TESTS + "    assert name != 'b'\n")
    shard.hand_out({"number": 1, "slice": 1}, {"number": 2, "slice": 0}, {"number": 3, "over": True})
    done = shard.run("-x")
    assert done.code == 1, done.output
    assert [line for line in happened(done.output) if "runs" in line] == ["runs b"]


def test_tests_are_only_collected(shard: Shard) -> None:
    """Where tests are only to be collected, nobody waits for them to be handed out."""
    done = shard.run("--collect-only", "-q")
    assert done.code == 0, done.output
    assert "6 tests collected" in done.output


def test_module_that_breaks(shard: Shard) -> None:
    """Where a module can't be imported, nobody waits for tests, and pytest says so as ever."""
    (shard.folder / "test_broken.py").write_text("import nothing_of_that_name\n")
    assert shard.run().code == 2
