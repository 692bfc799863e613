"""What a `setup.py` says of its package's dependencies, read without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from floe_ci.python_files import tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class SetupPy:
    """Those lists of dependencies that are written in the file as they are; what is computed is not among them."""

    dependencies: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    """What a test runner of setuptools' once installed: nothing does any more."""

    @classmethod
    def read(cls, path: Path) -> SetupPy:
        """Read a file; one that is no Python says nothing."""
        tree = tree_of(path)
        if tree is None:
            return cls()
        names = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node.func) == "setup")
        given = {each.arg: each.value for call in calls for each in call.keywords}
        extras = _value(given.get("extras_require"), names)
        return cls(
            _texts(_value(given.get("install_requires"), names)),
            {str(name): _texts(listed) for name, listed in extras.items()} if isinstance(extras, dict) else {},
            _texts(_value(given.get("tests_require"), names)),
        )


def _called(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _value(node: ast.expr | None, names: Mapping[str, ast.expr]) -> object:
    """Return what an expression stands for, where that is written there or under a name of the module's."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _value(value, names) for key, value in pairs if isinstance(key, ast.Constant)}
    if isinstance(node, ast.Name):
        return _value(names.get(node.id), {})
    try:
        return ast.literal_eval(node) if node else None
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.splitlines()
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list | tuple | set) else ()
