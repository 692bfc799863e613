"""Faults of a run in a Kind cluster of its own: results are there within seconds, and nothing of the run is left."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from faulted import FEWER, MOMENTS, Row, Started, first_line
from tests.engine.conftest import OPTIONS, SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from repositories import Repository
    from tests.engine.conftest import Dagger

pytestmark = pytest.mark.timeout(900)

TABLE = """
[tool.floe-ci.runner]
install = ["pytest"]
[tool.floe-ci.tiers.integration]
manifests = ["service.yaml"]
"""
TESTS = """
from threading import Event

def test_passes():
    assert 1 + 1 == 2

def test_waits():
    assert not Event().wait(%s)
"""
MAY_WAIT = 7.5
"""Seconds from a signal to the results."""
ENDS_IN = 60.0
"""Seconds that a process, and all that it made, may take to be gone."""
NOTICED_IN = 240.0
"""Seconds until a run has noticed that its cluster is gone."""
RESTART = "FLOE_CI_RESTART_ENGINE"
"""The variable that holds the command that starts the engine again, where it may be killed."""
NO_NODE = "redis:7.0.15"
"""A public image that no node can be made from."""


def processes_of(run_id: str) -> dict[int, str]:
    """Return the processes of this machine, containers' included, that have a run's id among their variables."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"FLOE_RUN_ID={run_id}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found[int(folder.name)] = command[:80]
    return found


def left_of(run_id: str) -> tuple[str, ...]:
    """Return what is left of a run's processes when they have had time to end."""
    deadline = time.monotonic() + ENDS_IN
    while (left := processes_of(run_id)) and time.monotonic() < deadline:
        pass
    return tuple(left.values())


@pytest.fixture
def begin(repository: Repository, tmp_path: Path, dagger: Dagger) -> Iterator[Callable[..., Started]]:  # noqa: ARG001 - there is an engine
    """Yield what starts a run of two tests, of which one waits for some seconds, or for ever."""
    repository.write("pyproject.toml", TABLE)
    repository.write("service.yaml", SMALL["web.yaml"])
    results = tmp_path / "results"
    with ExitStack() as stack:

        def start(*options: str, seconds: int | None = None) -> Started:
            repository.write("tests/integration/test_it.py", TESTS % seconds)
            argv = [sys.executable, "-m", "floe_ci", "test", "--on", "dagger", "--fresh", *OPTIONS]
            process = stack.enter_context(
                subprocess.Popen(
                    [*argv, "--results", str(results), *options],
                    cwd=repository.folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return Started(process, results, time.monotonic())

        yield start


def end(started: Started, name: str, what: str, since: float, limit: float = ENDS_IN) -> Row:
    """Wait until a run's results are there, and then for its end; return what came of it."""
    exit_code = started.results / "exit-code"
    while not exit_code.exists():
        assert time.monotonic() - since < limit, "no results"
        with suppress(subprocess.TimeoutExpired):
            started.process.wait(timeout=0.05)
    there = time.monotonic()
    started.process.communicate(timeout=ENDS_IN)
    files = (str(each.relative_to(started.results)) for each in started.results.rglob("*") if each.is_file())
    return Row(
        name,
        what,
        first_line(started.results),
        json.loads((started.results / "run.json").read_text())["verdict"],
        started.process.returncode,
        tuple(sorted(files)),
        round(there - since, 1),
        left_of(started.run_id),
    )


def beside_docker_of(started: Started) -> tuple[str, ...]:
    """Return what begins a command that has the files which the Docker of a run's nodes has."""
    docker = [number for number, command in processes_of(started.run_id).items() if command.startswith("dockerd")]
    if not docker:
        pytest.skip("the engine's processes can't be seen from here")
    return ("nsenter", "--target", str(docker[0]), "--mount")


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        *product(MOMENTS, (signal.SIGINT, signal.SIGTERM)),
        *product(FEWER, (signal.SIGHUP,)),
    ],
    ids=lambda each: getattr(each, "name", each),
)
def test_signal_in_kind(
    moment: str, number: signal.Signals, begin: Callable[..., Started], record: Callable[[Row], None]
) -> None:
    """A signal at any moment of a run in Kind ends it with results within seconds, and nothing of it is left."""
    started = begin(seconds=5 if moment == "collect" else None)
    started.wait_for(MOMENTS[moment])
    now = time.monotonic()
    started.process.send_signal(number)
    told = MOMENTS[moment].removesuffix(" …")
    row = end(started, f"{number.name.lower()}-in-kind-{moment}", f"{number.name} in Kind, at `{told}`", now)
    record(row)
    assert row.exit_code == 128 + number, row
    assert row.verdict == "interrupted"
    assert row.seconds <= MAY_WAIT, row
    assert {"summary.md", "junit.xml", "report.html"} <= {*row.results}
    ran = 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert ran == (moment in {"tests", "collect"})
    assert not row.left


