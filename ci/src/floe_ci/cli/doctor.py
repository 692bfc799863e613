"""`floe-ci doctor`: what is here, what is missing, and what a run would use."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.places import Finding
    from floe_ci.places.choice import Choice
    from floe_ci.request import PlaceName

REFUSED: Final = 2
NOWHERE: Final = 3
"""The exit codes where a run would be refused, and where it has nowhere to go: as those of a run that is."""
MARKS: Final = {"here": ("✓", "green"), "missing": ("-", "yellow"), "broken": ("✗", "red")}
WHAT_FOR: Final = {
    "dagger": "Kind inside Dagger",
    "cluster": "a cluster that is there",
    "local": "services on this machine",
}


@click.command("doctor")
@options.source
@options.as_json
def command(*, source: Path, as_json: bool) -> None:
    """Tell what is here, what is missing, what a run would use, and how to get the rest. Starts nothing.

    The exit code is 0 where a run has somewhere to go, else 3; 2 where what the repository says would be refused.
    """
    from floe_ci import examined  # noqa: PLC0415 - here and below: `--help` needs none of it
    from floe_ci.places import place  # noqa: PLC0415
    from floe_ci.places.choice import choose  # noqa: PLC0415
    from floe_ci.request import PLACES  # noqa: PLC0415

    with ThreadPoolExecutor() as pool:
        choosing = pool.submit(choose)
        checking = {name: pool.submit(place(name).check) for name in PLACES}
        choice, found = choosing.result(), {name: check.result() for name, check in checking.items()}
    repository = examined.findings(source)
    if as_json:
        places = {name: told(each) for name, each in found.items()}
        click.echo(json.dumps({"default": asdict(choice), "places": places, "repository": told(repository)}, indent=2))
    else:
        show(found, repository, choice)
    nowhere = 0 if usable(found[choice.place]) else NOWHERE
    click.get_current_context().exit(nowhere if usable(repository) else REFUSED)


def told(findings: list[Finding]) -> dict[str, object]:
    """Return findings for a machine."""
    return {"usable": usable(findings), "findings": [asdict(each) for each in findings]}


def usable(findings: list[Finding]) -> bool:
    """Tell whether nothing that a place needs is amiss."""
    return all(finding.state == "here" for finding in findings if finding.needed)


def show(found: dict[PlaceName, list[Finding]], repository: list[Finding], choice: Choice) -> None:
    """Print the findings of each place and of the repository, and the place that a run would take."""
    for name, findings in found.items():
        state = "can be used" if usable(findings) else "can't be used"
        click.echo(click.style(f"--on {name}", bold=True) + f"  {WHAT_FOR[name]}: {state}")
        show_findings(findings)
    if repository:
        state = "can be tested" if usable(repository) else "would be refused"
        click.echo(click.style("the repository", bold=True) + f"  {state}")
        show_findings(repository)
    click.echo(f"\n`floe-ci test` runs {choice}")


def show_findings(findings: list[Finding]) -> None:
    """Print findings, a line each, with what to do below."""
    for finding in findings:
        mark, colour = MARKS[finding.state]
        detail = f": {finding.detail}" if finding.detail else ""
        click.echo(f"  {click.style(mark, fg=colour)} {finding.what}{detail}")
        if finding.remedy:
            click.echo(f"      {finding.remedy}")
