"""The distributions, installed by their names from a folder of wheels, by a pip that is years old."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from pages import blocks
from tests.local.conftest import DISTRIBUTIONS, ROOT, uv

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Here

OLD_PIP = "pip==22.3"
"""What Python 3.11 came with at first."""
BUILDERS = {
    builder
    for project in DISTRIBUTIONS.values()
    for builder in tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
}
"""What both are built with; pip would fetch it for each."""
WHEEL = ("wheel", "--quiet", "--no-deps", "--no-build-isolation")
TEST = '"""Sums."""\n\n\ndef test_sum():\n    """One and one are two."""\n    assert 1 + 1 == 2\n'


@dataclass(frozen=True)
class Clean:
    """An environment that has nothing of this repository but what was installed by name."""

    folder: Path

    def run(self, *command: str, cwd: Path | None = None) -> tuple[int, str]:
        """Run a command of it, and return its exit code and what it said."""
        told = {"PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME"}
        kept = {name: value for name, value in os.environ.items() if name in told or name.startswith(("UV_", "SSL_"))}
        done = subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=cwd or self.folder,
            env={name: value for name, value in kept.items() if name != "UV_PROJECT_ENVIRONMENT"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )
        return done.returncode, done.stdout


def contents(folder: Path) -> dict[str, dict[str, int]]:
    """Return what is in the wheels of a folder, each file with its checksum."""
    return {path.name: {each.filename: each.CRC for each in ZipFile(path).infolist()} for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def clean(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """Return an environment that an old pip has installed both distributions into.

    What they depend on is there before, by uv and its cache: pip takes minutes for it.
    """
    folder = tmp_path_factory.mktemp("clean") / "environment"
    python = str(folder / "bin" / "python")
    names = ("floe-ci[local]", "floe-testing")
    uv("venv", "--quiet", "--python", sys.executable, str(folder))
    uv("pip", "install", "--quiet", "--python", python, "--find-links", str(index), OLD_PIP, *BUILDERS, *names)
    uv("pip", "uninstall", "--quiet", "--python", python, *DISTRIBUTIONS)
    environment = Clean(folder)
    code, said = environment.run("python", "-m", "pip", "install", "--no-index", "--find-links", str(index), *names)
    assert code == 0, said
    assert "Successfully installed floe-ci" in said
    return environment


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_each_is_one_wheel_and_one_source_distribution(index: Path, name: str) -> None:
    """What is built of a distribution is called by its name and its version, and nothing else is."""
    start = f"{name.replace('-', '_')}-{version(name)}"
    built = {path.name for path in index.iterdir() if path.name.startswith(name.replace("-", "_"))}
    assert built == {f"{start}-py3-none-any.whl", f"{start}.tar.gz"}


def test_what_comes_from_git_is_the_same(index: Path, clean: Clean, tmp_path: Path) -> None:
    """The old pip makes the same wheels of folders in a Git repository, which has no tag, as are made for an index."""
    repository = tmp_path / "repository"
    for name in ("ci", "testing", "k8s"):
        shutil.copytree(ROOT / name, repository / name, ignore=shutil.ignore_patterns("__pycache__", "sdk", ".*"))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=a"]):
        subprocess.run([*git, *command], cwd=repository, check=True, timeout=60)
    urls = [f"git+file://{repository}#subdirectory={project.name}" for project in DISTRIBUTIONS.values()]
    code, said = clean.run("python", "-m", "pip", *WHEEL, "--wheel-dir", str(tmp_path / "made"), *urls)
    assert code == 0, said
    assert contents(tmp_path / "made") == contents(index)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_command_tells_its_version(clean: Clean, name: str) -> None:
    """`--version` is that of the distribution."""
    assert clean.run(name, "--version") == (0, f"{name}, version {version(name)}\n")


def test_the_main_job_runs_in_an_empty_folder(here: Here, clean: Clean, tmp_path: Path) -> None:
    """In a folder of tests and nothing else, `init` and the main job are all it takes, and nothing of a run is left."""
    folder = tmp_path / "empty"
    (first,) = blocks("docs/index.md", "python")
    tests = {"unit/test_sum.py": TEST, "integration/test_orders.py": first.text}
    for name, text in tests.items():
        (folder / "tests" / name).parent.mkdir(parents=True)
        (folder / "tests" / name).write_text(text, encoding="utf-8")
    (folder / "requirements.txt").write_text("psycopg[binary]\npytest\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(here.temporary))
        patch.setenv("XDG_CACHE_HOME", str(here.cache))
        code, said = clean.run("floe-ci", "init", cwd=folder)
        assert code == 0, said
        for tier in ("unit", "integration"):
            code, said = clean.run("floe-ci", "test", "--on", "local", "--tier", tier, cwd=folder)
            assert code == 0, said
            assert f"passed: tier {tier}, 1 passed" in said
    assert {path.name for path in folder.iterdir()} == {"floe-ci.toml", "requirements.txt", "results", "tests"}
    assert here.wait_until_clean() == ([], [])
