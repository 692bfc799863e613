"""The command `floe-testing cleanup`: remove what tests left behind, as when their process was killed."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from floe_testing.cleanup.leftovers import Keeper, Leftover, keepers
from floe_testing.errors import NoClusterError
from floe_testing.extras import MissingExtraError
from floe_testing.isolation.naming import run_tag
from floe_testing.services import ServiceNotDescribedError

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
NOT_HERE: Final = (MissingExtraError, NoClusterError, ServiceNotDescribedError)
"""What says that a server is not used here, rather than that it doesn't work."""


class Age(click.ParamType[timedelta]):
    """How long ago: `90s`, `30m`, `2h` or `7d`."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the time that a number and its unit mean."""
        found = re.fullmatch(r"(\d{1,5})([smhd])", str(value))
        if not found:
            self.fail(f"{value!r} is no age: write a number and its unit, as 90s, 30m, 2h or 7d", param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.command("cleanup")
@click.option("--run-id", help="The run whose leavings are removed: pytest prints its id at the start.")
@click.option("--older-than", type=Age(), help="Only what is older than this: 90s, 30m, 2h, 7d.")
@click.option("--dry-run", is_flag=True, help="Tell what would be removed.")
def cleanup(*, run_id: str | None, older_than: timedelta | None, dry_run: bool) -> None:
    """Remove what tests left behind: Kubernetes namespaces, databases, buckets and so on.

    Servers are found as tests find them; one that is not to be found is left out, and named. Exit code 1: something
    could not be removed, and the message says why. 2: there was no server at all to look at.
    """
    if run_id is None and older_than is None:
        message = "Say what to remove: --run-id, --older-than, or both."
        raise click.UsageError(message)
    tag = run_tag(run_id) if run_id is not None else None
    before = datetime.now(UTC) - older_than if older_than is not None else None

    missing, problems = [], []
    places = keepers()
    for place, opening in places.items():
        try:
            removed = remove(opening, lambda each: each.matches(tag, before), dry_run=dry_run)
        except NOT_HERE as error:
            missing.append(f"{place}: not looked at: {error}")
        except Exception as error:  # noqa: BLE001 - whatever one server says, the others are still cleaned
            problems.append(f"{place}: {type(error).__name__}: {error}")
        else:
            click.echo(f"{place}: {'would remove' if dry_run else 'removed'} {', '.join(removed) or 'nothing'}")
    for text in (*missing, *problems):
        click.echo(text, err=True)
    if problems:
        raise click.exceptions.Exit(1)
    if len(missing) == len(places):
        raise click.exceptions.Exit(2)


def remove(
    opening: Callable[[], AbstractContextManager[Keeper]], wanted: Callable[[Leftover], bool], *, dry_run: bool
) -> list[str]:
    """Remove what is wanted from one server, and return the names."""
    with opening() as keeper:
        names = sorted(each.name for each in keeper.find() if wanted(each))
        if names and not dry_run:
            keeper.remove(names)
    return names
