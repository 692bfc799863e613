"""What a developer adds to `floe-ci test` while working on a few tests: their names, and pytest's own options."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from floe_ci.errors import UserError
from floe_ci.tiers import TIERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from floe_ci.tiers import TierName

PASSED_ON: Final = "floe_ci.passed_on"
"""The key in click's context of what stands behind `--`."""
_NUMBER: Final = "numprocesses"
FLAGS: Final = (
    ("last_failed", ("--lf", "--last-failed"), "Run the tests that failed last"),
    ("failed_first", ("--ff", "--failed-first"), "Run the tests that failed last before the others"),
    ("stepwise", ("--sw", "--stepwise"), "Stop at a failure, and go on from it the next time"),
    ("exitfirst", ("-x", "--exitfirst"), "Stop at the first failure"),
    ("pdb", ("--pdb",), "Stop in the debugger at a failure and at breakpoint()"),
)
"""Options of pytest's that it gets as they are: name, flags, help."""


class Command(click.Command):
    """A command that hands everything behind `--` to pytest, as it is."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what stands before `--`."""
        cut = args.index("--") if "--" in args else len(args)
        ctx.meta[PASSED_ON] = tuple(args[cut + 1 :])
        return super().parse_args(ctx, args[:cut])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the parts of the line of usage."""
        return [*super().collect_usage_pieces(ctx), "[-- PYTEST OPTIONS ...]"]


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the names of tests, and those of pytest's options that are asked for all day."""
    for name, flags, told in reversed(FLAGS):
        only = "" if name == "exitfirst" else "; --on local"
        command = click.option(*flags, name, is_flag=True, help=f"{told}, as pytest's {flags[0]}{only}.")(command)
    workers = click.option(
        "-n", "--numprocesses", _NUMBER, default="", metavar="N|auto", help="Workers of pytest-xdist, as its -n."
    )
    return click.argument("tests", nargs=-1, type=click.UNPROCESSED, metavar="[PATH[::TEST]] ...")(workers(command))


def taken(given: dict[str, Any]) -> tuple[str, ...]:
    """Take what `options` added out of what click gives, and return it as pytest's arguments."""
    flags = [flags[0] for name, flags, _told in FLAGS if given.pop(name)]
    number = given.pop(_NUMBER)
    workers = ("-n", number) if number else ()
    return (*flags, *workers, *click.get_current_context().meta[PASSED_ON])


def in_repository(tests: tuple[str, ...], source: Path) -> tuple[str, ...]:
    """Return files, folders and node ids of the caller's as paths in a repository.

    Raises:
        UserError: One of them is not there, or is elsewhere.
    """
    return tuple(_in_repository(test, source) for test in tests)


def tier_of(tests: tuple[str, ...], source: Path, preferred: TierName) -> TierName:
    """Return the tier that tests belong to by the configuration of their repository.

    Raises:
        UserError: There is none, or several; or the configuration is wrong.
    """
    from floe_ci.selection import belonging  # noqa: PLC0415 - `--help` needs none of it

    with suppress(UserError):
        return belonging(tests, _paths_of_tiers(source), preferred)
    # To read all of the table takes long, and what is wrong with it is to be told first.
    from floe_ci.config import read_repository  # noqa: PLC0415 - as the comment says

    tiers = read_repository(source)[0].tiers
    return belonging(tests, {name: tier.paths for name, tier in tiers.items()}, preferred)


def _paths_of_tiers(source: Path) -> dict[TierName, tuple[str, ...]]:
    """Return the paths of each tier as the table has them, whether it is right or not."""
    from floe_ci.toml_files import TABLE, configuration_file, document_of, table_in  # noqa: PLC0415 - as above

    tables = table_in(document_of(configuration_file(source)), "tool", TABLE, "tiers")
    given = {tier: table_in(tables, tier).get("paths", [f"tests/{tier}"]) for tier in TIERS}
    return {tier: tuple(map(str, paths)) if isinstance(paths, list) else () for tier, paths in given.items()}


def _in_repository(test: str, source: Path) -> str:
    place, separator, node = test.partition("::")
    root = Path(os.path.abspath(source))  # noqa: PTH100 - links in it stay
    for base in (root, Path.cwd()):
        path = Path(os.path.normpath(base / place))
        try:
            there = path.exists()
        except (OSError, ValueError):  # a name that is none
            there = False
        if place and there and path.is_relative_to(root):
            # pytest would take a name with an @ before it for a file of arguments.
            name = str(path.relative_to(root))
            return f"{f'./{name}' if name.startswith(('@', '-')) else name}{separator}{node}"
    msg = f"{test}: there is no file or folder {place!r} in {root}"
    raise UserError(msg)
