"""Sessions of pytest, in processes of their own and with nothing but the plugin for results."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from junitparser import Error, JUnitXml, TestCase, TestSuite

from floe_testing.waiting.polling import PollingConfig, Unmet, wait_for_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TIMEOUT = 60

LEDGER = """
import contextlib
import os
import threading

import pytest


def note(line):
    with contextlib.suppress(OSError):  # in a process that the session starts
        os.write(int(os.environ["LEDGER"]), line.encode() + b"\\n")


@pytest.hookimpl(trylast=True)
def pytest_runtest_logstart(nodeid):
    note("began " + nodeid.partition("::")[2])


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish(nodeid):
    note("ended " + nodeid.partition("::")[2])


@pytest.fixture
def say():
    return note


@pytest.fixture
def hang():
    def hang():
        # In rounds: a signal that comes just before a call that blocks is seen when that call returns.
        while not threading.Event().wait(0.1):
            pass

    return hang
"""
"""A conftest that tells, through a pipe, what the session has told its plugins; and a call that never returns."""


@dataclass(frozen=True)
class Case:
    """A test case of a `junit.xml`."""

    name: str
    kinds: tuple[str, ...]
    """Of its results: `failure`, `error`, `skipped`."""
    error: str
    out: str
    err: str


@dataclass
class Session:
    """A session, and the pipe by which its conftest tells of it."""

    junit: Path
    process: subprocess.Popen[bytes]
    ledger: int

    def lines(self) -> Iterator[str]:
        """Yield what the conftest tells, until the session's end, or until it has told nothing for a minute."""
        line = b""
        while select.select([self.ledger], [], [], TIMEOUT)[0] and (byte := os.read(self.ledger, 1)):
            if byte == b"\n":
                yield line.decode()
                line = b""
            else:
                line += byte

    def wait_for(self, awaited: str) -> None:
        """Return as soon as the conftest has told this."""
        told = []
        for line in self.lines():
            if line == awaited:
                return
            told.append(line)
        pytest.fail(f"{awaited!r} was not told within {TIMEOUT} s, but {told}; {self.cases()}")

    def wait_until(self, holds: Callable[[list[Case]], bool]) -> None:
        """Return as soon as its file holds what it should."""
        wait_for_condition(lambda: holds(self.cases()) or Unmet(str(self.cases())), PollingConfig(interval=0.1))

    def end(self, number: int | None = None) -> str:
        """Send a signal, or none, and return what the session printed until its end."""
        if number:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=TIMEOUT)
        return out.decode()

    def suite(self) -> TestSuite:
        """Return the suite of its file."""
        (suite,) = JUnitXml.fromfile(str(self.junit))
        return suite

    def cases(self) -> list[Case]:
        """Return the cases of its file, as `junitparser` reads them."""
        return [_case(case) for case in self.suite()]

    def close(self) -> None:
        """Leave nothing of it."""
        os.close(self.ledger)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate(timeout=TIMEOUT)


def _case(case: TestCase) -> Case:
    kinds = tuple(type(result).__name__.lower() for result in case.result)
    errors = [result.message or "" for result in case.result if isinstance(result, Error)]
    return Case(case.name or "", kinds, "".join(errors), case.system_out or "", case.system_err or "")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Return what starts a session over a module of tests, with further arguments and variables."""
    started: list[Session] = []

    def start(
        tests: str,
        *arguments: str,
        junit: str | None = "junit.xml",
        plugin: bool = True,
        conftest: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Session:
        (tmp_path / "conftest.py").write_text(LEDGER + conftest, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = requirement\n", encoding="utf-8")
        (tmp_path / "test_it.py").write_text(tests, encoding="utf-8")
        out, ledger = os.pipe()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "PYTEST_"))}
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
                *(["-p", "floe_testing.results.plugin"] if plugin else []),
                *([f"--junitxml={junit}"] if junit else []),
                *arguments,
            ],
            cwd=tmp_path,
            env=inherited | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "LEDGER": str(ledger)} | dict(environment),
            pass_fds=[ledger],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell has what it starts in the background ignore Ctrl-C, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - nothing else runs here
        )
        os.close(ledger)
        started.append(Session(tmp_path / (junit or "junit.xml"), process, out))
        return started[-1]

    yield start
    for each in started:
        each.close()
