"""Both command lines go on where standard streams are closed, full, gone, or of an encoding that lacks characters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
LOST = {"floe_ci": 3, "floe_testing": 2}
"""The exit code where what was asked for could not be told."""
RUNS = [
    (module, arguments)
    for module, commands in {
        "floe_ci": ["--version", "--help", "test --help", "completion bash", "status", "status --json"],
        "floe_testing": ["--version", "--help", "audit --help"],
    }.items()
    for arguments in commands
]
NO_ERROR = [(module, arguments, 0) for module, arguments in RUNS]
REFUSED = [("floe_ci", "results show", 2), ("floe_ci", "nope", 2), ("floe_testing", "trend nope", 2)]


def run(module: str, arguments: str, redirections: str, folder: Path, **variables: str) -> tuple[int, str]:
    """Run a command with redirections of a shell's, and return its exit code and what is left of what it told."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder), "XDG_STATE_HOME": str(folder)} | variables
    command = f"exec {sys.executable} -m {module} {arguments} {redirections}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, timeout=60, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(("module", "arguments"), RUNS)
def test_output_that_is_full(module: str, arguments: str, tmp_path: Path) -> None:
    """A command whose output can't be written says so in one line, and its exit code is not that of success."""
    told = f"{module.replace('_', '-')}: standard output can't be written: No space left on device\n"
    assert run(module, arguments, f">{FULL}", tmp_path) == (LOST[module], told)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(("module", "arguments", "code"), REFUSED)
def test_errors_that_nobody_reads(module: str, arguments: str, code: int, tmp_path: Path) -> None:
    """A command that is refused has its exit code where what it says of that can't be written either."""
    for redirections in (f"2>{FULL}", f">{FULL} 2>&1", "2>&-", ">&- 2>&-"):
        assert run(module, arguments, redirections, tmp_path) == (code, ""), redirections


@pytest.mark.parametrize(("module", "arguments", "code"), [*NO_ERROR, *REFUSED])
def test_streams_that_are_closed(module: str, arguments: str, code: int, tmp_path: Path) -> None:
    """A command does what it does without standard streams, and tells nothing where none is."""
    assert run(module, arguments, "<&-", tmp_path)[0] == code
    assert run(module, arguments, "<&- >&- 2>&-", tmp_path) == (code, "")


@pytest.mark.parametrize("module", LOST)
def test_reader_that_went_away(module: str, tmp_path: Path) -> None:
    """Whoever reads a part of the output and goes has had what it wanted: the exit code is that of the command."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        command = [sys.executable, "-m", module, "--help"]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE, timeout=60, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_encoding_that_lacks_characters(encoding: str, tmp_path: Path) -> None:
    """What the terminal's encoding has no character for is told as Python escapes it."""
    code, said = run("floe_ci", "results show тест", "", tmp_path, PYTHONIOENCODING=encoding)
    assert (code, r"\u0442\u0435\u0441\u0442: no results of a run" in said) == (2, True), said
