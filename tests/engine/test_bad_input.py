"""Bad input: one clear message, a non-zero exit, no traceback."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from floe_ci import engine_probe

if TYPE_CHECKING:
    from pathlib import Path

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


def told(done: Done, code: int, *parts: str) -> None:
    """Check that a run by `floe-ci` ended with a code, and said `parts` without a traceback."""
    said = done.output + done.errors
    assert (done.code, "Traceback" in said) == (code, False), said
    assert all(part in said for part in parts), said


def test_unknown_tier(dagger: Dagger, repository: Repository) -> None:
    """An unknown tier is refused with the nearest one and the list of them."""
    done = dagger.call("test", "--tier", "intgration", where=repository.folder)
    refused(done, "'intgration'", "did you mean 'integration'?", "unit, integration, e2e")


@pytest.mark.long
def test_unknown_key(dagger: Dagger, repository: Repository) -> None:
    """An unknown key of the table is refused with the nearest one."""
    repository.write("pyproject.toml", "[tool.floe-ci.tiers.unit]\nservces = []\n")
    refused(dagger.call("test", where=repository.folder), "servces", "did you mean 'services'?")


@pytest.mark.long
@pytest.mark.parametrize(
    ("pyproject", "parts"),
    [("[tool.floe-ci\n", ("pyproject.toml", "line 1")), ("", ("uv lock", "install"))],
    ids=["no TOML", "no lock file"],
)
def test_repository_that_can_not_be_read(
    dagger: Dagger, repository: Repository, tmp_path: Path, pyproject: str, parts: tuple[str, ...]
) -> None:
    """A pyproject.toml that isn't TOML is told with the place; one without packages to install, with both ways out."""
    repository.write("pyproject.toml", pyproject)
    repository.write("tests/unit/test_it.py", PASSING)
    told(dagger.run("unit", repository.folder, tmp_path / "results"), 2, *parts)


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "selection", "code", "why"),
    [("README.md", (), 2, "tests/unit"), ("tests/unit/test_it.py", ("--keyword", "nosuch"), 5, "--keyword nosuch")],
    ids=["no tests", "no test of that name"],
)
def test_nothing_to_run(  # noqa: PLR0913, PLR0917 - what there is, what is asked for, and what comes of it
    dagger: Dagger, repository: Repository, tmp_path: Path, file: str, selection: tuple[str, ...], code: int, why: str
) -> None:
    """A source without tests, or a selection that none matches, is not green, and what led to it is told."""
    repository.write(file, PASSING)
    told(dagger.run("unit", repository.folder, tmp_path / "results", *selection), code, why)


def test_manifest_that_does_not_parse(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """A manifest that isn't YAML is refused by its name."""
    repository.write(
        "pyproject.toml",
        '[tool.floe-ci.runner]\ninstall = ["pytest"]\n[tool.floe-ci.tiers.integration]\nmanifests = ["broken.yaml"]\n',
    )
    repository.write("broken.yaml", "kind: [\n")
    repository.write("tests/integration/test_it.py", PASSING)
    told(dagger.run("integration", repository.folder, tmp_path / "results"), 2, "broken.yaml")


def test_image_that_does_not_exist(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """An image that no registry has is refused by its name."""
    repository.write("tests/integration/test_it.py", PASSING)
    wrong = ("--node-image", "kindest/node:v0.0.0")
    told(dagger.run("integration", repository.folder, tmp_path / "results", *wrong), 2, wrong[1], "--registry")


def test_registry_that_does_not_answer(dagger: Dagger, repository: Repository, tmp_path: Path) -> None:
    """A registry that doesn't answer is named, with what the network said."""
    repository.write("tests/unit/test_it.py", PASSING)
    wrong = ("--registry", "127.0.0.1:9")
    done = dagger.run("unit", repository.folder, tmp_path / "results", *wrong)
    told(done, 2, "127.0.0.1:9 does not answer", "connection refused")


def test_engine_that_does_not_answer(
    dagger: Dagger, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is named and does not answer is told at once, and not tried for minutes."""
    repository.write("tests/unit/test_it.py", PASSING)
    monkeypatch.setenv(engine_probe.ENGINE_VARIABLE, "tcp://127.0.0.1:9")
    done = dagger.run("unit", repository.folder, tmp_path / "results", timeout=60)
    told(done, 3, "tcp://127.0.0.1:9 does not answer", "refused", engine_probe.ENGINE_VARIABLE)


def test_interrupted_before_there_is_an_engine(
    dagger: Dagger, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is told to end while it waits for an engine leaves its results within seconds."""
    repository.write("tests/unit/test_it.py", PASSING)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(engine_probe.ENGINE_VARIABLE, f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        options = ("--on", "dagger", "--tier", "unit", *dagger.registry, "--results", str(tmp_path / "results"))
        command = [sys.executable, "-m", "floe_ci", "test", *options]
        with subprocess.Popen(command, cwd=repository.folder, stderr=subprocess.PIPE, text=True) as run:
            assert run.stderr
            for line in run.stderr:
                if "configure since" in line:
                    break
            run.send_signal(signal.SIGINT)
            began = time.monotonic()
            run.communicate(timeout=60)
    assert run.returncode == 130
    assert time.monotonic() - began < 15
    assert "the run was interrupted by SIGINT" in (tmp_path / "results" / "summary.md").read_text()
