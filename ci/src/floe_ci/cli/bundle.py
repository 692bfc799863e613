"""`floe-ci bundle`: runs where no registry and no package index can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from floe_ci.cli import options

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("bundle", invoke_without_command=True)
@options.tier
@click.option("--output", type=FILE, default=Path("dist/bundle.tar"), show_default=True, help="The file to write.")
@options.bill
@options.source
@options.of_registry
@options.node_image
@options.kubernetes_version
@click.pass_context
def command(context: click.Context, /, *, output: Path, bill: Path | None, **given: Any) -> None:  # noqa: ANN401 - as click gives them
    """Write all that a tier's runs in Dagger take from elsewhere into one file: images, charts, Python packages.

    `floe-ci test --bundle FILE` runs from it.
    """
    if context.invoked_subcommand:
        refuse_before(context)
        return
    import anyio  # noqa: PLC0415 - here and below: `--help` needs none of it

    from floe_ci import bundling  # noqa: PLC0415
    from floe_ci.cli import progress  # noqa: PLC0415

    request = options.request(**given)
    with progress.shown(live=True) as told:
        contents = anyio.run(bundling.make, request, output, bill, told)
    for name, digest in contents.images.items():
        click.echo(f"image {name} {digest}")
    for name in contents.charts:
        click.echo(f"chart {name}")
    click.echo(output)


def refuse_before(context: click.Context) -> None:
    """Refuse options of the command itself where another one follows, which would not hear of them.

    Raises:
        click.UsageError: There are some.
    """
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        name = context.invoked_subcommand
        msg = f"{', '.join(given)} before {name}: options of {name} go behind it; see its --help"
        raise click.UsageError(msg)


@command.command("push")
@click.argument("bundle", type=FILE)
@click.argument("registry")
@options.registry_user
@options.registry_password
def push(*, bundle: Path, **given: Any) -> None:  # noqa: ANN401 - as above
    """Push every image of BUNDLE into REGISTRY, by tag: a host such as mirror.example.com, or a folder in one.

    `floe-ci test --on cluster --registry REGISTRY --image REGISTRY/runner:dev` takes them from there.
    """
    import anyio  # noqa: PLC0415 - as above

    from floe_ci import bundling  # noqa: PLC0415
    from floe_ci.cli import progress  # noqa: PLC0415

    request = options.request(tier="unit", source=Path(), **given)
    with progress.shown(live=True) as told:
        pushed = anyio.run(bundling.put, bundle, request, told)
    for reference in pushed:
        click.echo(reference)
