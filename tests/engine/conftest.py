"""What the engine tests share: the Dagger command, small repositories, and one lock, since clusters are dear."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from floe_ci.dagger_cli import find

ROOT = Path(__file__).parents[2]
OPTIONS = shlex.split(os.environ.get("FLOE_CI_OPTIONS", ""))
"""For every run: which registry and node image this machine has."""


@dataclass(frozen=True)
class Done:
    """A call that has ended."""

    code: int
    output: str
    errors: str

    @property
    def message(self) -> str:
        """The line that says what went wrong, and what follows it."""
        return self.errors.rpartition("\nError: ")[2].partition(" [traceparent")[0].strip()


@dataclass(frozen=True)
class Dagger:
    """The Dagger command, and the module of this repository."""

    command: str
    root: Path = ROOT
    options: tuple[str, ...] = tuple(OPTIONS)
    registry: tuple[str, ...] = tuple(OPTIONS[OPTIONS.index("--registry") :][:2] if "--registry" in OPTIONS else ())
    """The options that name this machine's registry."""

    def argv(self, *args: str) -> list[str]:
        """Return the command line of a call."""
        return [self.command, "--progress=plain", "-m", str(ROOT), "call", *args]

    def call(self, *args: str, where: Path = ROOT, timeout: float = 600) -> Done:
        """Call a function of the module from the repository `where`."""
        done = subprocess.run(self.argv(*args), cwd=where, capture_output=True, text=True, timeout=timeout, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def test(self, tier: str, where: Path, results: Path, *more: str, function: str = "test") -> Done:
        """Run a tier and export its results."""
        args = (function, "--tier", tier, *self.options, *more, "export", "--path", str(results), "--wipe")
        return self.call(*args, where=where)


@pytest.fixture(scope="session")
def dagger() -> Dagger:
    """Return the Dagger command, where it reaches an engine."""
    try:
        command = find()
        subprocess.run([command, "core", "version"], capture_output=True, timeout=120, check=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no engine
        pytest.skip(f"there is no Dagger engine: {error}")
    return Dagger(command)


class Repository:
    """A small repository of somebody else's."""

    def __init__(self, folder: Path) -> None:
        """Make it a repository, with nothing but the table that names what to install."""
        self.folder = folder
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        self.write("pyproject.toml", '[tool.floe-ci.runner]\ninstall = ["pytest"]\n')

    def write(self, path: str, text: str) -> None:
        """Write one of its files."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a small repository, to be filled by the test."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)
