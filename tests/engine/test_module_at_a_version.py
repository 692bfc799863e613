"""The module as others take it: by the address of its repository, and a version."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from git_server import GitServer
from repositories import run
from serving import serving
from tests.engine.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.conftest import Dagger, Repository

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(900)]

VERSION = "v1.2.3"
SAID = f"dagger -m <this repository>@{VERSION} call test"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Yield the address of this repository, in which the last commit has a version."""
    bare = tmp_path / "served" / "floe-ci.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(ROOT), str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "tag", VERSION], check=True)
    try:
        # Dagger leaves the port of an address out.
        with serving(GitServer(bare.parent, 80)):
            yield "http://127.0.0.1/floe-ci.git"
    except OSError:
        pytest.skip("port 80 of this machine, the only one that Dagger takes a module from by http, can't be had")


def test_module_at_a_version(dagger: Dagger, repository: Repository, address: str, tmp_path: Path) -> None:
    """A repository that is not this one runs its tests by the module's address and version, as README says."""
    assert SAID in (ROOT / "README.md").read_text(encoding="utf-8")
    repository.write("tests/unit/test_it.py", "def test_passes():\n    assert 1 + 1 == 2\n")
    typed = SAID.replace("dagger", dagger.command).replace("<this repository>", address).split()
    results = tmp_path / "results"
    done = run(
        [*typed, "--tier", "unit", *dagger.registry, "export", "--path", str(results)], repository.folder, timeout=800
    )
    assert done.code == 0, done.errors[-3000:]
    assert (results / "exit-code").read_text().strip() == "0"
    assert 'name="test_passes"' in (results / "junit.xml").read_text()
