"""The test-runner image: what a change of the repository builds anew."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Dagger, Repository

pytestmark = pytest.mark.timeout(600)


@pytest.mark.requirement("REQ-638")
def test_changed_test_reinstalls_nothing(dagger: Dagger, repository: Repository) -> None:
    """After a change of a test the packages are those that were installed before, and the test is the new one."""

    def built(test: str) -> str:
        repository.write("tests/unit/test_it.py", test)
        script = "cat tests/unit/test_it.py >&2; stat --format %y /opt/venv/lib/python3*/site-packages"
        seen = ("with-exec", "--args", f'sh,-c,"{script}"')
        done = dagger.call("build-runner", *dagger.registry, *seen, "stdout", where=repository.folder)
        assert done.code == 0, done.errors
        assert test in done.errors
        return done.output

    repository.write("code.py", f"VERSION = {uuid.uuid4().hex!r}\n")  # nothing is left of an earlier run
    installed = built("def test_first(): ...")
    assert built("def test_second(): ...") == installed
    repository.write("code.py", f"VERSION = {uuid.uuid4().hex!r}\n")
    assert built("def test_second(): ...") != installed
