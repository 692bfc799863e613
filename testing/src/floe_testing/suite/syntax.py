"""What names mean in a module's syntax tree, found without importing it."""

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_BLOCKS = (ast.If, ast.Try, ast.TryStar, ast.With)


def parse(source: bytes, name: str) -> ast.Module:
    """Return the tree of a module's source, decoded as Python would; its syntax may be newer than this Python's.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It holds null bytes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes are the owner's business
        try:
            return ast.parse(source, name)
        except SyntaxError as error:
            from floe_testing.suite.newer import in_older_words  # noqa: PLC0415 - hardly ever needed, and slow to import

            older = in_older_words(source)
            if older is None:
                raise
            try:
                return ast.parse(older, name)
            except SyntaxError:
                version = ".".join(map(str, sys.version_info[:2]))
                error.msg = f"{error.msg}: a syntax newer than that of Python {version}, which reads it"
                raise error from None


def describe(error: Exception) -> str:
    """Return why a module can't be read, in words for its owner."""
    if isinstance(error, RecursionError | MemoryError):
        return "nested too deeply to be read"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return getattr(error, "msg", None) or str(error)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run in this scope, those of its `if`, `try` and `with` blocks too."""
    for statement in body:
        yield statement
        if isinstance(statement, _BLOCKS):
            yield from statements(statement.body)
            for handler in getattr(statement, "handlers", ()):
                yield from statements(handler.body)
            yield from statements(getattr(statement, "orelse", []))
            yield from statements(getattr(statement, "finalbody", []))


def dotted(node: ast.AST) -> str | None:
    """Return `a.b.c` for such an expression, and None for any other."""
    ends: list[str] = []
    while isinstance(node, ast.Attribute):
        ends.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(ends)])


class Names:
    """The whole names behind a module's short ones: its imports, and plain aliases of them."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        """Start with what is known: whole names by short ones."""
        self._known = dict(known or {})

    def see(self, statement: ast.stmt) -> None:
        """Take in a statement, if it is an import or an alias such as `slow = pytest.mark.slow`."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                # `import a.b` binds `a`.
                first = alias.name.partition(".")[0]
                self._known[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(statement, ast.ImportFrom):
            package = "." * statement.level + (statement.module or "")
            for alias in statement.names:
                self._known[alias.asname or alias.name] = f"{package}.{alias.name}"
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            whole = self.resolve(statement.value)
            if isinstance(target, ast.Name) and whole is not None and whole != target.id:
                self._known[target.id] = whole

    def resolve(self, node: ast.AST) -> str | None:
        """Return the whole dotted name of an expression: `unittest.mock.patch` for `mock.patch`, None if it is none."""
        name = dotted(node)
        if name is None:
            return None
        first, dot, rest = name.partition(".")
        return f"{self._known.get(first, first)}{dot}{rest}"

    def imported(self, name: str) -> bool:
        """Tell whether the first part of a short name came from an import, or is an alias of one."""
        return name.partition(".")[0] in self._known
