"""What modules give names to, and which modules of a repository an import may mean; none is ever imported."""

import ast
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

from floe_testing.suite.cache import digest
from floe_testing.suite.syntax import FunctionNode, Names, dotted, parse, statements

_ADDING: Final = frozenset({"append", "insert", "extend"})
_ASSERTION: Final = re.compile(r"assert[A-Z]")
_MOST_TREES: Final = 256
"""So many modules are kept in memory, which one of them takes a megabyte of."""


@dataclass
class Definitions:
    """What a module, a class or a function gives names to."""

    constants: dict[str, ast.expr] = field(default_factory=dict)
    added: dict[str, list[ast.expr]] = field(default_factory=dict)
    """What is appended to a constant after it was made; what is added as a whole is starred."""
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, FunctionNode] = field(default_factory=dict)
    imports: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """By name: the level and the module of an import, and what is taken from it, nothing if the module itself is."""
    stars: list[tuple[int, str]] = field(default_factory=list)
    """The levels and modules of which everything is imported."""

    def see(self, statement: ast.stmt) -> None:
        """Take in a statement."""
        match statement:
            case ast.ClassDef(name=name):
                self.classes[name] = statement
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self.functions[name] = statement
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.Expr() | ast.AugAssign():
                self._add(statement)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._define(name, value)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        self._define(target.id, value)

    def _add(self, statement: ast.Expr | ast.AugAssign) -> None:
        match statement:
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
                self.added.setdefault(name, []).append(ast.copy_location(ast.Starred(value, ast.Load()), value))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=how), args=[*_, value])):
                if how in _ADDING:
                    whole = ast.copy_location(ast.Starred(value, ast.Load()), value)
                    self.added.setdefault(name, []).append(whole if how == "extend" else value)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                self.imports[alias.asname or whole] = (0, whole, "")
            elif alias.name == "*":
                self.stars.append((statement.level, statement.module or ""))
            else:
                self.imports[alias.asname or alias.name] = (statement.level, statement.module or "", alias.name)

    def _define(self, name: str, value: ast.expr) -> None:
        self.constants[name] = value
        self.added.pop(name, None)


def definitions_in(body: Iterable[ast.stmt]) -> Definitions:
    """Return what some statements give names to; the last one of a name counts, as it does at run time."""
    found = Definitions()
    for statement in body:
        found.see(statement)
    return found


@dataclass(frozen=True)
class ClassBody:
    """What a class is made of, which each class below it asks for again; without the class, which it is kept by."""

    statements: tuple[ast.stmt, ...]
    definitions: Definitions

    @cached_property
    def asserts_as_test_case(self) -> bool:
        """It calls assertions as a test case's, and does not define them itself."""
        own = self.definitions.functions
        called = {
            each.func.attr
            for statement in self.statements
            for each in ast.walk(statement)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and dotted(each.func.value) == "self"
        }
        return any(_ASSERTION.match(name) and name not in own for name in called)


_Found: TypeAlias = "list[tuple[Path, tuple[str, ...]]]"
"""Modules, each with what is left to look up in it."""


