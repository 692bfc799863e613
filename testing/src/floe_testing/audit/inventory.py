"""What a repository's own test infrastructure is made of."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from floe_testing.suite.collection import CollectionRules, find_python_files
from floe_testing.suite.syntax import Names, dotted, parse, statements


@dataclass(frozen=True)
class Entry:
    """One module of the infrastructure."""

    path: str
    lines: int
    kinds: tuple[str, ...]
    """What it holds: fixtures, hooks, models, errors, commands, a base class of tests, or functions."""


def take_inventory(packages: Iterable[str], root: Path) -> list[Entry]:
    """Return the modules of some packages, by path; one that is empty or no Python is left out.

    Args:
        packages: Folders, relative to the repository.
        root: The repository.

    Raises:
        NoSuchPathError: Names every folder that is not there.
    """
    entries = []
    for file in find_python_files([root / package for package in packages], CollectionRules()):
        source = file.read_bytes()
        relative = file.relative_to(root.resolve()).as_posix()
        try:
            kinds = sorted(set(_kinds(parse(source, relative))))
        except (SyntaxError, ValueError):
            continue
        if kinds:
            entries.append(Entry(relative, source.count(b"\n"), tuple(kinds)))
    return entries


def _kinds(tree: ast.Module) -> Iterator[str]:
    names = Names()
    for statement in statements(tree.body):
        names.see(statement)
        if isinstance(statement, ast.ClassDef):
            yield _class_kind(statement)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _function_kind(statement, names)


def _class_kind(node: ast.ClassDef) -> str:
    bases = [(dotted(base) or "").rpartition(".")[2] for base in node.bases]
    if node.name.endswith(("Error", "Exception")):
        return "errors"
    if any(isinstance(each, ast.FunctionDef) and each.name.startswith(("setup_", "setUp")) for each in node.body):
        return "base classes of tests"
    if any(base in {"BaseModel", "Table", "StrEnum", "Enum"} for base in bases) or node.decorator_list:
        return "models"
    return "classes"


def _function_kind(node: ast.FunctionDef | ast.AsyncFunctionDef, names: Names) -> str:
    decorators = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    ends = {(names.resolve(each) or "").rpartition(".")[2] for each in decorators}
    if "fixture" in ends:
        return "fixtures"
    if ends & {"command", "group"}:
        return "commands"
    return "hooks" if node.name.startswith("pytest_") else "functions"
