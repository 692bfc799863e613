"""A service that nobody here knew, brought by a repository, on this machine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Here

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own-service"


@pytest.fixture
def greeter(here: Here) -> Here:
    """Return the repository with the example in the place of what it has."""
    shutil.rmtree(here.repository)
    shutil.copytree(EXAMPLE, here.repository)
    return replace(here, own=frozenset({"results", *(path.name for path in EXAMPLE.iterdir())}))


@pytest.mark.parametrize("locked", [True, False], ids=["with packages of its own", "with Python alone"])
def test_service_of_a_repository(greeter: Here, locked: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """It starts before the tests, which find its address and its password; and no process of it is left."""
    if not locked:
        (greeter.repository / "services" / "greeter" / "image" / "uv.lock").unlink()
    code, said = greeter.run("test", "--on", "local")
    assert code == 0, said
    assert "2 passed" in said
    assert "greeter: the same program, beside the tests" in said
    assert greeter.wait_until_clean() == ([], [])
    log = (greeter.repository / "results" / "integration" / "logs" / "greeter.log").read_text()
    assert "GET /healthz" in log


def test_pytest_is_loaded_while_services_start(greeter: Here) -> None:
    """Pytest is started while a service is not ready yet, and runs its first test once it is."""
    (greeter.repository / "services" / "greeter" / "image" / "uv.lock").unlink()
    program = greeter.repository / "services" / "greeter" / "image" / "greeter.py"
    # Here it is well as soon as the tests' reporter has a file to write to, and only then.
    events = f"any(__import__('pathlib').Path({str(greeter.temporary)!r}).rglob('events.jsonl'))"
    well = 'self.path == "/healthz"'
    text = program.read_text()
    assert well in text
    program.write_text(text.replace(well, f"({well} and {events})"))
    code, said = greeter.run("test", "--on", "local")
    assert code == 0, said
    assert "2 passed" in said


def test_service_that_only_a_cluster_has(greeter: Here) -> None:
    """Where its folder says of no way to run without a container, that is told, with where it runs."""
    description = greeter.repository / "services" / "greeter" / "service.toml"
    description.write_text('about = "a server"\n')
    (greeter.repository / "pyproject.toml").write_text(
        (greeter.repository / "pyproject.toml").read_text().replace("environment", "# environment")
    )
    _, said = greeter.run("test", "--on", "local", "--keyword", "nothing")
    assert "greeter: not here, and the tests that need it are skipped: services/greeter/service.toml" in said
