"""The options that several commands have."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from floe_ci.errors import UserError
from floe_ci.request import PLACES, PlaceName, RunRequest
from floe_ci.selection import Selection
from floe_ci.shards import Count, parse
from floe_ci.tiers import TIERS, TierName

Command = TypeVar("Command", bound=Callable[..., Any])
FOLDER: Final = click.Path(path_type=Path, file_okay=False)
FOR_PLACES: Final[Mapping[str, tuple[PlaceName, ...]]] = {
    "registry": ("dagger", "cluster"),
    "node_image": ("dagger",),
    "kubernetes_version": ("dagger",),
    "idle": ("dagger",),
    **dict.fromkeys(("kubeconfig", "context", "image", "push", "images", "addons"), ("cluster",)),
}
"""Options that mean something in some places only; `RunRequest.require_place` tells more of those that are not here."""

on = click.option(
    "--on",
    "place",
    type=click.Choice(PLACES),
    help="Where the tests run. [default: dagger where an engine or a container runtime answers, else local]",
)
tier = click.option("--tier", type=click.Choice(TIERS), default="integration", show_default=True, help="Which tests.")


def _enterable(_ctx: click.Context, _param: click.Parameter, folder: Path) -> Path:
    """Refuse a folder in which nothing can be looked at: every look would fail in a way of its own."""
    with suppress(FileNotFoundError, NotADirectoryError):  # told with what is looked for there
        try:
            os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118 - a path drops the dot, which is in the folder
        except (OSError, ValueError) as error:
            msg = f"{ascii(str(folder))[:100]} can't be looked into: {getattr(error, 'strerror', None) or error}"
            raise click.BadParameter(msg) from None
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


def refuse_elsewhere(place: PlaceName) -> None:
    """Refuse options of the current command that mean nothing in a place, where one of them was given.

    Raises:
        UserError: It was; all of them are told.
    """
    context = click.get_current_context()
    given = {
        each.opts[0]: FOR_PLACES[each.name]
        for each in context.command.params
        if each.name in FOR_PLACES
        and place not in FOR_PLACES[each.name]
        and context.get_parameter_source(each.name) is not ParameterSource.DEFAULT
        and context.params[each.name]  # a script may hand on what nobody has set
    }
    if problems := [f"{option}: for --on {' or '.join(places)}; leave it out" for option, places in given.items()]:
        raise UserError.of(problems, f"--on {place}")


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
