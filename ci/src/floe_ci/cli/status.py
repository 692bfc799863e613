"""`floe-ci status`: what is up."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from floe_ci.cli import options


@click.command("status")
@options.as_json
def command(*, as_json: bool) -> None:
    """List what is up on this machine: for which repository, since when, how large, and when it ends by itself."""
    from floe_ci import upkeep  # noqa: PLC0415 - `--help` needs none of it

    found = upkeep.everything()
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found], indent=2))
        return
    if not found:
        click.echo("nothing is up; `floe-ci up` brings a tier's services up and leaves them")
        return
    now = datetime.now(UTC)
    for each in found:
        click.echo(each.describe(now))
