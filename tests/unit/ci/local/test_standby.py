"""A standby, as the process that it is: the workers that it becomes are those that a caller would start itself."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil
import pytest
from floe_ci.driver.poll import wait_until
from floe_ci.local import messages, standby
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a repository that says nothing of its tests, and that has a standby."""
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory() as cache:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        (tmp_path / "pyproject.toml").write_text("[tool.floe-ci]\nno-such-key = 1\n", encoding="utf-8")
        with standby.beside(tmp_path):
            wait_until("the standby", lambda: is_there(tmp_path), timeout=60)
            yield tmp_path


def is_there(source: Path) -> str | None:
    """Return why a repository's standby isn't there yet."""
    path = standby.path_of(source)
    return None if path and path.exists() else "not there"


def process_of(source: Path) -> psutil.Process:
    """Return the standby of a repository."""
    path = str(standby.path_of(source))
    (found,) = (each for each in psutil.Process().children() if path in each.cmdline())
    return found


@contextmanager
def worker(source: Path) -> Iterator[tuple[standby.Worker, IO[str], IO[str]]]:
    """Yield a worker that a standby has become, what it reads, and what it writes."""
    (reading, orders), (told, writing) = os.pipe(), os.pipe()
    found = standby.ask(source, {0: reading, 1: writing, 2: 2})
    os.close(reading)
    os.close(writing)
    with os.fdopen(orders, "w") as orders_, os.fdopen(told) as told_:
        assert found
        yield found, orders_, told_


def test_worker(source: Path) -> None:
    """It carries out its order in the caller's words, and ends; the next caller has another."""
    for _ in range(2):
        with worker(source) as (process, orders, told):
            request = RunRequest(source=source, results=source / "results")
            orders.write(messages.Order(action="up", request=request).line())
            orders.flush()
            heard = [messages.read(line) for line in told]
            assert isinstance(heard[-1], messages.Refused)
            assert "no-such-key" in heard[-1].text
        assert process.wait() == 0


def test_worker_that_is_killed(source: Path) -> None:
    """Whoever asked is told how it ended, as of a process of its own."""
    with worker(source) as (process, _orders, told):
        there = process_of(source)
        wait_until("the worker", lambda: None if there.children() else "not there", timeout=60)
        (one,) = there.children()
        one.send_signal(signal.SIGKILL)
        assert told.read() == ""
    assert process.wait() == -signal.SIGKILL


def test_caller_that_is_gone(source: Path) -> None:
    """A worker that gets no order ends, and none is left."""
    with worker(source) as (process, _orders, _told):
        pass
    assert process.wait() == 0


def test_no_standby(source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another repository has none, nor has one of an interpreter with other variables, nor one that is gone."""
    assert standby.ask(tmp_path_factory.mktemp("other"), {}) is None
    path = standby.path_of(source)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "7")
        assert standby.ask(source, {}) is None
    one = process_of(source)
    one.kill()
    one.wait(10)
    assert path
    assert path.exists()
    assert standby.ask(source, {}) is None


def test_cache_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no cache there is no standby: the worker that begins in its place leaves results that say why."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert standby.ask(tmp_path, {}) is None


def test_interpreter_that_is_started_by_a_path_with_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the same interpreter by a relative path has the same standby; another one has not."""
    there = standby.path_of(tmp_path)
    own = Path(sys.executable)
    monkeypatch.setattr(sys, "executable", f"{own.parent}/../{own.parent.name}/{own.name}")
    assert standby.path_of(tmp_path) == there
    monkeypatch.setattr(sys, "executable", "/elsewhere/bin/python")
    assert standby.path_of(tmp_path) != there
