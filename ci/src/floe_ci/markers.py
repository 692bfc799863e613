"""Marker expressions, checked before pytest sees them: one must not get out of the parentheses put around it."""

from __future__ import annotations

import ast
import re
from typing import Final

from floe_ci.errors import shown

FORM: Final = "write names, 'and', 'or', 'not' and pairs of parentheses"
_TOKEN: Final = re.compile(
    r"[ \t]*(?:(?P<word>and|or|not)(?![^\s()=,])|(?P<sign>[()=,])"
    r"|(?P<text>\"[^\"\\]*\"|'[^'\\]*')|(?P<name>[\w:+.\-\[\]\\/]+))"
)
_ALLOWED: Final = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Name, ast.Load, ast.Call, ast.keyword,
    ast.Constant,
)  # fmt: skip


def marker_problem(expression: str) -> str | None:
    """Return why pytest would not take a marker expression, or take it for more than one; None where it is one."""
    refusal = f"not a marker expression: {shown(expression)}: {FORM}"
    code: list[str] = []
    place = 0
    while place < len(expression.rstrip()):
        token = _TOKEN.match(expression, place)
        if token is None:
            return refusal
        is_name = token["name"] is not None
        is_value = is_name and code[-1:] == ["="]
        code.append("0" if is_value or token["text"] else "x" if is_name else token["word"] or token["sign"])
        place = token.end()
    try:
        # With every name the same, its grammar is part of Python's.
        tree = ast.parse(" ".join(code), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return refusal
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {id(node.value) for call in calls for node in call.keywords}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if (
        all(isinstance(node, _ALLOWED) for node in ast.walk(tree))
        and all(isinstance(call.func, ast.Name) and not call.args for call in calls)
        and all(id(node) in named for node in constants)
    ):
        return None
    return refusal
