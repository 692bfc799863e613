"""What an audit knows of the repository beside its tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from floe_testing.audit.config import TABLE, AuditConfig
from floe_testing.settings import TOOL

PYPROJECT: Final = "pyproject.toml"


@dataclass(frozen=True)
class Plugin:
    """An entry point of the repository."""

    group: str
    name: str
    value: str
    """The object it names: `orders.stores:PostgresStore`."""


@dataclass(frozen=True)
class Project:
    """A repository, as far as rules need it."""

    config: AuditConfig = field(default_factory=AuditConfig)
    plugins: tuple[Plugin, ...] = ()
    lines: tuple[str, ...] = ()
    """The lines of its `pyproject.toml`."""
    root: Path | None = None
    whole: bool = True
    """All of its tests are looked at, so that one that is not there can be missed."""

    def line_of(self, table: str, key: str) -> int:
        """Return the line of `pyproject.toml` where a key of a table stands, 1 if it can't be told.

        Args:
            table: The table's dotted name, or the end of it.
            key: The key.
        """
        inside = False
        for number, line in enumerate(self.lines, start=1):
            text = line.strip()
            if text.startswith("["):
                name = text.strip("[] ").replace('"', "").replace("'", "")
                if name == f"{table}.{key}":
                    return number
                inside = name == table
            elif inside and text.partition("=")[0].strip().strip("\"'") == key:
                return number
        return 1


def read_plugins(groups: Mapping[str, Mapping[str, str]], config: AuditConfig) -> tuple[Plugin, ...]:
    """Return the plugins of the groups that the audit is about, sorted."""
    wanted = groups if config.plugin_groups is None else config.plugin_groups
    return tuple(
        Plugin(group, name, value) for group in sorted(wanted) for name, value in sorted(groups.get(group, {}).items())
    )


JOURNEYS_TABLE: Final = f"tool.{TOOL}.{TABLE}.journeys"
PLUGINS_TABLE: Final = "project.entry-points"
