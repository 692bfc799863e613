"""`floe-ci env` and `floe-ci exec` hand on what is up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.cli.env import FORMATS, as_dotenv, as_json, as_shell, encoded
from floe_ci.files import variables_for_system
from floe_ci.local import kept
from floe_ci.local.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    Call = Callable[..., Result]

VALUES = {"URL": "postgresql://u:p@h/x?a=b", "ODD": 'it\'s $HOME `x` "quoted" \\ #1', "EMPTY": "", "COLD": "grüß ☃"}
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""A locale that has no other characters, taken as it is."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository without anything up, and with a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def up(repository: Path) -> Iterator[Path]:
    """Yield the repository while services are kept for it."""
    with kept.claim(repository) as make_known:
        made = {"worker": 1, "services": ("postgres",), "variables": {}, "environment": VALUES, "passwords": ()}
        make_known(Kept.model_validate({**made, "source": repository, "pids": Path("p"), "logs": Path("l")}))
        yield repository


def test_shell_reads_it() -> None:
    """A shell that evaluates the lines has every value as it is."""
    script = f'{as_shell(VALUES)}\nprintf \'%s\\n\' "$URL" "$ODD" "$EMPTY" "$COLD"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split("\n")[:4] == list(VALUES.values())


def test_dotenv_quotes_what_has_to_be() -> None:
    """A value that is more than a word is quoted, so that nothing in it is replaced."""
    assert as_dotenv({"A": "x", "B": "a b$c", "C": "it's $x"}) == "A=x\nB='a b$c'\nC=\"it's \\$x\""


def test_json_is_one_object() -> None:
    """Programs get an object of names and values."""
    assert json.loads(as_json(VALUES)) == VALUES


def test_env_prints_what_is_up(call: Call, up: Path) -> None:
    """The command prints the variables of what is up for the repository."""
    told = call("env", "--format", "json", "--source", str(up))
    assert (told.exit_code, json.loads(told.stdout)) == (0, VALUES)


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "cp437"}, ASCII], ids=str)
@pytest.mark.parametrize("form", ["shell", "dotenv", "json"])
def test_env_prints_what_the_terminal_lacks(up: Path, form: str, variables: dict[str, str]) -> None:
    """A value comes out whole for whoever reads it, whatever characters the terminal can show."""
    command = [sys.executable, "-m", "floe_ci", "env", "--format", form, "--source", str(up)]
    done = subprocess.run(command, capture_output=True, env=os.environ | variables, check=True)
    assert done.stdout.decode() == f"{FORMATS[form](VALUES)}\n"


@pytest.mark.parametrize("form", ["shell", "dotenv"])
def test_env_and_exec_agree(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value comes out in the bytes that `exec` hands on, whatever another one beside it needs."""
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("latin-1"))
    variables = {"A": "grüß", "B": "☃"}
    handed = variables_for_system(variables)
    assert (handed[b"A"], handed[b"B"]) == ("grüß".encode("latin-1"), "☃".encode())
    lines = encoded(form, variables).splitlines()
    assert [handed[name] in line for name, line in zip((b"A", b"B"), lines, strict=True)] == [True, True]


def test_exec_hands_on_what_the_locale_lacks(up: Path) -> None:
    """A value reaches the command whole, whatever characters the locale has."""
    code = "import os; print(ascii(os.environb[b'COLD'].decode()))"
    command = [sys.executable, "-m", "floe_ci", "exec", "--source", str(up), "--", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ASCII, check=False)
    assert (done.returncode, done.stdout) == (0, f"{VALUES['COLD']!a}\n"), done.stderr


@pytest.mark.parametrize("command", [("env",), ("exec",)])
def test_nothing_is_up(call: Call, repository: Path, command: tuple[str, ...]) -> None:
    """Where nothing is up, both say how to bring it up, print nothing else, and exit with 2."""
    told = call(*command, "--source", str(repository), *(["--", "true"] if command == ("exec",) else []))
    assert (told.exit_code, told.stdout) == (2, "")
    assert "`floe-ci up --on local` brings them up" in told.stderr


def test_exec_runs_with_it(up: Path) -> None:
    """The command gets the variables and its own arguments as they are, and its exit code is that of `exec`."""
    code = "import os, sys; print(os.environ['ODD'], sys.argv[1:]); sys.exit(7)"
    command = [
        sys.executable,
        "-m",
        "floe_ci",
        "exec",
        "--source",
        str(up),
        "--",
        sys.executable,
        "-c",
        code,
        "-x",
        "--help",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, f"{VALUES['ODD']} ['-x', '--help']\n")


def test_exec_of_nothing_that_is_there(call: Call, up: Path) -> None:
    """A command that isn't there is named, and exits with 2."""
    told = call("exec", "--source", str(up), "--", "no-such-command")
    assert (told.exit_code, told.stderr) == (2, "floe-ci: no-such-command: No such file or directory\n")
