"""Small repositories of somebody else's, and calls of the command line in them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    """A call that has ended."""

    code: int
    output: str
    errors: str

    @property
    def message(self) -> str:
        """The line that says what went wrong, and what follows it."""
        return f"\n{self.errors}".rpartition("\nError: ")[2].partition(" [traceparent")[0].strip()


def run(argv: list[str], where: Path, timeout: float) -> Done:
    """Run a command to its end."""
    done = subprocess.run(argv, cwd=where, capture_output=True, text=True, timeout=timeout, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


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
