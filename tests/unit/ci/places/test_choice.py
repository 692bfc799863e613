"""Where nobody names a place, a run takes Dagger where that can work, and this machine otherwise."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from floe_ci.engine_probe import ENGINE_VARIABLE
from floe_ci.places import choice
from floe_ci.places.choice import Choice, choose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a folder for commands."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def command(path: Path, name: str, script: str) -> None:
    """Put a command into a folder."""
    (path / name).write_text(f"#!/bin/sh\n{script}\n")
    (path / name).chmod(0o755)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    """Yield the address of something that listens as an engine would."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        yield f"unix://{tmp_path / 'engine.sock'}"


def test_nothing_is_local(path: Path) -> None:
    """Without an engine and a container runtime a run is on this machine, and says why."""
    chosen = choose({"PATH": str(path)})
    assert chosen.place == "local"
    assert str(chosen).startswith("on local: no container runtime answers")


def test_engine_is_dagger(path: Path, engine: str) -> None:
    """An engine that answers is used, and named."""
    assert choose({"PATH": str(path), ENGINE_VARIABLE: engine}) == Choice(
        "dagger", f"the Dagger engine {engine} answers"
    )


def test_unreachable_engine_is_local(path: Path, tmp_path: Path) -> None:
    """An engine that is named and doesn't answer is not used, also where there is a container runtime."""
    command(path, "docker", "exit 0")
    gone = f"unix://{tmp_path / 'gone.sock'}"
    chosen = choose({"PATH": str(path), ENGINE_VARIABLE: gone})
    assert chosen.place == "local"
    assert gone in chosen.why


def test_runtime_is_dagger(path: Path) -> None:
    """A container runtime that answers is used."""
    command(path, "docker", "exit 0")
    assert choose({"PATH": str(path)}).place == "dagger"


def test_runtime_that_does_not_answer_is_local(path: Path) -> None:
    """A container runtime that is installed and not started is not used, and its own words are the reason."""
    command(path, "docker", "echo the daemon is not running >&2; exit 1")
    chosen = choose({"PATH": str(path)})
    assert chosen.place == "local"
    assert "the daemon is not running" in chosen.why


def test_named_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that is asked for is taken without looking for another, and the reader is told."""
    monkeypatch.setattr(choice, "choose", lambda: pytest.fail("nobody asked"))
    notes: list[str] = []

    class Told:
        note = notes.append

    assert choice.resolve("cluster", Told()) == "cluster"  # type: ignore[arg-type]
    assert notes == ["on cluster: as asked"]
