"""A service that nobody here knew, brought by a repository, in Kind inside Dagger."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml

if TYPE_CHECKING:
    from conftest import Dagger, Repository

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own-service"

pytestmark = pytest.mark.timeout(900)


def test_service_of_a_repository(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """Its image is built from its folder, its manifests are applied, and tests find its address and its password."""
    shutil.copytree(EXAMPLE, repository.folder, dirs_exist_ok=True)
    done = dagger.test("integration", repository.folder, tmp_path / "results")
    assert done.code == 0, done.errors[-3000:]
    assert (tmp_path / "results" / "exit-code").read_text() == "0\n", (tmp_path / "results" / "summary.md").read_text()
    assert JUnitXml.fromfile(str(tmp_path / "results" / "junit.xml")).tests == 2
