"""The end-to-end tier of this repository, on three nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Dagger

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]


@pytest.mark.requirement("REQ-636")
def test_journeys_pass_on_three_nodes(dagger: Dagger, tmp_path: Path) -> None:
    """`verify --tier e2e` passes on one control plane and two workers."""
    done = dagger.test("e2e", dagger.root, tmp_path / "results", function="verify")
    assert done.code == 0, done.errors[-3000:]
    assert JUnitXml.fromfile(str(tmp_path / "results" / "junit.xml")).tests >= 4
