"""What an audit knows of the repository beside its tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from floe_testing.audit.config import TABLE, AuditConfig
from floe_testing.settings import TOOL, SettingsError, load_toml, read_settings

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


def read_project(root: Path) -> Project:
    """Return what the repository at `root` says of itself.

    Raises:
        SettingsError: Its `pyproject.toml` is no TOML, or its table says what can't be.
    """
    config = read_settings(AuditConfig, TABLE, root)
    file = root / PYPROJECT
    if not file.is_file():
        return Project(config, root=root)
    document = load_toml(file, PYPROJECT)
    groups = _entry_points(document)
    lines = tuple(file.read_text(encoding="utf-8").splitlines())
    return Project(config, read_plugins(groups, config), lines, root)


def _entry_points(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    """Return the table of entry points.

    Raises:
        SettingsError: Names what is no table or no string in it.
    """
    table: Any = document
    for depth, key in enumerate(("project", "entry-points"), start=1):
        table = table.get(key, {})
        if not isinstance(table, Mapping):
            where = ".".join(("project", "entry-points")[:depth])
            message = f"{PYPROJECT}: {where}: must be a table, not {table!r}"
            raise SettingsError(message)
    for group, entries in table.items():
        if not isinstance(entries, Mapping) or not all(isinstance(each, str) for each in entries.values()):
            message = f'{PYPROJECT}: project.entry-points.{group}: must be a table of names and "module:object"'
            raise SettingsError(message)
    return dict(table)


def read_plugins(groups: Mapping[str, Mapping[str, str]], config: AuditConfig) -> tuple[Plugin, ...]:
    """Return the plugins of the groups that the audit is about, sorted."""
    wanted = groups if config.plugin_groups is None else config.plugin_groups
    return tuple(
        Plugin(group, name, value) for group in sorted(wanted) for name, value in sorted(groups.get(group, {}).items())
    )


JOURNEYS_TABLE: Final = f"tool.{TOOL}.{TABLE}.journeys"
PLUGINS_TABLE: Final = "project.entry-points"
