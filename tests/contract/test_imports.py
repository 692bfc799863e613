"""Who may import what, and what nobody may call: read from the syntax trees of all files."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FLOE_CI = ROOT / "ci" / "src" / "floe_ci"
TESTING = ROOT / "testing" / "src" / "floe_testing"
MAY_IMPORT_DAGGER = frozenset(
    f"{name}.py"
    for name in (
        "build",
        "bundling",
        "cluster",
        "dagger_cli",
        "debian",
        "engine",
        "lacking",
        "module",
        "named_clusters",
        "origin",
        "places/container",
        "places/kind",
        "publish",
        "registry",
        "render",
        "runner",
        "service_build",
        "toolbox",
        "uv",
    )
)
"""The files that drive the engine; everything else is tested without one."""


def sources(*folders: Path) -> list[Path]:
    """Return the Python files of some folders."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def trees(word: str, *folders: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield path and syntax tree of each file that has a word in it: no other can use that name."""
    for path in sources(*folders):
        if word in (text := path.read_text(encoding="utf-8")):
            yield str(path.relative_to(ROOT)), ast.parse(text, filename=str(path))


def imported(text: ast.Module) -> Iterator[str]:
    """Yield the top-level package of each import, wherever in a file."""
    for node in ast.walk(text):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def importers(package: str, *folders: Path) -> set[str]:
    """Return the files that import a package, by their path in the repository."""
    return {path for path, tree in trees(package, *folders) if package in imported(tree)}


def sleeps(text: ast.Module) -> list[int]:
    """Return the lines of a file that take a function called `sleep`, of whatever module and by whatever name."""
    return [
        node.lineno
        for node in ast.walk(text)
        if (isinstance(node, ast.Attribute) and node.attr == "sleep")
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "sleep" for alias in node.names))
    ]


def test_there_are_sources() -> None:
    """The files that these tests read are found where the repository has them."""
    assert FLOE_CI / "contract.py" in sources(FLOE_CI)
    assert TESTING / "contract.py" in sources(TESTING)


def test_ci_does_not_import_testing() -> None:
    """No file of `floe_ci` imports `floe_testing`."""
    assert not importers("floe_testing", FLOE_CI)


def test_testing_does_not_import_ci() -> None:
    """No file of `floe_testing` imports `floe_ci`."""
    assert not importers("floe_ci", TESTING)


def test_dagger_stands_in_few_files() -> None:
    """Only the files that drive the engine import `dagger`."""
    assert importers("dagger", FLOE_CI) == {str((FLOE_CI / name).relative_to(ROOT)) for name in MAY_IMPORT_DAGGER}


def test_testing_does_not_import_dagger() -> None:
    """The framework runs where there is no engine, so it does not import its library."""
    assert not importers("dagger", TESTING)


@pytest.mark.requirement("REQ-642", "T059", "T075")
def test_nobody_sleeps() -> None:
    """Neither the framework nor a test waits a fixed time: they wait for a condition, and one module knows how.

    A second one keeps the function for it, as it was before any test could replace it.
    """
    found = {path for path, tree in trees("sleep", TESTING, ROOT / "tests") if sleeps(tree)}
    assert found == {f"testing/src/floe_testing/{name}.py" for name in ("unpatched", "waiting/polling")}


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)",
        "from time import sleep",
        "from time import sleep as wait",
        "import time as clock\nclock.sleep(1)",
        "async def f():\n  await asyncio.sleep(1)",
        "async def f():\n  await anyio.sleep(1)",
        "from tenacity import nap\nnap.sleep(1)",
    ],
)
def test_a_sleep_is_found(text: str) -> None:
    """A sleep is seen under each of the ways to come by it."""
    assert sleeps(ast.parse(text))


@pytest.mark.parametrize("text", ["import dagger", "from dagger import dag", "def f():\n  import dagger.mod"])
def test_an_import_is_found(text: str) -> None:
    """An import is seen in each of its forms, inside a function too."""
    assert set(imported(ast.parse(text))) == {"dagger"}
