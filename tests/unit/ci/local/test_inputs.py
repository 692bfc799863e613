"""What decides the packages of an environment is found where it is."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from floe_ci.local.inputs import Inputs

if TYPE_CHECKING:
    from pathlib import Path

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> None:
    """Call Git in a folder."""
    subprocess.run((*GIT, *arguments), cwd=folder, check=True, timeout=60, capture_output=True)


def digest(folder: Path) -> str:
    """Return the digest of a project that is used in place."""
    inputs = Inputs()
    inputs.project(folder, in_place=True)
    return inputs.digest


@pytest.fixture
def repository(tmp_path: Path, git_program: str) -> Path:
    """Return a repository of Git whose version comes from there."""
    assert git_program
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[build-system]\nrequires = ['setuptools-scm']\n")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "x")):
        git(folder, *arguments)
    return folder


@pytest.mark.parametrize("kind", ["repository", "worktree", "submodule"])
def test_tag_makes_another_environment(tmp_path: Path, repository: Path, kind: str) -> None:
    """A new tag counts where a version comes from Git's history, also in a worktree and in a submodule."""
    folder = repository
    if kind == "worktree":
        folder = tmp_path / "tree"
        git(repository, "worktree", "add", "-q", str(folder))
    elif kind == "submodule":
        (tmp_path / "whole").mkdir()
        git(tmp_path / "whole", "init", "-q")
        git(tmp_path / "whole", "submodule", "add", "-q", str(repository), "app")
        folder = tmp_path / "whole" / "app"
    before = digest(folder)
    assert digest(folder) == before
    git(folder, "tag", "v1")
    assert digest(folder) != before


def test_pipes_are_not_waited_for(repository: Path) -> None:
    """What is no file counts as none, wherever a file is looked for."""
    before = digest(repository)
    for name in ("setup.py", "setup.cfg", "uv.toml", "requirements.txt"):
        os.mkfifo(repository / name)
    assert digest(repository) == digest(repository) != before


def test_requirements_in_utf_16(repository: Path) -> None:
    """What a file in UTF-16 refers to counts, as uv reads it."""
    (repository / "requirements.txt").write_bytes("-r more.txt\r\n".encode("utf-16"))

    def counted() -> str:
        inputs = Inputs()
        inputs.arguments(["-r", "requirements.txt"], repository)
        return inputs.digest

    before = counted()
    (repository / "more.txt").write_text("a\n")
    assert counted() != before
