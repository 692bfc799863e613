"""Pages that need an engine, typed as their readers would, with the options that this machine needs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pages import commands, type_in
from tests.engine.conftest import OPTIONS, ROOT, SMALL, Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from repositories import Done
    from tests.engine.conftest import Dagger

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(1800)]

TOOLS = Path(sys.executable).parent
HERE = f" {shlex.join(OPTIONS)}"
POD = 'POD="$(kubectl get pods --selector app=web --output jsonpath="{.items[0].metadata.name}")"\n'
"""The pod that the guide to failed tests calls so."""
ORDERS = """
from urllib.request import urlopen


def test_orders():
    assert urlopen("http://web:8000", timeout=10).status == 200
"""


def types(folder: Path, *lines: str) -> str:
    """Type lines, each of which has to succeed, and return what the terminal showed."""
    own = {**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", "SHELL": "/bin/true"}
    code, shown = type_in(lines, folder, own, timeout=1500)
    assert code == 0, shown[-5000:]
    return shown


@pytest.mark.requirement("REQ-648.5", "REQ-649.1", "REQ-649.2", "REQ-649.4")
def test_cluster_that_stays(dagger: Dagger, repository: Repository) -> None:  # noqa: ARG001 - there is an engine
    """What the guides say of a cluster that stays works in it, and so does what they say of pods that failed."""
    for path in ("pyproject.toml", "web.yaml"):
        repository.write(path, SMALL[path])
    repository.write("tests/integration/test_orders.py", ORDERS)
    page = "docs/guides/local-testing.md"
    typed = [each for each in commands(page) if "--on dagger" in each or each in {"floe-ci status", "floe-ci shell"}]
    up, *others, down = typed
    assert (up, down) == ("floe-ci up --on dagger", "floe-ci down --on dagger")
    looks = [each for each in commands("docs/guides/test-debugging.md") if each.startswith("kubectl")]
    # No terminal is typed into, and there is a metrics server only where a tier has one.
    seen = [
        each.replace(" --stdin --tty POD -- sh", " POD -- sh -c 'echo inside'") for each in looks if " top " not in each
    ]
    script = POD + "\n".join(each.replace(" POD", ' "$POD"') for each in seen)
    try:
        shown = types(repository.folder, up + HERE, *others, f"floe-ci shell -- bash -ec {shlex.quote(script)}")
    finally:
        types(repository.folder, down)
    assert "passed: tier integration, 1 passed" in shown
    assert "inside" in shown.splitlines()


def test_example_repository(dagger: Dagger, tmp_path: Path) -> None:  # noqa: ARG001 - there is an engine
    """FastAPI's guide gives the command that runs the same tests in Kind."""
    (command,) = [each for each in commands("docs/guides/fastapi.md") if "--on dagger" in each]
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "fastapi", folder, ignore=shutil.ignore_patterns(".*", "results"))
    # Until the first release the framework is in no index.
    shutil.copytree(ROOT / "testing", folder / "floe-testing", ignore=shutil.ignore_patterns("__pycache__"))
    table = folder / "pyproject.toml"
    table.write_text(table.read_text(encoding="utf-8").replace('"floe-testing[', '"./floe-testing['), encoding="utf-8")
    assert "passed: tier integration, 3 passed" in types(folder, command + HERE)


@pytest.mark.parametrize("name", ["pg8000", "asyncpg", "telemetry"])
def test_published_packages(dagger: Dagger, tmp_path: Path, name: str) -> None:
    """The suite of a published package, and that of a plugin, pass by the command that the list of examples gives."""
    (command,) = [each for each in commands("examples/README.md") if each.split()[2] == name]
    own = "" if " -- " not in command else command[command.index(" -- ") :]
    (tmp_path / "dagger").symlink_to(dagger.command)
    types(ROOT, f'export PATH="{tmp_path}:$PATH"', f"{command.removesuffix(own)} --{HERE}")
    assert (ROOT / "results" / name / "exit-code").read_text(encoding="utf-8") == "0\n"


def test_bill_of_the_runner(dagger: Dagger, repository: Repository, floe_ci: Callable[..., Done]) -> None:
    """The command for a bill of materials of the tests' image writes one, in CycloneDX."""
    for path, text in SMALL.items():
        repository.write(path, text)
    (command,) = [each for each in commands("docs/guides/air-gapped.md") if each.startswith("floe-ci build-runner")]
    done = floe_ci(*shlex.split(command)[1:], *dagger.registry, where=repository.folder)
    assert done.code == 0, done.errors[-3000:]
    bill = json.loads((repository.folder / "dist" / "runner.cdx.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert "pytest" in {each["name"] for each in bill["components"]}
