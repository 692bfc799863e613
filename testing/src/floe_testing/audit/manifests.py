"""What the repository's manifests say of its services: their ports, and the values of their settings."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_KINDS: Final = {
    "port": "port",
    "user": "user",
    "username": "user",
    "password": "password",  # a key's name # pragma: allowlist secret
    "pass": "password",  # a key's name # pragma: allowlist secret
    "passwd": "password",  # a key's name # pragma: allowlist secret
    "database": "database",
    "dbname": "database",
    "db": "database",
    "bucket": "bucket",
    "host": "host",
    "hostname": "host",
    "server": "host",
    "key": "key",
    "token": "key",
    "secret": "password",  # pragma: allowlist secret
    "catalog": "catalog",
    "warehouse": "warehouse",
    "region": "region",
    "realm": "realm",
}
"""Kinds of settings, by the last word of their name."""
_SHORTEST: Final = 3
_PLAIN: Final = frozenset({"true", "false", "none", "null", "default", "test", "tests", "localhost", "127.0.0.1"})
"""Values that are nobody's in particular."""
_OPEN: Final = 1024


@dataclass(frozen=True)
class Setting:
    """A value of a manifest."""

    kind: str
    value: str
    path: str
    """From the root."""
    line: int

    @property
    def place(self) -> str:
        """Return `path:line`."""
        return f"{self.path}:{self.line}"


def kind_of(name: str) -> str | None:
    """Return the kind of setting that a name is of: `port` for `FLOE_MINIO_PORT` and `containerPort`."""
    words = "".join(f"_{letter}" if letter.isupper() and not name.isupper() else letter for letter in name)
    return _KINDS.get(words.lower().replace("-", "_").rpartition("_")[2])


def is_telling(kind: str, value: str) -> bool:
    """Tell whether a value is one that somebody chose, so that the same one elsewhere is a copy."""
    if kind == "port":
        return value.isdecimal() and int(value) >= _OPEN
    return len(value) >= _SHORTEST and value.lower() not in _PLAIN and "\n" not in value and "{{" not in value


def read_settings_of(globs: Iterable[str], root: Path) -> list[Setting]:
    """Return what the manifests of a repository set, sorted by place; what can't be read sets nothing."""
    files = {file for pattern in globs for file in root.glob(pattern) if file.is_file() and _is_own(file, root)}
    found: list[Setting] = []
    for file in sorted(files):
        relative = file.relative_to(root).as_posix()
        try:
            text = file.read_text(encoding="utf-8")
            pairs = list(_of_toml(text) if file.suffix == ".toml" else _of_yaml(text))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue  # a template, which is no YAML before it is rendered
        for name, value, line in pairs:
            kind = kind_of(name)
            if kind is not None and is_telling(kind, value):
                found.append(Setting(kind, value, relative, line))
    return found


def _is_own(file: Path, root: Path) -> bool:
    return not any(part.startswith(".") or part in {"node_modules", "venv"} for part in file.relative_to(root).parts)


def _of_yaml(text: str) -> Iterator[tuple[str, str, int]]:
    for document in yaml.compose_all(text, Loader=yaml.SafeLoader):
        if document is not None:
            yield from _of_node(document)


def _of_node(node: yaml.Node) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _of_node(each)
    if not isinstance(node, yaml.MappingNode):
        return
    scalars = {key.value: value for key, value in node.value if isinstance(value, yaml.ScalarNode)}
    for key, value in scalars.items():
        yield str(key), str(value.value), value.start_mark.line + 1
    if "name" in scalars and "value" in scalars:  # a variable of a container
        yield scalars["name"].value, str(scalars["value"].value), scalars["value"].start_mark.line + 1
    if (kind := scalars.get("kind")) is not None and kind.value == "Service":
        yield from _name_of(node)
    for _, value in node.value:
        if not isinstance(value, yaml.ScalarNode):
            yield from _of_node(value)


def _name_of(service: yaml.MappingNode) -> Iterator[tuple[str, str, int]]:
    for key, value in service.value:
        if key.value == "metadata" and isinstance(value, yaml.MappingNode):
            names = [given for each, given in value.value if each.value == "name"]
            yield from (("host", str(given.value), given.start_mark.line + 1) for given in names)


def _of_toml(text: str) -> Iterator[tuple[str, str, int]]:
    lines = text.splitlines()
    for name, value in _scalars(tomllib.loads(text)):
        line = next((number for number, each in enumerate(lines, start=1) if name in each and value in each), 1)
        yield name, value, line


def _scalars(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _scalars(value)
        elif isinstance(value, str | int):
            yield name, str(value)
