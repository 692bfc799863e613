"""What a repository says of itself, for its audit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from floe_testing.audit.config import RULE_IDS, TABLE, AuditConfig
from floe_testing.audit.project import PYPROJECT, Project, read_plugins
from floe_testing.audit.registry import all_rules
from floe_testing.settings import SettingsError, load_toml, read_settings


def read_project(root: Path) -> Project:
    """Return what the repository at `root` says of itself.

    Raises:
        SettingsError: Its `pyproject.toml` is no TOML, or its table says what can't be.
        BrokenRuleError: As for `all_rules`.
    """
    ids = [rule.id for rule in all_rules()]
    config = read_settings(AuditConfig, TABLE, root, context={RULE_IDS: ids})
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