class Modules:
    """The modules of a repository that imports lead to; each is looked for, and read, once.

    So what one has read of them is as it was then, and each audit or trace begins with one of its own.
    """

    def __init__(self, root: Path) -> None:
        """Start with nothing read.

        Args:
            root: The repository.
        """
        self.root = root
        self._packages = [str(folder) for folder in sorted(root.glob("*/src"))]
        self._folders: dict[tuple[Path, int], list[str]] = {}
        self._returns_once: WeakKeyDictionary[ast.FunctionDef, bool] = WeakKeyDictionary()
        self._entries: dict[str, frozenset[str]] = {}
        self._found: dict[tuple[str, tuple[str, ...]], _Found] = {}
        self._read = lru_cache(_MOST_TREES)(_read)
        self._text = lru_cache(_MOST_TREES)(partial(Path.read_text, encoding="utf-8", errors="replace"))
        self._digest = lru_cache(None)(digest)
        self._classes: WeakKeyDictionary[ast.ClassDef, ClassBody] = WeakKeyDictionary()
        self._codes: WeakKeyDictionary[ast.AST, str] = WeakKeyDictionary()

    def __reduce__(self) -> "tuple[object, tuple[Path]]":
        """Have each process keep what it has read, however often it is handed a part of the suite."""
        return _of_process, (self.root,)

    def imported(self, by: Path, level: int, names: Sequence[str]) -> "tuple[Path, tuple[str, ...]] | None":
        """Return the module that an import means, and what is left to look up in it; None if it is not of here.

        Args:
            by: The module that has the import.
            level: How many dots it begins with.
            names: What follows: packages, modules, and what is taken from them.
        """
        parts = tuple(names)
        for folder in self._starts(by, level):
            for found in self._below(folder, parts):
                if found[0] != by:
                    return found
        return None

    def read(self, file: Path) -> tuple[Definitions, Names] | None:
        """Return what a module gives names to, None of one that is no Python.

        Raises:
            OSError: It can't be read.
        """
        return self._read(file)

    def of_class(self, node: ast.ClassDef) -> ClassBody:
        """Return what a class is made of."""
        if node not in self._classes:
            body = tuple(statements(node.body))
            self._classes[node] = ClassBody(body, definitions_in(body))
        return self._classes[node]

    def returns_once(self, node: ast.FunctionDef) -> bool:
        """Tell whether a function has one `return`, and no more."""
        if node not in self._returns_once:
            self._returns_once[node] = sum(isinstance(each, ast.Return) for each in ast.walk(node)) == 1
        return self._returns_once[node]

    def code(self, node: ast.AST) -> str:
        """Return a definition as code: many modules lead to the same one."""
        if node not in self._codes:
            self._codes[node] = ast.unparse(node)
        return self._codes[node]

    def text(self, file: Path) -> str:
        """Return a module's source.

        Raises:
            OSError: It can't be read.
        """
        return self._text(file)

    def digest(self, file: Path) -> str:
        """Return the hash of what is in a module."""
        return self._digest(file)

    def _starts(self, by: Path, level: int) -> list[str]:
        """Return the folders that an import may start from, those of a workspace's packages last."""
        key = (by.parent, level)
        if key not in self._folders:
            if 0 < level <= len(by.parents):
                self._folders[key] = [str(by.parents[level - 1])]
            else:
                above = [str(folder) for folder in by.parents if folder.is_relative_to(self.root)]
                self._folders[key] = [*above, str(self.root / "src"), *self._packages]
        return self._folders[key]

    def _below(self, folder: str, parts: tuple[str, ...]) -> _Found:
        key = (folder, parts)
        if key not in self._found:
            self._found[key] = self._look(folder, parts)
        return self._found[key]

    def _look(self, folder: str, parts: tuple[str, ...]) -> _Found:
        """Look for the modules below a folder, that of the most parts first."""
        found: _Found = []
        for length, part in enumerate(parts, start=1):
            entries = self._entries_of(folder)
            candidates = [f"{part}.py"] if f"{part}.py" in entries else []
            candidates += [f"{part}/__init__.py"] if part in entries else []
            files = [Path(folder, name) for name in candidates]
            found[:0] = [(file, parts[length:]) for file in files if file.is_file()]
            if part not in entries:
                break
            folder = f"{folder}/{part}"
        return found

    def _entries_of(self, folder: str) -> frozenset[str]:
        if folder not in self._entries:
            try:
                self._entries[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 - a Path for each costs more
            except OSError:
                self._entries[folder] = frozenset()
        return self._entries[folder]


@lru_cache(maxsize=1)
def _of_process(root: Path) -> Modules:
    """Return what a process of a pool has read of a repository."""
    return Modules(root)


def _read(file: Path) -> tuple[Definitions, Names] | None:
    source = file.read_bytes()
    try:
        body = list(statements(parse(source, "").body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names = Names()
    for statement in body:
        names.see(statement)
    return definitions_in(body), names
