"""The options that several commands have."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from floe_ci.errors import UserError
from floe_ci.request import PLACES, PlaceName, RunRequest, require_utf8
from floe_ci.selection import Selection
from floe_ci.shards import Count, parse
from floe_ci.tiers import TIERS, TierName

if TYPE_CHECKING:
    from floe_ci.listeners import Progress

Command = TypeVar("Command", bound=Callable[..., Any])
FOLDER: Final = click.Path(path_type=Path, file_okay=False)
on = click.option(
    "--on",
    "place",
    type=click.Choice(PLACES),
    help="Where the tests run. [default: dagger where an engine or a container runtime answers, else local]",
)
tier = click.option("--tier", type=click.Choice(TIERS), default="integration", show_default=True, help="Which tests.")


def _enterable(_ctx: click.Context, _param: click.Parameter, folder: Path) -> Path:
    """Refuse a folder in which nothing can be looked at, or that no run takes: each command would tell it its own way.

    Raises:
        UserError: Its path is not UTF-8.
    """
    with suppress(FileNotFoundError, NotADirectoryError):  # told with what is looked for there
        try:
            os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118 - a path drops the dot, which is in the folder
        except (OSError, ValueError) as error:
            msg = f"{ascii(str(folder))[:100]} can't be looked into: {getattr(error, 'strerror', None) or error}"
            raise click.BadParameter(msg) from None
        require_utf8(str(folder.resolve()))
    return folder


source = click.option(
    "--source",
    type=FOLDER,
    default=Path(),
    callback=_enterable,
    show_default="the folder of the call",
    help="The repository.",
)
registry = click.option("--registry", default="", help="Take every public image from this registry, by tag.")
registry_user = click.option(
    "--registry-user",
    default="",
    metavar="NAME",
    help="Who asks that registry. [default: as Docker's configuration says]",
)
registry_password = click.option(
    "--registry-password",
    default="",
    metavar="ADDRESS",
    help="Where that user's password is, as Dagger names secrets: env://NAME, file://PATH, cmd://COMMAND.",
)
node_image = click.option("--node-image", default="", help="The image of Kind's nodes. [default: the pinned one]")
kubernetes_version = click.option(
    "--kubernetes-version", default="", help="Kubernetes' version, such as 1.31.6, for Kind's nodes."
)
bill = click.option(
    "--bill",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a bill of materials of the test-runner image here, as CycloneDX.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="For machines: one JSON document on standard output.")


def of_cluster(command: Command) -> Command:
    """Add the options of places that have a cluster."""
    for option in (
        registry,
        registry_user,
        registry_password,
        click.option(
            "--bundle",
            type=click.Path(path_type=Path, dir_okay=False),
            help="For --on dagger: take everything from this file, which `floe-ci bundle` has made.",
        ),
        node_image,
        kubernetes_version,
        click.option("--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="For --on cluster."),
        click.option("--context", default="", help="For --on cluster: the kubeconfig's context, unless it is Kind's."),
        click.option("--image", default="", help="For --on cluster: a runner image that it can pull."),
        click.option("--push", default="", help="Push the runner image here; --on cluster pulls it."),
        click.option(
            "--images",
            multiple=True,
            metavar="NAME=REF",
            callback=pairs,
            help="For --on cluster: another image of the manifests, and where it can pull that; may be repeated.",
        ),
        click.option(
            "--addon",
            "addons",
            multiple=True,
            metavar="PATH=install|there",
            callback=pairs,
            help="For --on cluster: an add-on of the tier, made for the run and deleted after it, or there already; "
            "may be repeated.",
        ),
    ):
        command = option(command)
    return command


def of_registry(command: Command) -> Command:
    """Add the options that say where public images come from."""
    return registry(registry_user(registry_password(command)))


def settle(request: RunRequest, asked: PlaceName | None, told: Progress) -> tuple[PlaceName, RunRequest]:
    """Return the place that a request is carried out in, and the request as it is for that.

    Raises:
        UserError: Something of it is for another place, or does not go together.
    """
    from floe_ci.places.choice import resolve  # noqa: PLC0415 - `--help` needs none of it

    place = resolve(asked, told)
    request = fit(request, place, told, refuse=asked is not None)
    request.require_sound(place)
    return place, request


def fit(request: RunRequest, place: PlaceName, told: Progress, *, refuse: bool) -> RunRequest:
    """Return a request without what means nothing in a place.

    Args:
        request: What is asked.
        place: Where it is to be done.
        told: Is told in one line which options are left aside.
        refuse: Whether to refuse it instead: who names a place and gives options of another contradicts himself.

    Raises:
        UserError: Options of other places were given, and `refuse` is set, or it would be another run without them; all
            of them are told.
    """
    given = request.for_other_places(place)
    refused = {name: each for name, each in given.items() if refuse or not each.may_be_left}
    if refused:
        problems = [f"{each.option}: for {each.where}; {each.instead}" for each in refused.values()]
        raise UserError.of(problems, f"--on {place}")
    if given:
        told.note(f"left aside: {', '.join(f'{each.option} (for {each.where})' for each in given.values())}")
    return request.without(given)


def pairs(_ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Return what was given as `NAME=REF`, or as the option calls it, by name."""
    for pair in given:
        name, _, where = pair.partition("=")
        if not (name and where):
            msg = f"{pair!r}: must be {param.metavar}"
            raise click.BadParameter(msg)
    return {name: where for name, _, where in (pair.partition("=") for pair in given)}


def shards(_ctx: click.Context, _param: click.Parameter, given: str | None) -> Count:
    """Return into how many parts the tests are to be split; 0: nobody said."""
    try:
        return parse(given) if given is not None else 0
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def request(  # noqa: PLR0913 - a request is made of all options
    *,
    tier: TierName,
    source: Path,
    results: Path | None = None,
    keyword: str = "",
    marker: str = "",
    pytest_args: str = "",
    tests: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    **others: Any,  # noqa: ANN401 - the fields of a request, as click gives them
) -> RunRequest:
    """Return what the options ask for."""
    selection = Selection(keyword, marker, pytest_args, tests, options)
    where = results or Path("results") / tier
    from_there = "" if source == Path() else f" --source {shlex.quote(str(source))}"
    return RunRequest(tier=tier, source=source, results=where, selection=selection, from_there=from_there, **others)
