"""The command `floe-testing`: a group whose commands are imported when they are called."""

import importlib
from collections.abc import Sequence
from typing import Any, Final

import click

from floe_testing import streams
from floe_testing.errors import FloeTestingError

COMMANDS: Final = {
    "audit": "floe_testing.audit.cli:audit",
    "cleanup": "floe_testing.cleanup.cli:cleanup",
    "trace": "floe_testing.traceability.cli:command",
    "trend": "floe_testing.measuring.cli:trend",
}
"""Where each command is: `module:attribute`."""


class BadInputError(click.ClickException):
    """An error that tells the user what to mend, shown without a traceback."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run the command line, and exit with its code: also where its output can't be written."""
        streams.guard()
        try:
            return super().main(*args, **extra)
        except SystemExit as end:
            raise SystemExit(streams.exit_code(end.code, "floe-testing", BadInputError.exit_code)) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands' names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Return a command, None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command; what this framework raises becomes a message and exit code 2."""
        try:
            return super().invoke(ctx)
        except FloeTestingError as error:
            raise BadInputError(str(error)) from None


@click.group("floe-testing", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="floe-testing")
def group() -> None:
    """Look at a suite of tests: what it should test, how well it does, how long it takes."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line, and exit with its code."""
    group.main(args=args, prog_name="floe-testing")
