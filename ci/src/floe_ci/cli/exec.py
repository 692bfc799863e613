"""`floe-ci exec`: anything, with the services that are up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from floe_ci.cli import options
from floe_ci.errors import UserError
from floe_ci.files import variables_for_system

if TYPE_CHECKING:
    from pathlib import Path


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@options.source
@click.argument("command_line", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND ...")
def command(*, source: Path, command_line: tuple[str, ...]) -> None:
    """Run a command with the variables of the services that are up; its exit code is the command's."""
    from floe_ci import standing  # noqa: PLC0415 - `--help` needs none of it

    environment = variables_for_system(os.environ | standing.find(source).environment)
    try:
        # In this process's place: signals, the terminal and the exit code are the command's own.
        os.execvpe(command_line[0], command_line, environment)  # noqa: S606 # nosec B606 - as the caller says
    except OSError as error:
        msg = f"{command_line[0]}: {error.strerror}"
        raise UserError(msg) from None
