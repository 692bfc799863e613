"""`floe-ci up`: services for the inner loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from floe_ci.request import PlaceName


@click.command("up")
@options.on
@options.tier
@options.source
@options.of_cluster
def command(*, place: PlaceName | None, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Bring a tier's services up and leave them; `floe-ci test --on local` uses those of this machine."""
    from floe_ci import places  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.cli import progress  # noqa: PLC0415
    from floe_ci.places.choice import resolve  # noqa: PLC0415

    with progress.shown(live=True) as told:
        said = places.place(resolve(place, told)).up(options.request(**given), told)
    click.echo(said)
