"""`floe-ci test`: the main job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from floe_ci.cli import inner_loop, options
from floe_ci.errors import UserError
from floe_ci.shards import SCHEDULES
from floe_ci.signals import remembered
from floe_ci.verdict import table

if TYPE_CHECKING:
    from floe_ci.listeners import Progress
    from floe_ci.places import Place
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.verdict import Outcome

MOST_ATTEMPTS: Final = 3


@click.command("test", cls=inner_loop.Command)
@inner_loop.options
@options.on
@options.tier
@click.option("--keyword", "-k", default="", help="Run the tests whose name matches this expression, as pytest's -k.")
@click.option("--marker", "-m", default="", help="Run the tests whose markers match this expression, as pytest's -m.")
@click.option("--pytest-args", default="", help="Further arguments for pytest, as on its command line.")
@click.option(
    "--timeout", type=click.IntRange(min=1), help="Seconds for the tests as a whole. [default: as configured]"
)
@click.option(
    "--shards",
    metavar="N|auto",
    callback=options.shards,
    help="Run N parts of the tests at the same time, each in a process, a container or a pod; auto: one a processor. "
    "[default: as configured]",
)
@click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    help="static: each shard has its tests from the start; dynamic: it is handed them as it becomes free. "
    "[default: as configured]",
)
@click.option(
    "--attempts",
    type=click.IntRange(1, MOST_ATTEMPTS),
    default=1,
    show_default=True,
    metavar="N",
    help="Begin again what broke before its first test for want of a service, a cluster or an engine, until there "
    f"were N attempts, {MOST_ATTEMPTS} at most; not what ends by itself or is refused, and not with --keep.",
)
@click.option("--keep", is_flag=True, help="Leave what a failed run used, and say how to look into it.")
@click.option("--fresh", is_flag=True, help="Use nothing that `floe-ci up` has left.")
@click.option("--results", type=options.FOLDER, help="Where the results go. [default: results/<tier>]")
@options.source
@options.of_cluster
@options.as_json
def command(*, place: PlaceName | None, timeout: int | None, as_json: bool, attempts: int, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    r"""Run a tier's tests against real services, and leave the results.

    Files, folders and tests that are named run in place of all of the tier's: floe-ci test tests/unit/test_a.py::test_b
    finds the tier by its paths, unless --tier says another. What stands behind -- is pytest's.
    With tests that are named, --lf, --ff, --sw and --pdb, coverage and retries are off.

    The exit code is the run's:

    \b
    {codes}
    """
    with remembered():
        carry_out(place=place, timeout=timeout, as_json=as_json, attempts=attempts, **given)


def carry_out(*, place: PlaceName | None, timeout: int | None, as_json: bool, attempts: int, **given: Any) -> None:  # noqa: ANN401 - as above
    """Carry out the run, show what it came to, and exit with its code."""
    from floe_ci import places  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.cli import overview, progress  # noqa: PLC0415

    def read(outcome: Outcome) -> overview.Overview | None:
        try:
            return overview.Overview.read(outcome.folder)
        except UserError as error:  # the disk was full, for one: the verdict stands
            click.echo(f"{outcome.reason}\n{error}", err=True)
            return None

    def judged(outcome: Outcome) -> None:
        if not as_json and (found := read(outcome)):
            overview.show_briefly(found)

    if given["tests"]:
        given["tests"] = inner_loop.in_repository(given["tests"], given["source"])
        if click.get_current_context().get_parameter_source("tier") is ParameterSource.DEFAULT:
            given["tier"] = inner_loop.tier_of(given["tests"], given["source"], given["tier"])
    pytest_options = inner_loop.taken(given)
    request = options.request(timeout=timeout or 0, options=pytest_options, **given)
    interactive = bool(request.selection.interactive)
    with progress.shown(live=not as_json, judged=judged, beside=interactive) as told:
        place, request = options.settle(request, place, told)
        if attempts > 1 and request.keep:
            told.note(f"--attempts {attempts}: what --keep leaves for a look is not begun again")
        outcome = attempt(places.place(place), request, told, attempts)
    if as_json and (found := read(outcome)):
        click.echo(json.dumps({"place": place, **found.as_json()}, indent=2))
    click.get_current_context().exit(outcome.exit_code)


def attempt(place: Place, request: RunRequest, told: Progress, most: int) -> Outcome:
    """Carry out the run, and begin it again where it broke before any test had begun, until there were `most` attempts.

    Each is a run of its own; the last one's results say what became of those before, and have what they left. What
    would break on the same thing again is not begun again.
    """
    from floe_ci.folder import attempt_folder  # noqa: PLC0415 - as above

    outcome = place.run(request, told)
    for number in range(2, most + 1):
        if outcome.verdict != "errored" or outcome.began or outcome.lasts or request.keep:
            break
        why = (outcome.problem or outcome.reason).strip().splitlines()[0]
        left = f"what it left is in logs/{attempt_folder(number - 1)}/"
        request = request.again(f"attempt {number - 1} of {most} broke before its first test: {why}; {left}")
        outcome = place.run(request, told)
    return outcome


command.help = (command.help or "").replace("\\b", "\b").format(codes=table().replace("\n", "\n    "))
