"""`floe-ci init`: the first table of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from floe_ci.cli import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("init")
@options.source
def command(*, source: Path) -> None:
    """Write the table [tool.floe-ci] into a repository's pyproject.toml, by what it depends on. Overwrites nothing.

    Where there is no pyproject.toml, it is written into a floe-ci.toml. In a repository of Git, the results go into
    .gitignore.
    """
    from floe_ci import proposal, suites  # noqa: PLC0415 - `--help` needs none of it

    proposed, file = proposal.write(source)
    services = ", ".join(proposed.services) or "none: no dependency speaks to one that is known"
    click.echo(f"{proposed}\n")
    click.echo(f"{file}: [tool.floe-ci] is written; look it through")
    if proposed.ignored:
        click.echo(f"{file.parent / '.gitignore'}: {', '.join(proposed.ignored)} is added")
    click.echo(f"services of the {proposed.tier} tier: {services}")
    if not (proposed.paths or suites.are_there(source)):
        where = f'[tool.floe-ci.tiers.{proposed.tier}] paths = ["FILE or FOLDER"]'
        click.echo(f"tests: no file that pytest takes for tests is found; add where they are: {where}")
    click.echo(f"next: floe-ci doctor, then floe-ci test --tier {proposed.tier}")
