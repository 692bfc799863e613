"""`floe-ci schema`: what an editor completes and checks the table by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("schema")
@options.source
def command(*, source: Path) -> None:
    """Print a JSON schema of [tool.floe-ci], for editors to complete and check it: floe-ci schema > schema.json.

    A tier may name this package's services, and those of the repository.
    """
    from floe_ci.config import catalog_of  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.schema import schema  # noqa: PLC0415

    click.echo(json.dumps(schema(catalog_of(source)), indent=2))
