"""What `dagger check` finds: the tiers, as checks of the repository that it is called in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.conftest import run

if TYPE_CHECKING:
    from tests.engine.conftest import Dagger, Done, Repository

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


def check(dagger: Dagger, repository: Repository, *args: str) -> Done:
    """Run `dagger check` in a repository."""
    command = [dagger.command, "--progress=plain", "-m", str(dagger.root), "check", *args]
    return run(command, repository.folder, 600)


@pytest.mark.long
def test_checks(dagger: Dagger, repository: Repository) -> None:
    """A check passes with its tier's tests and fails with them; where images come from is in `.env`."""
    given = dict(zip(dagger.registry[::2], dagger.registry[1::2], strict=True))
    repository.write(".env", f"FLOE_CI_UNIT_REGISTRY={given.get('--registry', '')}\n")
    repository.write("tests/unit/test_price.py", "def test_price():\n    assert 1 + 1 == 2\n")
    listed = check(dagger, repository, "-l")
    assert {"floe-ci:unit", "floe-ci:integration"} <= set((listed.output + listed.errors).split())
    passed = check(dagger, repository, "floe-ci:unit")
    assert passed.code == 0, passed.errors
    repository.write("tests/unit/test_price.py", "def test_price():\n    assert 1 + 1 == 3\n")
    failed = check(dagger, repository, "floe-ci:unit")
    assert failed.code != 0
    assert "Failed: tier unit, 1 failed" in failed.errors
