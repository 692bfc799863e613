"""`floe-ci up`: services for the inner loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from floe_ci.request import PlaceName


def _finite(_ctx: click.Context, _param: click.Parameter, hours: float) -> float:
    """Refuse what is no time: no range of click's leaves it out."""
    if not math.isfinite(hours):
        msg = f"{hours} is no number of hours"
        raise click.BadParameter(msg)
    return hours


@click.command("up")
@options.on
@options.tier
@options.source
@click.option(
    "--idle",
    type=click.FloatRange(min=0.01),
    default=4.0,
    callback=_finite,
    show_default=True,
    metavar="HOURS",
    help="For --on dagger: end by itself when no run has used it for so long.",
)
@options.of_cluster
def command(*, place: PlaceName | None, idle: float, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Bring a tier's services up and leave them, for `floe-ci test` in the same place."""
    from floe_ci import places  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.cli import progress  # noqa: PLC0415

    with progress.shown(live=True) as told:
        request = options.request(idle=idle * 3600, **given)
        place, request = options.settle(request, place, told)
        said = places.place(place).up(request, told)
    click.echo(said)
