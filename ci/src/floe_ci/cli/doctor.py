"""`floe-ci doctor`: what is here, what is missing, and what a run would use."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from floe_ci.places import Finding
    from floe_ci.places.choice import Choice
    from floe_ci.request import PlaceName

NOWHERE: Final = 3
"""The exit code where a run has nowhere to go: as that of a run whose place broke."""
MARKS: Final = {"here": ("✓", "green"), "missing": ("-", "yellow"), "broken": ("✗", "red")}
WHAT_FOR: Final = {
    "dagger": "Kind inside Dagger",
    "cluster": "a cluster that is there",
    "local": "services on this machine",
}


@click.command("doctor")
@options.as_json
def command(*, as_json: bool) -> None:
    """Tell what is here, what is missing, what a run would use, and how to get the rest. Starts nothing.

    The exit code is 0 where a run has somewhere to go, else 3.
    """
    from floe_ci.places import place  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.places.choice import choose  # noqa: PLC0415
    from floe_ci.request import PLACES  # noqa: PLC0415

    with ThreadPoolExecutor() as pool:
        choosing = pool.submit(choose)
        checking = {name: pool.submit(place(name).check) for name in PLACES}
        choice, found = choosing.result(), {name: check.result() for name, check in checking.items()}
    if as_json:
        places = {
            name: {"usable": usable(each), "findings": [asdict(one) for one in each]} for name, each in found.items()
        }
        click.echo(json.dumps({"default": asdict(choice), "places": places}, indent=2))
    else:
        show(found, choice)
    click.get_current_context().exit(0 if usable(found[choice.place]) else NOWHERE)


def usable(findings: list[Finding]) -> bool:
    """Tell whether nothing that a place needs is amiss."""
    return all(finding.state == "here" for finding in findings if finding.needed)


def show(found: dict[PlaceName, list[Finding]], choice: Choice) -> None:
    """Print the findings of each place, and the one that a run would take."""
    for name, findings in found.items():
        state = "can be used" if usable(findings) else "can't be used"
        click.echo(click.style(f"--on {name}", bold=True) + f"  {WHAT_FOR[name]}: {state}")
        for finding in findings:
            mark, colour = MARKS[finding.state]
            detail = f": {finding.detail}" if finding.detail else ""
            click.echo(f"  {click.style(mark, fg=colour)} {finding.what}{detail}")
            if finding.remedy:
                click.echo(f"      {finding.remedy}")
    click.echo(f"\n`floe-ci test` runs {choice}")
