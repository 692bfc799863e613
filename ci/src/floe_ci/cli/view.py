"""Shows what results directories hold as tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from floe_ci.cli.overview import Overview, headline, show_briefly
from floe_ci.junit import first_line

if TYPE_CHECKING:
    from floe_ci.comparison import Comparison

MOST_CHANGES: Final = 100
_OF_TEXT: Final = frozenset(
    {"Suite", "Slowest tests", "Step", "Outcome", "Before", "After", "Test", "Reason", "Slower"}
)
"""Columns that hold no numbers."""


def show(overview: Overview) -> None:
    """Print everything as tables."""
    console = Console(highlight=False)
    numbers = ("Tests", "Passed", "Failed", "Errored", "Skipped", "Seconds")
    rows = [
        [suite, *map(str, (counts.total, *asdict(counts).values())), f"{seconds:.1f}"]
        for suite, (counts, seconds) in overview.suites.items()
    ]
    _print_table(console, ("Suite", *numbers), rows)
    _print_table(console, ("Slowest tests", "Seconds"), [[test, f"{took:.2f}"] for test, took in overview.slowest])
    steps = [
        [step.name, f"{step.started:.1f}", f"{step.seconds:.1f}", _first_line(step.error or "done")]
        for step in overview.measured.steps
    ]
    _print_table(console, ("Step", "Started", "Seconds", "Outcome"), steps)
    show_briefly(overview)


def show_comparison(before: Overview, after: Overview, comparison: Comparison) -> None:
    """Print what differs between two runs."""
    console = Console(highlight=False)
    changes = [[each.before or "-", each.after or "-", each.test, each.message] for each in comparison.changes]
    _print_table(console, ("Before", "After", "Test", "Reason"), changes[:MOST_CHANGES])
    if len(changes) > MOST_CHANGES:
        console.print(f"and {len(changes) - MOST_CHANGES} more; --json has them all")
    slower = [[each.test, f"{each.before:.2f}", f"{each.after:.2f}"] for each in comparison.slower]
    _print_table(console, ("Slower", "Seconds before", "Seconds after"), slower[:MOST_CHANGES])
    worse = sum(change.is_worse for change in comparison.changes)
    told = f"came to something else: {len(changes)}, of them failing now: {worse}; got slower: {len(slower)}"
    for name, overview in (("before", before), ("after", after)):
        click.echo(f"{name}: {headline(overview)}: {overview.told}, in {overview.folder}")
    click.echo(told)


def comparison_as_json(before: Overview, after: Overview, comparison: Comparison) -> dict[str, Any]:
    """Return all of a comparison, for machines."""
    runs = {"before": before, "after": after}
    return {
        **{
            name: {
                "results": str(each.folder),
                "run_id": each.measured.run_id,
                "verdict": each.verdict,
                "seconds": each.measured.total_seconds,
            }
            for name, each in runs.items()
        },
        "changes": [asdict(change) for change in comparison.changes],
        "slower": [asdict(each) for each in comparison.slower],
    }


def _print_table(console: Console, header: tuple[str, ...], rows: list[list[str]]) -> None:
    if rows:
        table = Table(*header, title_justify="left")
        for column in table.columns:
            numeric = column.header not in _OF_TEXT
            column.justify = "right" if numeric else "left"
            column.overflow = "fold"
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)


def _first_line(text: str) -> str:
    return first_line(text)[:200]
