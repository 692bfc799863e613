"""No import leads in a circle, neither between files nor between folders: read from the syntax trees of all files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imports import PACKAGES, between_files, between_folders, circles, modules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
