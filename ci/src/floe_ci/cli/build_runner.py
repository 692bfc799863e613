"""`floe-ci build-runner`: the image that tests run in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from floe_ci.cli import options


@click.command("build-runner")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive to write. [default: dist/runner.tar, unless --push]",
)
@click.option("--push", default="", help="Push the image to this reference.")
@options.bill
@options.source
@options.of_registry
def command(*, output: Path | None, bill: Path | None, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Build the test-runner image with the Dagger engine, into an archive or a registry."""
    from floe_ci.places.dagger import DaggerPlace  # noqa: PLC0415 - `--help` needs none of it

    request = options.request(tier="unit", **given)
    archive = output or (None if request.push else Path("dist/runner.tar"))
    click.echo(DaggerPlace().build_runner(request, archive, bill))
