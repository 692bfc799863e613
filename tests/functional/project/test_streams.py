"""Both command lines go on where standard streams are closed, full, gone, or of an encoding that lacks characters."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
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


@pytest.mark.parametrize("module", LOST)
def test_output_that_waits_for_its_reader(module: str, tmp_path: Path) -> None:
    """Output that doesn't block and is full is written to as its reader reads: all of it arrives."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    full = _fill(writing)
    command = [sys.executable, "-m", module, "--help"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True) as process:
        os.close(writing)
        assert process.stderr is not None
        with pytest.raises(subprocess.TimeoutExpired):  # it waits, and neither fails nor drops anything
            process.wait(3)
        with os.fdopen(reading, "rb") as reader:
            told = reader.read()[full:].decode()
        assert (process.wait(60), process.stderr.read()) == (0, "")
    assert told == run(module, "--help", "", tmp_path)[1]


def _fill(writing: int) -> int:
    """Write until nothing more goes in; return how much did."""
    full = 0
    with suppress(BlockingIOError):
        while True:
            full += os.write(writing, b"x" * 512)
    return full


@pytest.mark.parametrize("module", LOST)
def test_system_without_the_null_device(module: str, tmp_path: Path) -> None:
    """Where all streams are open, no file is opened in the place of one: there may be no device for that."""
    start = f"import os, runpy, sys; os.devnull = '/nowhere'; runpy.run_module('{module}', run_name='__main__')"
    command = [sys.executable, "-c", start, "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("latin-1", r"\u0442"), ("cp1252", r"\u0442"), ("latin-1:replace", "????"), ("utf-8", "тест")],
)
def test_encoding_that_lacks_characters(encoding: str, shown: str, tmp_path: Path) -> None:
    """What the output's encoding has no character for is told as Python escapes it, or as its user has chosen."""
    (tmp_path / "test_тест.py").write_text(
        "import time\n\n\ndef test_a():\n    time.sleep(1)\n    assert 1 == 1\n", encoding="utf-8"
    )
    _, said = run("floe_testing", "audit . --level note", "2>&-", tmp_path, PYTHONIOENCODING=encoding)
    assert shown in said, said
    code, said = run("floe_ci", "init", "2>&-", _repository(tmp_path), PYTHONIOENCODING=encoding)
    assert (code, shown in said) == (0, True), said


def _repository(folder: Path) -> Path:
    """Make a repository whose tests are in a folder that Latin letters don't name."""
    tests = folder / "repository" / "тест" / "tests"
    tests.mkdir(parents=True)
    (tests / "test_a.py").touch()
    (folder / "repository" / "pyproject.toml").write_text("[project]\nname = 'a'\n", encoding="utf-8")
    return folder / "repository"
