"""Bad input: one clear message, a non-zero exit, no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Dagger, Done, Repository

pytestmark = pytest.mark.timeout(600)

PASSING = "def test_passes():\n    assert 1 + 1 == 2\n"


def refused(done: Done, *parts: str) -> None:
    """Check that a call was refused in one line that holds `parts`."""
    assert done.code != 0
    assert "Traceback" not in done.errors
    assert len(done.message.splitlines()) == 1
    for part in parts:
        assert part in done.message


def test_unknown_tier(dagger: Dagger, repository: Repository) -> None:
    """An unknown tier is refused with the nearest one and the list of them."""
    done = dagger.call("test", "--tier", "intgration", where=repository.folder)
    refused(done, "'intgration'", "did you mean 'integration'?", "unit, integration, e2e")


def test_malformed_toml(dagger: Dagger, repository: Repository) -> None:
    """A pyproject.toml that isn't TOML is refused with the place of the mistake."""
    repository.write("pyproject.toml", "[tool.floe-ci\n")
    refused(dagger.call("test", where=repository.folder), "pyproject.toml", "line 1")


def test_unknown_key(dagger: Dagger, repository: Repository) -> None:
    """An unknown key of the table is refused with the nearest one."""
    repository.write("pyproject.toml", "[tool.floe-ci.tiers.unit]\nservces = []\n")
    refused(dagger.call("test", where=repository.folder), "servces", "did you mean 'services'?")


def test_missing_lock_file(dagger: Dagger, repository: Repository) -> None:
    """A repository that neither locks nor names what to install is refused with both ways out."""
    repository.write("pyproject.toml", "")
    repository.write("tests/unit/test_it.py", PASSING)
    refused(dagger.call("test", "--tier", "unit", where=repository.folder), "uv lock", "install")


def test_source_without_tests(dagger: Dagger, repository: Repository) -> None:
    """A source without tests is not green: pytest's own word for the missing folder is told."""
    done = dagger.call("verify", "--tier", "unit", *dagger.registry, where=repository.folder)
    assert done.code != 0
    assert "tests/unit" in done.message


def test_empty_selection(dagger: Dagger, repository: Repository) -> None:
    """A selection that no test matches is not green, and the option that made it is told."""
    repository.write("tests/unit/test_it.py", PASSING)
    args = ("verify", "--tier", "unit", "--keyword", "nosuch", *dagger.registry)
    done = dagger.call(*args, where=repository.folder)
    assert done.code != 0
    assert "--keyword nosuch" in done.message


def test_manifest_that_does_not_parse(dagger: Dagger, repository: Repository) -> None:
    """A manifest that isn't YAML is refused by its name."""
    repository.write(
        "pyproject.toml",
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\n[tool.floe-ci.tiers.integration]\nmanifests = ["broken.yaml"]\n',
    )
    repository.write("broken.yaml", "kind: [\n")
    repository.write("tests/integration/test_it.py", PASSING)
    refused(dagger.call("test", *dagger.options, where=repository.folder), "broken.yaml")


def test_image_that_does_not_exist(dagger: Dagger, repository: Repository) -> None:
    """An image that no registry has is refused by its name."""
    repository.write("tests/integration/test_it.py", PASSING)
    args = ("test", "--node-image", "kindest/node:v0.0.0", *dagger.registry)
    refused(dagger.call(*args, where=repository.folder), "kindest/node:v0.0.0", "--registry")


def test_registry_that_does_not_answer(dagger: Dagger, repository: Repository) -> None:
    """A registry that doesn't answer is named, with what the network said."""
    repository.write("tests/unit/test_it.py", PASSING)
    done = dagger.call("test", "--tier", "unit", "--registry", "127.0.0.1:9", where=repository.folder)
    refused(done, "127.0.0.1:9 does not answer", "connection refused")
