"""What the modules of a package import of one another: read from the syntax trees of all files."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [ROOT / "ci" / "src" / "floe_ci", ROOT / "testing" / "src" / "floe_testing"]
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a syntax tree's nodes that hold statements, or what holds them."""
Graph: TypeAlias = dict[str, dict[str, str]]
"""What each module or folder imports, and where: `file:line` of the first of such imports."""


def modules(package: Path) -> dict[str, Path]:
    """Return the files of a package by the dotted name of the module that each is."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        *folders, name = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(folders if name == "__init__" else [*folders, name])] = path
    return found


def imported(tree: ast.Module, package: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of each import, wherever in a file of this package; the name may be a module's."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, source, alias.name) for alias in node.names)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield each statement below a node; expressions, of which there are ten times as many, hold none."""
    for name in BLOCKS:
        for inner in getattr(node, name, ()):
            yield inner
            yield from statements(inner)


@cache
def between_files(package: Path) -> Graph:
    """Return which module of a package imports which."""
    known = modules(package)
    graph: Graph = {name: {} for name in known}
    for name, path in known.items():
        own = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for line, module, member in imported(ast.parse(path.read_text(encoding="utf-8")), own):
            target = f"{module}.{member}" if f"{module}.{member}" in known else module
            if target in known and target != name:
                graph[name].setdefault(target, f"{path.relative_to(package.parent)}:{line}")
    return graph


def between_folders(files: Graph, folder: str) -> Graph:
    """Return which part of a folder imports which: its files, and its folders as a whole."""

    def part(module: str) -> str:
        inner = module.removeprefix(f"{folder}.")
        return f"{folder}.{inner.partition('.')[0]}" if inner != module else module

    inside = {name: part(name) for name in files if f"{name}.".startswith(f"{folder}.")}
    graph: Graph = {each: {} for each in inside.values()}
    for name, targets in files.items():
        for target, where in targets.items():
            if name in inside and target in inside and inside[name] != inside[target]:
                graph[inside[name]].setdefault(inside[target], where)
    return graph


def circles(graph: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield a line for each circle, with the place of each import: after its last import is taken away, the next."""
    left = {name: dict(targets) for name, targets in graph.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            # It names what is imported first.
            circle = error.args[1][::-1]
            steps = [f"{target} ({left[name][target]})" for name, target in pairwise(circle)]
            yield " -> ".join([circle[0], *steps])
            del left[circle[-2]][circle[-1]]
        else:
            return
