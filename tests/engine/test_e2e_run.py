"""The end-to-end tier of this repository, on three nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from junitparser import JUnitXml

if TYPE_CHECKING:
    from conftest import Dagger

pytestmark = pytest.mark.timeout(2000)


@pytest.mark.requirement("REQ-636")
def test_journeys_pass_on_three_nodes(dagger: Dagger) -> None:
    """`test --tier e2e` passes on one control plane and two workers; but for tests that take minutes for one thing."""
    folder = dagger.root / "results" / "e2e"
    done = dagger.test("e2e", dagger.root, folder, "--marker", "not long", timeout=1900)
    assert done.code == 0, done.errors[-3000:]
    assert (folder / "exit-code").read_text() == "0\n", (folder / "summary.md").read_text()
    assert JUnitXml.fromfile(str(folder / "junit.xml")).tests >= 4
