"""`floe-ci down`: the end of the inner loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from floe_ci.request import PlaceName


@click.command("down")
@options.on
@options.tier
@options.source
@options.of_cluster
def command(*, place: PlaceName | None, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Remove what `up` left; nothing there is no error."""
    from floe_ci import places  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.cli import progress  # noqa: PLC0415
    from floe_ci.places.choice import resolve  # noqa: PLC0415

    with progress.shown(live=True) as told:
        place = resolve(place, told)
        # Who cleans up with the options of `up` is not to be left with what is up.
        request = options.fit(options.request(**given), place, told, refuse=False)
        said = places.place(place).down(request, told)
    click.echo(said)
