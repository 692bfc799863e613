"""The specification of a data product, as its owner writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEYS = {"name", "namespace", "description", "owner", "source", "columns", "query"}
NEEDED = ("name", "namespace", "source", "columns", "query")
COLUMN_KEYS = {"type", "description", "classification"}


class SpecificationError(Exception):
    """A file is no specification; the message has a line for each problem."""


@dataclass(frozen=True)
class Column:
    """A column of the product's table."""

    name: str
    type: str
    description: str = ""
    classification: str = "internal"


@dataclass(frozen=True)
class Product:
    """A table that is made of files in a bucket."""

    file: str
    """Where it was read from, for messages."""
    name: str
    namespace: str
    source: str
    """`s3://bucket/prefix`: every CSV file below it."""
    query: str
    """SQL over `source`, the rows of all files."""
    columns: tuple[Column, ...]
    description: str = ""
    owner: str = ""


def read(path: Path) -> Product:
    """Read a specification.

    Raises:
        SpecificationError: It is none; every problem is told.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        reason = f"{path}: {error}"
        raise SpecificationError(reason) from error
    if not isinstance(found, dict):
        reason = f"{path}: must be a mapping with {', '.join(NEEDED)}"
        raise SpecificationError(reason)
    problems = [*_of_keys(found, KEYS, ""), *(f"{key}: is missing" for key in NEEDED if not found.get(key))]
    columns = found.pop("columns", None) or {}
    problems += [
        f"{key}: must be a text, not {value!r}" for key, value in found.items() if key in KEYS and not _is_text(value)
    ]
    if isinstance(columns, dict):
        problems += [problem for name, each in columns.items() for problem in _of_column(name, each)]
    else:
        problems.append("columns: must be a mapping of names to columns")
    if problems:
        raise SpecificationError("\n".join(f"{path}: {problem}" for problem in problems))
    return Product(str(path), columns=tuple(Column(name, **each) for name, each in columns.items()), **found)


def _of_column(name: object, column: object) -> list[str]:
    where = f"columns.{name}"
    if not isinstance(column, dict) or not column.get("type"):
        return [f"{where}: must be a mapping with a type"]
    texts = [f"{where}.{key}: must be a text, not {each!r}" for key, each in column.items() if not _is_text(each)]
    return [*_of_keys(column, COLUMN_KEYS, f"{where}."), *texts]


def _of_keys(found: Mapping[Any, object], known: set[str], where: str) -> list[str]:
    return [f"{where}{key}: unknown key; there are {', '.join(sorted(known))}" for key in found if key not in known]


def _is_text(value: object) -> bool:
    return isinstance(value, str)
