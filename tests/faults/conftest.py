"""What the tests of faults share: a cluster that is there, an image with tests that go wrong, and their rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faulted import NAMES, Place, Row
from layered import with_files
from repositories import Repository
from tests.engine import conftest as engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Existing

dagger, existing = engine.dagger, engine.existing
"""The fixtures of the engine's tests."""
ROOT = Path(__file__).parents[2]
ROWS = ROOT / "results" / "faults" / "rows"
"""A file for each fault, from which `docs/reliability.py` makes the page."""
TESTS = {
    "app/tests/integration/test_faults.py": """
import ctypes, os, socket
from pathlib import Path
from threading import Event

def test_passes():
    assert 1 + 1 == 2

def test_waits():
    Event().wait()

def test_lasts():
    assert not Event().wait(30)

def test_finds():
    assert socket.getaddrinfo("web", 8000)

def test_takes_memory():
    held = []
    while True:
        held.append(b"x" * (64 << 20))

def test_segfault():
    ctypes.string_at(0)

def test_fills_results():
    with Path(os.environ["FLOE_RESULTS_DIR"], "large.bin").open("wb") as file:
        while True:
            file.write(bytes(4 << 20))
            file.flush()
""",
    "app/tests/internal/conftest.py": """
def pytest_runtest_protocol(item):
    raise RuntimeError("a plugin broke")
""",
    "app/tests/internal/test_it.py": "def test_passes():\n    assert 1 + 1 == 2\n",
    "app/tests/collection/test_it.py": "import nowhere_to_be_found\n",
    "app/tests/none/test_it.py": "VALUE = 1\n",
}
"""What is in the image beside the small repository of the engine's tests."""


@pytest.fixture(scope="session")
def place(existing: Existing) -> Place:
    """Return a cluster that is there, with the image of the small repository and a layer more."""
    with_files(f"{existing.registry}/small:dev", "faults", TESTS)
    return Place(str(existing.kubeconfig), f"{existing.NODES_REGISTRY}/small:faults")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a small repository, to be filled by the test."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


@pytest.fixture
def record() -> Callable[[Row], None]:
    """Return what keeps a row for the page."""

    def keep(row: Row) -> None:
        assert row.name in NAMES
        ROWS.mkdir(parents=True, exist_ok=True)
        (ROWS / f"{row.name}.json").write_text(json.dumps(asdict(row), indent=1), encoding="utf-8")

    return keep
