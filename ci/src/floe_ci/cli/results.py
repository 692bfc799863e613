"""`floe-ci results`: what runs left."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_ci.cli import options
from floe_ci.errors import UserError
from floe_ci.folder import RUN, is_of_a_run
from floe_ci.report import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT = Path("results")


@click.group("results")
def command() -> None:
    """Show the results of a run, open their page, or compare two runs.

    RESULTS is a folder, or a tier whose results are in `results`.
    """


@command.command("show")
@click.argument("results", required=False)
@options.as_json
def show(*, results: str | None, as_json: bool) -> None:
    """Show RESULTS; default: the newest in `results`."""
    from floe_ci.cli import view  # noqa: PLC0415 - `--help` needs none of it
    from floe_ci.cli.overview import Overview  # noqa: PLC0415 - as above

    found = Overview.read(place(results))
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, allow_nan=False))
    else:
        view.show(found)


@command.command("open")
@click.argument("results", required=False)
def open_page(*, results: str | None) -> None:
    """Open the page of RESULTS in a browser, and print where it is; default: the newest in `results`."""
    import webbrowser  # noqa: PLC0415 - `--help` needs none of it

    from floe_ci.cli.overview import refuse_unended  # noqa: PLC0415 - as above

    folder = place(results)
    refuse_unended(folder)
    page = folder / FILE
    if not page.is_file():
        msg = f"{page}: there is no such page; `floe-ci results show` tells of results without one"
        raise UserError(msg)
    click.echo(page)
    if not webbrowser.open(page.resolve().as_uri()):
        click.echo("floe-ci: there is no browser here: open this file where one is", err=True)


@command.command("compare")
@click.argument("before")
@click.argument("after")
@options.as_json
def compare(*, before: str, after: str, as_json: bool) -> None:
    """Tell which tests came to something else, or got slower, from the results BEFORE to the results AFTER."""
    from floe_ci.cli import view  # noqa: PLC0415 - `--help` needs none of it
    from floe_ci.cli.overview import Overview  # noqa: PLC0415 - as above
    from floe_ci.comparison import Comparison  # noqa: PLC0415 - as above

    old, new = (Overview.read(place(named)) for named in (before, after))
    comparison = Comparison.of(old.tests, new.tests)
    if as_json:
        click.echo(json.dumps(view.comparison_as_json(old, new, comparison), indent=2, allow_nan=False))
    else:
        view.show_comparison(old, new, comparison)


def place(named: str | None) -> Path:
    """Return the results that are meant: a folder, or else a tier's; where nothing is named the newest.

    Raises:
        UserError: Nothing is named, and there are none.
    """
    if not named:
        return newest(DEFAULT)
    given, of_tier = Path(named), DEFAULT / named
    return of_tier if is_of_a_run(of_tier) and not is_of_a_run(given) else given


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
