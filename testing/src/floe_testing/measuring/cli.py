"""The command `floe-testing trend`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from floe_testing.measuring.config import TABLE, PerformanceConfig
from floe_testing.measuring.trend import Trend, read_runs, trends
from floe_testing.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

_SHOWN: Final = 20


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULTS_DIR...")
@click.option("--json", "as_json", is_flag=True, help="Print every test as JSON.")
@click.option("--all", "everything", is_flag=True, help=f"Show every test, not only {_SHOWN} and what regressed.")
def trend(results: Sequence[Path], *, as_json: bool, everything: bool) -> None:
    """Show how long tests take beside the median of earlier runs.

    RESULTS_DIR is a folder with a performance.json, or a folder of such folders; which run is the newest, the files
    say. Tolerances are those of [tool.floe-testing.performance]. Where that says on-slower = "fail", the exit code is
    1 if a test regressed.
    """
    config = read_settings(PerformanceConfig, TABLE, Path.cwd())
    runs = read_runs(results)
    found = trends(runs, config)
    regressed = [each for each in found if each.regressed]
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found], indent=1))
    else:
        from rich.console import Console  # noqa: PLC0415 - not for JSON

        shown = found if everything else found[: max(_SHOWN, len(regressed))]
        Console().print(_table(shown))
        left_out = f", {len(found) - len(shown)} more with --all" if len(shown) < len(found) else ""
        click.echo(f"{len(regressed)} of {len(found)} tests regressed over {len(runs)} runs{left_out}")
    if regressed and config.on_slower == "fail":
        raise SystemExit(1)


def _table(found: Sequence[Trend]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table("Test", box=None, pad_edge=False)
    for name in ("Runs", "Before (s)", "Now (s)", "Change"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        before = "new" if each.before is None else f"{each.before:.3f}"
        change = "" if each.change is None else f"x {each.change:.2f}"
        cells = (str(each.runs), before, f"{each.now:.3f}", change)
        table.add_row(_plain(each.id), *cells, style="red" if each.regressed else None)
    return table


def _plain(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415 - as above

    return escape(text)
