"""Mends that are safe: they change a test so that it checks what it already says that it checks."""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from floe_testing.audit.model import Finding
from floe_testing.files import write_text
from floe_testing.suite.definitions import Modules
from floe_testing.suite.markers import Scope, module_scope
from floe_testing.suite.syntax import Names, parse, statements

_MISSPELT: Final = ("called", "awaited", "any_", "has_", "not_")


@dataclass(frozen=True)
class Edit:
    """A piece of a file, by line and column of bytes, and what takes its place."""

    line: int
    start: int
    end: int
    text: str


Mend = Callable[[ast.stmt, Scope], Edit | None]


def mend_all(findings: Iterable[Finding], root: Path) -> Iterator[str]:
    """Mend what can be, file by file, and yield what was done.

    A file that would not be Python afterwards stays as it is.

    Raises:
        UnwritableError: A file can't be written.
    """
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.rule in MENDS:
            by_path[finding.path].append(finding)
    for path, found in by_path.items():
        yield from _mend(root / path, path, found, root)


def _mend(file: Path, path: str, findings: Sequence[Finding], root: Path) -> Iterator[str]:
    source = file.read_bytes()
    try:
        source.decode("utf-8")
        tree = parse(source, path)
    except (SyntaxError, ValueError):
        return
    names = Names()
    body = list(statements(tree.body))
    for statement in body:
        names.see(statement)
    scope = module_scope(file, Modules(root), names, body)
    lines = source.splitlines(keepends=True)
    done: list[str] = []
    # From the end, so that what was changed does not move what is still to be.
    for finding in sorted(findings, key=lambda each: (-each.line, -each.column)):
        place = _statement_at(tree, finding.line, finding.column)
        edit = MENDS[finding.rule](place, scope) if place is not None else None
        if edit is not None:
            line = lines[edit.line - 1]
            lines[edit.line - 1] = line[: edit.start] + edit.text.encode() + line[edit.end :]
            done.append(f"{finding.place}: {finding.rule} mended: {lines[edit.line - 1].decode().strip()}")
    text = b"".join(lines)
    try:
        parse(text, path)
    except (SyntaxError, ValueError):
        return
    if done:
        write_text(file, text.decode("utf-8"))
        yield from reversed(done)


def _statement_at(tree: ast.Module, line: int, column: int) -> ast.stmt | None:
    """Return the innermost statement that a place is in."""
    found: ast.stmt | None = None
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        start = (node.lineno, node.col_offset)
        if start <= (line, column - 1) and (found is None or start >= (found.lineno, found.col_offset)):
            found = node
    return found


def _assert_it(statement: ast.stmt, scope: Scope) -> Edit | None:  # noqa: ARG001 - as the others
    """Put `assert` before a comparison, call a mock's assertion that is only named, or mend its name."""
    match statement:
        case ast.Expr(value=ast.Attribute(end_lineno=int(line), end_col_offset=int(end))):
            return Edit(line, end, end, "()")
        case ast.Expr(value=ast.Compare()):
            return Edit(statement.lineno, statement.col_offset, statement.col_offset, "assert ")
        case ast.Assert(test=ast.Call(func=ast.Attribute(attr=name, value=owner)) as call, msg=None):
            if name.startswith(_MISSPELT) and statement.lineno == call.end_lineno and owner.end_col_offset is not None:
                written = f"{ast.unparse(owner)}.assert_{name}({', '.join(map(ast.unparse, _arguments(call)))})"
                return Edit(statement.lineno, statement.col_offset, statement.end_col_offset or 0, written)
    return None


def _arguments(call: ast.Call) -> list[ast.AST]:
    return [*call.args, *call.keywords]


def _without_tuple(statement: ast.stmt, scope: Scope) -> Edit | None:  # noqa: ARG001 - as the others
    """Take the brackets from `assert (condition, "message")`."""
    match statement:
        case ast.Assert(test=ast.Tuple(elts=[condition, ast.Constant(value=str()) as message]), msg=None):
            if statement.lineno == statement.end_lineno:
                text = f"assert {ast.unparse(condition)}, {ast.unparse(message)}"
                return Edit(statement.lineno, statement.col_offset, statement.end_col_offset or 0, text)
    return None


def _with_match(statement: ast.stmt, scope: Scope) -> Edit | None:
    """Add `match=` to a `raises` of any exception, where the code under test has one message to raise."""
    if not isinstance(statement, ast.With) or len(statement.body) != 1:
        return None
    opened = [item.context_expr for item in statement.items if isinstance(item.context_expr, ast.Call)]
    raising = [call for call in opened if scope.names.resolve(call.func) == "pytest.raises" and not call.keywords]
    called = [each for each in ast.walk(statement.body[0]) if isinstance(each, ast.Call)]
    if len(raising) != 1 or len(called) != 1:
        return None
    target = scope.find(called[0].func)
    message = _only_message(target[0]) if target is not None else None
    end = raising[0].end_col_offset
    if message is None or end is None or raising[0].end_lineno is None:
        return None
    written = f", match={_pattern(message)}"
    return Edit(raising[0].end_lineno, end - 1, end - 1, written)


def _only_message(function: ast.AST) -> str | None:
    """Return the text of the only error that a function raises, if it calls nothing else that might raise another."""
    raised = [each.exc for each in ast.walk(function) if isinstance(each, ast.Raise)]
    match raised:
        case [ast.Call(args=[ast.Constant(value=str(message))])] if message:
            return message
    return None


def _pattern(message: str) -> str:
    special = set(".^$*+?{}[]\\|()")
    if special & set(message):
        escaped = "".join(f"\\{each}" if each in special else each for each in message)
        return f'r"{escaped}"' if '"' not in escaped else f"r'{escaped}'"
    return repr(message) if '"' in message else f'"{message}"'


MENDS: Final[Mapping[str, Mend]] = {"FT204": _without_tuple, "FT205": _with_match, "FT208": _assert_it}
"""The rules whose findings can be mended without asking."""
