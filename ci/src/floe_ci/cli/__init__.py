"""`floe-ci`: runs tests against real services, wherever that is possible."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from floe_ci.cli import streams
from floe_ci.errors import RunError, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERRUPTED: Final = 130
REFUSED, BROKEN = 2, 3

COMMANDS: Final[Mapping[str, str]] = {
    "test": "Run a tier's tests against real services, and leave the results.",
    "build-runner": "Build the test-runner image.",
    "bundle": "Write all that runs take from elsewhere into one file, or push its images into a registry.",
    "up": "Bring a tier's services up and leave them, for the inner loop.",
    "down": "Remove what `up` left.",
    "env": "Print the variables of what is up.",
    "exec": "Run a command with the variables of what is up.",
    "status": "List what is up.",
    "shell": "Open a shell in the cluster that is up.",
    "results": "Show the results of a run, open their page, or compare two runs.",
    "doctor": "Tell what is here, what is missing, and what a run would use.",
    "init": "Write the table [tool.floe-ci] into a repository's pyproject.toml.",
    "schema": "Print a JSON schema of the table [tool.floe-ci], for editors.",
    "completion": "Print the completion script of a shell.",
}
"""Each command is a module of this package, which is imported when it is called."""


class Commands(click.Group):
    """Imports a command when it is called, and tells an error that explains itself without a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - as click has it
        """Run the command line, and exit with its code: also where its output can't be written."""
        streams.guard()
        try:
            return super().main(*args, **extra)
        except SystemExit as end:
            raise SystemExit(streams.exit_code(end.code, "floe-ci", BROKEN)) from None

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the commands in the order that they are needed in."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import the command called `name`."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"floe_ci.cli.{name.replace('-', '_')}").command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the command; its exit code is the run's, 2 for bad input, 3 for what broke, 130 for an interruption."""
        try:
            return super().invoke(ctx)
        except (UserError, RunError) as error:
            click.echo(f"floe-ci: {error}", err=True)
            ctx.exit(REFUSED if isinstance(error, UserError) else BROKEN)
        except KeyboardInterrupt:
            click.echo("floe-ci: interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="floe-ci")
def main() -> None:
    """Run tests against real services: in Kind inside Dagger, in a cluster that is there, or on this machine."""
