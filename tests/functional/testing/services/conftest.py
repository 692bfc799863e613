"""Packages that add services, as far as the import system goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    AddPackage = Callable[[str, Path, Mapping[str, str]], None]


@pytest.fixture
def add_package(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> AddPackage:
    """Return a function that installs a package, version 1.0, as far as the import system and its entry points go.

    It takes the package's name, the folder with its modules, and the services that it adds.
    """

    def add(name: str, modules: Path, services: Mapping[str, str]) -> None:
        information = pytester.mkdir(f"{name}.installed") / f"{name.replace('-', '_')}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        lines = [f"{service} = {value}" for service, value in services.items()]
        (information / "entry_points.txt").write_text("\n".join(["[floe_testing.services]", *lines]), encoding="utf-8")
        for folder in (information.parent, modules):
            pytester.syspathinsert(folder)
            # For processes that the test starts.
            monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)

    return add
