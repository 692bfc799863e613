"""`floe-ci test`: the main job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from floe_ci.cli import options
from floe_ci.signals import remembered
from floe_ci.verdict import table

if TYPE_CHECKING:
    from floe_ci.request import PlaceName
    from floe_ci.results import Outcome


@click.command("test")
@options.on
@options.tier
@click.option("--keyword", "-k", default="", help="Run the tests whose name matches this expression, as pytest's -k.")
@click.option("--marker", "-m", default="", help="Run the tests whose markers match this expression, as pytest's -m.")
@click.option("--pytest-args", default="", help="Further arguments for pytest, as on its command line.")
@click.option(
    "--timeout", type=click.IntRange(min=1), help="Seconds for the tests as a whole. [default: as configured]"
)
@click.option("--keep", is_flag=True, help="Leave what a failed run used, and say how to look into it.")
@click.option("--fresh", is_flag=True, help="Use nothing that `floe-ci up` has left.")
@click.option("--results", type=options.FOLDER, help="Where the results go. [default: results/<tier>]")
@options.source
@options.of_cluster
@options.as_json
def command(*, place: PlaceName | None, timeout: int | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    r"""Run a tier's tests against real services, and leave the results.

    The exit code is the run's:

    \b
    {codes}
    """
    with remembered():
        carry_out(place=place, timeout=timeout, as_json=as_json, **given)


def carry_out(*, place: PlaceName | None, timeout: int | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - as above
    """Carry out the run, show what it came to, and exit with its code."""
    from floe_ci import places  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.cli import progress, view  # noqa: PLC0415
    from floe_ci.places.choice import resolve  # noqa: PLC0415

    def judged(outcome: Outcome) -> None:
        if not as_json:
            view.show_briefly(view.Overview.read(outcome.folder))

    request = options.request(timeout=timeout or 0, **given)
    with progress.shown(live=not as_json, judged=judged) as told:
        place = resolve(place, told)
        outcome = places.place(place).run(request, told)
    if as_json:
        click.echo(json.dumps({"place": place, **view.Overview.read(outcome.folder).as_json()}, indent=2))
    click.get_current_context().exit(outcome.exit_code)


command.help = (command.help or "").replace("\\b", "\b").format(codes=table().replace("\n", "\n    "))
