"""`floe-ci results`: what a run left."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_ci.cli import options
from floe_ci.errors import UserError
from floe_ci.folder import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        click.echo(json.dumps(overview.as_json(), indent=2, allow_nan=False))
    else:
        view.show(overview)


def newest(root: Path) -> Path:
    """Return the results directory that was written last, of `root` itself and the folders in it.

    Raises:
        UserError: There is none.
    """
    folders = [root, *(path for path in root.glob("*/") if not path.name.startswith("."))]
    # A run that goes on, or was killed, is the newest as well: an earlier one's verdict is not this one's.
    found = {folder: max(times) for folder in folders if (times := [*_times(folder)])}
    if not found:
        msg = f"{root}: there are no results here; `floe-ci test` makes some, or name their folder"
        raise UserError(msg)
    return max(found, key=lambda folder: found[folder])


def _times(folder: Path) -> Iterator[float]:
    for name in (RUN, "timings.json"):
        with contextlib.suppress(OSError):
            yield (folder / name).stat().st_mtime
