"""Whether an engine is here, or something to start one on, told from real sockets and real commands."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from floe_ci import engine_probe
from floe_ci.places.dagger import DaggerPlace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requirement("REQ-648")


def command(folder: Path, name: str, script: str) -> dict[str, str]:
    """Return an environment in which one command is found."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def test_no_engine_is_named() -> None:
    """Where the environment names no engine, there is nothing to probe."""
    assert engine_probe.engine({}) is None


def test_engine_that_answers(tmp_path: Path) -> None:
    """An engine whose socket accepts a connection is usable."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        probe = engine_probe.engine({engine_probe.ENGINE_VARIABLE: f"unix://{tmp_path}/s"})
    assert probe == engine_probe.Probe(usable=True, what=f"unix://{tmp_path}/s", detail="answers")


@pytest.mark.parametrize("address", ["unix:///nowhere/engine.sock", "tcp://127.0.0.1:1", "tcp://"])
def test_engine_that_does_not(address: str) -> None:
    """An engine that can't be connected to is not usable, and what was said is kept."""
    probe = engine_probe.engine({engine_probe.ENGINE_VARIABLE: address})
    assert probe
    assert (probe.usable, probe.what) == (False, address)
    assert probe.detail


def test_runtime_that_answers(tmp_path: Path) -> None:
    """A container runtime whose `info` succeeds is usable."""
    probe = engine_probe.runtime(command(tmp_path, "podman", "exit 0"))
    assert (probe.usable, probe.what) == (True, "podman")


@pytest.mark.requirement("REQ-648.4")
def test_runtime_whose_daemon_is_not_there(tmp_path: Path) -> None:
    """A runtime that is installed and does not answer is not usable, and says why."""
    probe = engine_probe.runtime(command(tmp_path, "docker", "echo first; echo is the daemon running? >&2; exit 1"))
    assert not probe.usable
    assert probe.detail == "docker: is the daemon running?"


def test_no_runtime(tmp_path: Path) -> None:
    """Where none is installed, those that would do are named."""
    probe = engine_probe.runtime({"PATH": str(tmp_path)})
    assert not probe.usable
    assert probe.detail == "none of docker, podman, nerdctl, finch is on PATH"


def test_engine_behind_a_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is reached through a runtime is as usable as the runtime."""
    monkeypatch.setenv("PATH", command(tmp_path, "docker", "exit 0")["PATH"])
    probe = engine_probe.engine({engine_probe.ENGINE_VARIABLE: "docker-container://engine"})
    assert probe
    assert probe.usable


def test_place_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is named and doesn't answer is broken, and the finding says how to mend it."""
    monkeypatch.setenv(engine_probe.ENGINE_VARIABLE, "unix:///nowhere/engine.sock")
    (finding,) = DaggerPlace().check()
    assert (finding.what, finding.state) == ("Dagger engine", "broken")
    assert engine_probe.ENGINE_VARIABLE in finding.remedy
