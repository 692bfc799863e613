"""`floe-ci env`: how what is up is reached, for a shell, an editor or a program."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Final

import click

from floe_ci.cli import options
from floe_ci.files import for_system

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PLAIN: Final = re.compile(r"[\w@%+=:,./-]*", re.ASCII)


def as_shell(variables: Mapping[str, str]) -> str:
    """Return lines that a POSIX shell evaluates."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def as_dotenv(variables: Mapping[str, str]) -> str:
    """Return the lines of a `.env` file; python-dotenv, Compose and editors read them alike."""
    return "\n".join(f"{name}={_quoted(value)}" for name, value in variables.items())


def as_json(variables: Mapping[str, str]) -> str:
    """Return one JSON object."""
    return json.dumps(dict(variables), indent=2)


FORMATS: Final[Mapping[str, Callable[[Mapping[str, str]], str]]] = {
    "shell": as_shell,
    "dotenv": as_dotenv,
    "json": as_json,
}


@click.command("env")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="shell", show_default=True)
@options.source
def command(*, form: str, source: Path) -> None:
    """Print the variables of the services that are up, passwords included: `eval "$(floe-ci env)"`."""
    from floe_ci import standing  # noqa: PLC0415 - `--help` needs none of it

    # For a program, not for a reader: what the terminal can't show is told all the same.
    click.echo(encoded(form, standing.find(source).environment))


def encoded(form: str, variables: Mapping[str, str]) -> bytes:
    """Return variables in a format, each value in the bytes that `floe-ci exec` hands it on as."""
    apart = [variables] if form == "json" else [{name: value} for name, value in variables.items()]  # JSON is ASCII
    return b"\n".join(for_system(FORMATS[form](each)) for each in apart)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"  # nothing in it is replaced
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("$", "\\$")
    return f'"{escaped}"'
