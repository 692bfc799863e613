"""`floe-ci completion`: the shell's own completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL: `eval "$(floe-ci completion bash)"`."""
    script = get_completion_class(shell)
    assert script is not None, "the choices are click's own"  # noqa: S101 - for the type checker
    click.echo(script(ctx.find_root().command, {}, "floe-ci", "_FLOE_CI_COMPLETE").source())
