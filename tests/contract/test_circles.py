"""No import leads in a circle, neither between files nor between folders: read from the syntax trees of all files."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [ROOT / "ci" / "src" / "floe_ci", ROOT / "testing" / "src" / "floe_testing"]
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
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, source, alias.name) for alias in node.names)


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


def all_circles(package: Path) -> list[str]:
    """Return the circles between the files of a package, and then those between the parts of each folder."""
    files = between_files(package)
    folders = [name for name, path in modules(package).items() if path.name == "__init__.py"]
    return list(
        dict.fromkeys([*circles(files), *(c for each in folders for c in circles(between_folders(files, each)))])
    )


def write(package: Path, files: Mapping[str, str]) -> None:
    """Make a package of these files, by path."""
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_no_import_leads_in_a_circle(package: Path) -> None:
    """Neither package has a circle, counting imports in functions, and those that only the type checker sees."""
    found = all_circles(package)
    assert not found, "\n".join([f"{len(found)} import circles:", *found])


@pytest.mark.parametrize(
    "text",
    [
        "import shop.b",
        "from shop import b",
        "from shop.b import x",
        "from . import b",
        "from .b import x",
        "def f():\n  from shop.b import x",
        "if TYPE_CHECKING:\n  from shop.b import x",
    ],
)
def test_circle_between_files_is_found(tmp_path: Path, text: str) -> None:
    """Two files that import one another are told with the lines that do, in whatever form the import is."""
    write(tmp_path / "shop", {"__init__.py": "", "a.py": text, "b.py": "\nimport shop.a"})
    line = len(text.splitlines())
    assert all_circles(tmp_path / "shop") == [f"shop.b -> shop.a (shop/b.py:2) -> shop.b (shop/a.py:{line})"] or (
        all_circles(tmp_path / "shop") == [f"shop.a -> shop.b (shop/a.py:{line}) -> shop.a (shop/b.py:2)"]
    )


def test_circle_between_folders_is_found(tmp_path: Path) -> None:
    """Two folders that import one another are a circle, though none of their files is in one."""
    files = {"__init__.py": "", "a/x.py": "import shop.b.y", "a/z.py": "", "b/y.py": "", "b/w.py": "import shop.a.z"}
    write(tmp_path / "shop", files | {"a/__init__.py": "", "b/__init__.py": ""})
    assert not list(circles(between_files(tmp_path / "shop")))
    (found,) = all_circles(tmp_path / "shop")
    assert {"(shop/a/x.py:1)", "(shop/b/w.py:1)"} <= set(found.split())


def test_each_circle_is_told(tmp_path: Path) -> None:
    """Circles that have nothing to do with one another are all told at once."""
    files = {"a.py": "import shop.b", "b.py": "import shop.a", "c.py": "import shop.d", "d.py": "import shop.c"}
    write(tmp_path / "shop", files | {"__init__.py": ""})
    first, second = all_circles(tmp_path / "shop")
    assert set(first.split()) != set(second.split())


def test_layers_are_no_circle(tmp_path: Path) -> None:
    """A folder's file may use those beside it, and what is below."""
    files = {"__init__.py": "from shop.a.x import y", "a/__init__.py": "", "a/x.py": "import shop.a.z", "a/z.py": ""}
    write(tmp_path / "shop", files)
    assert not all_circles(tmp_path / "shop")
