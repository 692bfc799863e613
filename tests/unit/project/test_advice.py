"""No message recommends Dagger where there is none: it says that an engine is needed, or is told where one is."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import floe_ci
import pytest
from floe_ci.request import WHERE_AN_ENGINE_IS

import floe_testing

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = [Path(each.__file__).parent for each in (floe_ci, floe_testing) if each.__file__]
BY_AN_ENGINE: Final = ("cluster.py", "places/held.py", "places/kind.py")
"""Modules that work with an engine, and tell of what they made with it."""
OF_AN_OPTION: Final = "For --on dagger"
"""How the help of an option begins that Dagger alone takes."""


def modules() -> list[Path]:
    """Return the files of both packages that may speak to somebody without an engine."""
    return [
        path
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        if str(path.relative_to(package)) not in BY_AN_ENGINE
    ]


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module, those with values in them as one, with the names of the values; no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    statements = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in statements | parts:
            yield node.value


def recommends(text: str) -> bool:
    """Return whether a text tells its reader to use Dagger, whatever there is."""
    if not ("--on dagger" in text or "dagger call" in text):
        return False
    return "WHERE_AN_ENGINE_IS" not in text and WHERE_AN_ENGINE_IS not in text and not text.startswith(OF_AN_OPTION)


def test_advice_fits_the_place() -> None:
    """Whoever is told to use Dagger is told that it takes an engine, unless there is one."""
    found = {path.name: told for path in modules() if (told := [*filter(recommends, texts(path))])}
    assert found == {}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("msg = 'run it with --on dagger'", ["run it with --on dagger"]),
        ("msg = f'{name}: run it with ' f'--on dagger'", ["f'{name}: run it with --on dagger'"]),
        ("msg = f'use it, or {WHERE_AN_ENGINE_IS} --on dagger'", []),
        ("def f():\n    '''Run it with --on dagger.'''", []),
        ("help='For --on dagger: a file.'", []),
    ],
)
def test_what_counts_as_advice(tmp_path: Path, source: str, told: list[str]) -> None:
    """Texts count, with values in them or not; docstrings and the help of Dagger's own options don't."""
    (tmp_path / "module.py").write_text(source)
    assert [*filter(recommends, texts(tmp_path / "module.py"))] == told
