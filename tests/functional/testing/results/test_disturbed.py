"""Sessions whose tests freeze clocks, patch the operating system or fill the disk: their results are as without that."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from floe_testing.results.junit import NO_ROOM
from floe_testing.isolation.naming import Made, unique_name

if TYPE_CHECKING:
    from pathlib import Path

FREEZERS = {
    "freezegun": "from freezegun import freeze_time\nfrozen = lambda: freeze_time('2024-01-01')",
    "ticking": "from freezegun import freeze_time\nfrozen = lambda: freeze_time('2024-01-01', tick=True)",
    "time-machine": "import time_machine\nfrozen = lambda: time_machine.travel('2024-01-01', tick=False)",
    "by-hand": (
        "import contextlib, time\nfrom unittest import mock\n"
        "@contextlib.contextmanager\n"
        "def frozen():\n"
        "    with contextlib.ExitStack() as stack:\n"
        "        for name in ('time', 'perf_counter', 'monotonic', 'process_time'):\n"
        "            stack.enter_context(mock.patch.object(time, name, lambda: 1.7e9))\n"
        "        yield"
    ),
}
PATCHED = """
import os
import resource
import time
from unittest import mock
import pytest

def refuse(*_, **__):
    raise ZeroDivisionError("patched")

@pytest.fixture(scope="{scope}", autouse=True)
def patched():
    names = {{
        os: ["close", "fstat", "open", "pread", "pwrite", "replace", "unlink", "write", "rename", "getpid"],
        resource: ["getrusage"],
        time: ["process_time"],
    }}
    patches = [mock.patch.object(module, name, refuse) for module, some in names.items() for name in some]
    for each in patches:
        each.start()
    yield
    for each in reversed(patches):
        each.stop()

def test_first(): print("said")
def test_second(): assert 0
def test_third(): pass
"""
TESTS = """

import threading
import pytest

@pytest.fixture(scope="{scope}", autouse=True)
def freeze():
    with frozen():
        yield

def test_first(): pass
def test_slow():
    print("half way")
    threading.Event().wait(0.8)
def test_fails(): assert 0
def test_last(): pass
"""


def session(folder: Path, tests: str, *arguments: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a module of tests with the whole plugin, and its results in `R`; no file of it is longer than `limit`."""
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "PYTEST_"))}

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments],
        cwd=folder,
        env=environment | {"FLOE_RESULTS_DIR": str(folder / "R")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=prepare,  # noqa: PLW1509 - nothing else runs here
    )


def seconds(folder: Path) -> dict[str, float]:
    """Return how long each case of the results took."""
    cases = ET.parse(folder / "R" / "junit.xml").iter("testcase")  # noqa: S314 - our own file
    return {str(case.get("name")): float(case.get("time", "nan")) for case in cases}


@pytest.mark.parametrize("scope", ["function", "module", "session"])
@pytest.mark.parametrize("freezer", FREEZERS)
def test_frozen_clock(tmp_path: Path, freezer: str, scope: str) -> None:
    """Whatever froze the clock, and for how long: every test runs, and the session's length is a real one."""
    ended = session(tmp_path, FREEZERS[freezer] + TESTS.format(scope=scope))
    assert "3 passed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert set(seconds(tmp_path)) == {"test_first", "test_slow", "test_fails", "test_last"}
    performance = json.loads((tmp_path / "R" / "performance.json").read_text(encoding="utf-8"))
    assert 0.8 <= performance["seconds"] < 120
    assert all(0 <= test["cpu_seconds"]["call"] < 120 for test in performance["tests"])


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_patched_system(tmp_path: Path, scope: str) -> None:
    """Functions of `os` and of clocks that a test replaces are its own affair: results are written as ever."""
    ended = session(tmp_path, PATCHED.format(scope=scope), "--capture=sys")
    assert "1 failed, 2 passed" in ended.stdout, ended.stdout + ended.stderr
    assert set(seconds(tmp_path)) == {"test_first", "test_second", "test_third"}


def test_name_tells_the_real_time() -> None:
    """A name that is made while the clock is frozen tells when it was made, or a clean-up would take it for old."""
    freezegun, time_machine = pytest.importorskip("freezegun"), pytest.importorskip("time_machine")
    before = Made.read(unique_name("test", "run1"))
    with freezegun.freeze_time("2001-01-01"):
        frozen = unique_name("test", "run1")
    with time_machine.travel("2001-01-01", tick=False):
        shifted = unique_name("test", "run1")
    after = Made.read(unique_name("test", "run1"))
    assert before
    assert after
    for name in (frozen, shifted):
        made = Made.read(name)
        assert made
        assert before.at <= made.at <= after.at


MANY = """
import pytest

@pytest.mark.parametrize("number", range(1500))
def test_many(number, record_property):
    record_property("text", "x" * 300)
"""


@pytest.mark.parametrize("padding", [0, 133, 266])
def test_disk_without_room(tmp_path: Path, padding: int) -> None:
    """Whatever was being written when the disk was full, no test ends: the file can be read, and says that it is cut."""
    many = MANY.replace('"x" * 300', f'"x" * {300 + padding}')
    ended = session(tmp_path, many, "-q", "-o", "junit_family=xunit1", limit=400_000)
    assert "1500 passed" in ended.stdout, ended.stdout + ended.stderr
    assert "INTERNALERROR" not in ended.stdout
    (line,) = [line for line in ended.stdout.splitlines() if "junit.xml is not whole" in line]
    assert "File too large. Make room on the disk" in line
    suite = ET.parse(tmp_path / "R" / "junit.xml").getroot()  # noqa: S314 - our own file
    cases = list(suite.iter("testcase"))
    assert 100 < len(cases) < 1500
    assert not list((tmp_path / "R").glob(".*.new")), "nothing is left that takes up room"
    # What is cut must not be taken for the whole of a session that passed.
    error = cases[-1].find("error")
    assert error is not None
    assert error.get("message") == NO_ROOM


def test_disk_that_has_room_again(tmp_path: Path) -> None:
    """Where the disk has room again at the session's end, the file is whole, and nothing is said."""
    (tmp_path / "conftest.py").write_text(
        "import resource\n\n"
        "def pytest_sessionstart(): resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, -1))\n\n"
        "import pytest\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionfinish(): resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n",
        encoding="utf-8",
    )
    ended = session(tmp_path, MANY, "-q")
    assert "1500 passed" in ended.stdout, ended.stdout + ended.stderr
    assert "not whole" not in ended.stdout
    assert len(seconds(tmp_path)) == 1500
