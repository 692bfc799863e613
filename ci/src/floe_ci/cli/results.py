"""`floe-ci results`: what a run left."""

from __future__ import annotations

import json
from pathlib import Path

import click

from floe_ci.cli import options
from floe_ci.errors import UserError

DEFAULT = Path("results")


@click.group("results")
def command() -> None:
    """Show the results of a run."""


@command.command("show")
@click.argument("folder", type=options.FOLDER, required=False)
@options.as_json
def show(*, folder: Path | None, as_json: bool) -> None:
    """Show the results in FOLDER; default: the newest in `results`."""
    from floe_ci.cli import view  # noqa: PLC0415 - `--help` needs none of it

    overview = view.Overview.read(folder or newest(DEFAULT))
    if as_json:
        click.echo(json.dumps(overview.as_json(), indent=2))
    else:
        view.show(overview)


def newest(root: Path) -> Path:
    """Return the results directory that was written last, of `root` itself and the folders in it.

    Raises:
        UserError: There is none.
    """
    found = [path.parent for path in (*root.glob("timings.json"), *root.glob("*/timings.json"))]
    if not found:
        msg = f"{root}: there are no results here; `floe-ci test` makes some, or name their folder"
        raise UserError(msg)
    return max(found, key=lambda folder: (folder / "timings.json").stat().st_mtime)
