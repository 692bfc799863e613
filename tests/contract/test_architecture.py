"""The pictures of `docs/architecture.md` are what the imports say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from imports import PACKAGES, ROOT, between_files, between_folders, modules

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "architecture.md"


def rows(text: str, package: str) -> list[list[str]]:
    """Return the names in each row of a package's picture, from the top, folders with a slash."""
    heading = f"\n## {package.replace('_', '-')}\n"
    section = text.partition(heading)[2].partition("\n## ")[0]
    cells = [line.rstrip(" |").rpartition("|")[2] for line in section.splitlines() if line.startswith("| ")]
    return [re.findall(r"`([^`]+)`", cell) for cell in cells[2:]]


def parts(package: Path) -> dict[str, str]:
    """Return the parts of a package by the dotted names of their modules, as a picture calls them."""
    paths = modules(package)
    named = {
        each: each.partition(".")[2] or "__init__" for each in between_folders(between_files(package), package.name)
    }
    is_folder = {each: paths[each].name == "__init__.py" and each != package.name for each in named}
    return {each: f"{name}/" if is_folder[each] else name for each, name in named.items()}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_picture_has_each_part_once(package: Path) -> None:
    """Each file and folder at a package's root stands in one row of its picture, and nothing else does."""
    shown = [name for row in rows(PAGE.read_text(encoding="utf-8"), package.name) for name in row]
    assert sorted(shown) == sorted(parts(package).values())


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_nothing_uses_what_is_above(package: Path) -> None:
    """What a part imports stands in its own row of the picture or below."""
    known = parts(package)
    height = {
        name: number
        for number, row in enumerate(reversed(rows(PAGE.read_text(encoding="utf-8"), package.name)))
        for name in row
    }
    upwards = [
        f"{known[part]} uses {known[target]}, which is above it: {where}"
        for part, targets in between_folders(between_files(package), package.name).items()
        for target, where in targets.items()
        if height[known[target]] > height[known[part]]
    ]
    assert not upwards, "\n".join(upwards)
