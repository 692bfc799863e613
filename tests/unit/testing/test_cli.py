"""The group of commands."""

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from floe_testing import cli
from floe_testing.errors import FloeTestingError


@pytest.mark.parametrize("place", cli.COMMANDS.values())
def test_every_command_is_there(place: str) -> None:
    """Each name of the group stands for a command."""
    module, _, attribute = place.partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


def test_help_lists_the_commands() -> None:
    """The help names every command."""
    found = CliRunner().invoke(cli.group, ["--help"])
    assert found.exit_code == 0
    assert all(name in found.stdout for name in cli.COMMANDS)


def test_unknown_command_is_refused() -> None:
    """A command that is not there is wrong usage."""
    found = CliRunner().invoke(cli.group, ["tracing"])
    assert found.exit_code == 2
    assert "No such command 'tracing'" in found.stderr


def test_own_errors_have_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this framework raises is a message and exit code 2."""

    def fail(*_: object) -> None:
        raise FloeTestingError("docs/a.md:3: wrong; mend it")  # noqa: EM101, TRY003 - the text is the test's

    monkeypatch.setattr("floe_testing.traceability.cli.trace", fail)
    found = CliRunner().invoke(cli.group, ["trace"])
    assert found.exit_code == 2
    assert found.stderr == "Error: docs/a.md:3: wrong; mend it\n"


def test_one_command_does_not_import_another() -> None:
    """Asking for one command's help leaves the others' modules alone."""
    code = (
        "import sys, floe_testing.cli as cli\n"
        "try: cli.main(['trace', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('floe_testing.audit.cli', 'floe_testing.measuring.cli') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