def test_docker_dies(begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """A run whose nodes' Docker dies is infrastructure's fault, and keeps what the tests had told."""
    started = begin()
    started.wait_for(MOMENTS["tests"])
    docker = [number for number, command in processes_of(started.run_id).items() if "dockerd" in command]
    if not docker:
        pytest.skip("the engine's processes can't be seen from here")
    now = time.monotonic()
    for number in docker:
        os.kill(number, signal.SIGKILL)
    row = end(started, "docker-dies", "Docker, which the nodes are containers of, is killed", now, NOTICED_IN)
    record(row)
    assert row.exit_code == 3, row
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert not row.left


def test_node_dies(begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """A run whose node is stopped for good is infrastructure's fault, and keeps what the tests had told."""
    started = begin()
    started.wait_for(MOMENTS["tests"])
    inside = [*beside_docker_of(started), "--net", "docker"]
    listed = subprocess.run([*inside, "ps", "--quiet"], capture_output=True, text=True, timeout=60, check=True)
    now = time.monotonic()
    subprocess.run([*inside, "stop", "--time", "0", *listed.stdout.split()], timeout=60, check=True)
    row = end(started, "node-dies", "the container of the node is stopped", now, NOTICED_IN)
    record(row)
    assert row.exit_code == 3, row
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert not row.left


def test_session_dies(begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """A run whose connection to the engine is cut ends with that as its cause, and keeps what the tests had told."""
    started = begin()
    started.wait_for(MOMENTS["tests"])
    below = psutil.Process(started.process.pid).children(recursive=True)
    sessions = [each for each in below if "session" in each.cmdline()[1:2]]
    assert sessions
    now = time.monotonic()
    for each in sessions:
        each.kill()
    row = end(started, "session-dies", "the connection to the engine is cut", now, NOTICED_IN)
    record(row)
    assert row.exit_code == 3, row
    assert "the Dagger engine doesn't answer any more" in row.seen
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert not row.left


def test_engine_dies(begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """A run whose engine is killed ends with that as its cause, and the next one on the engine's return passes."""
    again = os.environ.get(RESTART)
    engines = [each for each in psutil.process_iter(["name"]) if each.info["name"].startswith("dagger-engine")]
    if not again or not engines:
        pytest.skip(f"no {RESTART} says how the engine is started again here, or it can't be seen from here")
    started = begin()
    started.wait_for(MOMENTS["tests"])
    now = time.monotonic()
    # As with the container that it is elsewhere: all that runs in it ends with it.
    for each in [*engines, *(child for engine in engines for child in engine.children(recursive=True))]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    try:
        row = end(started, "engine-dies", "the engine is killed", now, NOTICED_IN)
    finally:
        subprocess.run(shlex.split(again), timeout=600, check=True, stdout=subprocess.DEVNULL)
    record(row)
    assert row.exit_code == 3, row
    assert 'name="test_passes"' in (started.results / "junit.xml").read_text()
    assert not row.left
    after = begin(seconds=1)
    assert end(after, "engine-dies", "", after.began, NOTICED_IN).exit_code == 0


def test_cluster_that_can_not_be_created(begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """Where no cluster can be made of the nodes' image, the run says what kind said, and leaves nothing."""
    started = begin("--node-image", NO_NODE)
    # The image is pulled, and kind waits for its node to boot: minutes on a busy machine.
    row = end(started, "no-cluster", "`kind create cluster` fails", started.began, 2 * NOTICED_IN)
    record(row)
    assert row.exit_code == 3, row
    assert re.search(r"kind|node", row.seen), row
    assert not row.left


@pytest.mark.parametrize("moment", FEWER)
def test_killed_and_run_again(moment: str, begin: Callable[..., Started], record: Callable[[Row], None]) -> None:
    """A run that is killed leaves nothing that the next one, into the same folder, would take notice of."""
    killed = begin(seconds=5 if moment == "collect" else None)
    killed.wait_for(MOMENTS[moment])
    run_id = killed.run_id
    killed.process.kill()
    killed.process.communicate(timeout=ENDS_IN)
    again = begin(seconds=1)
    told = MOMENTS[moment].removesuffix(" …")
    what = f"a run in Kind is killed by SIGKILL, at `{told}`, and another begins"
    row = end(again, f"sigkill-in-kind-{moment}", what, again.began, NOTICED_IN)
    record(row)
    assert row.exit_code == 0, row
    assert not left_of(run_id)
    assert not row.left


HOLD: Final = """\
exec 3<&0
for name in 0 1 2 3 4 5 6 7; do
  (exec 9> /var/lib/docker/slot-$name.lock; ! flock --nonblock 9 || exec cat <&3) &
done
echo held
wait
"""
"""Takes each slot that is free until its input ends, as a run would that has it."""


def test_nine_at_once(begin: Callable[..., Started], record: Callable[[Row], None], tmp_path: Path) -> None:
    """A run in Kind that finds eight others is refused with what to do; they go on, and so does the next."""
    first = begin()
    first.wait_for(MOMENTS["tests"])
    inside = [*beside_docker_of(first), "sh", "-c", HOLD]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as others:
        assert others.stdin
        assert others.stdout
        assert others.stdout.readline() == b"held\n"
        ninth = begin("--results", str(tmp_path / "ninth"))
        ninth = replace(ninth, results=tmp_path / "ninth")
        row = end(ninth, "nine-at-once", "9 runs at once in Kind", ninth.began, NOTICED_IN)
        others.stdin.close()
    record(row)
    assert row.exit_code == 3, row
    assert "every slot of the cache volume is in use" in row.seen
    assert not row.left
    assert first.process.poll() is None
