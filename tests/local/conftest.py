"""A small repository, and the command line as a process of its own: what it starts, and what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import TYPE_CHECKING

import psutil
import pytest
from floe_ci.places.local import LocalPlace
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"floe-ci": ROOT / "ci", "floe-testing": ROOT / "testing"}
PYPROJECT = """
[project]
name = "orders"
version = "1"

[tool.floe-ci.runner]
install = ["pytest"]

[tool.floe-ci.tiers.integration]
paths = ["tests"]
services = ["postgres", "minio"]
environment = { DATABASE_URL = "postgresql://${FLOE_POSTGRES_USER}:${FLOE_POSTGRES_PASSWORD}@${FLOE_POSTGRES_HOST}/x" }
"""
TESTS = '''
"""Services are found in the environment."""

import os
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.mark.parametrize("service", ["POSTGRES", "MINIO"])
def test_service_listens(service):
    address = os.environ[f"FLOE_{service}_HOST"], int(os.environ[f"FLOE_{service}_PORT"])
    socket.create_connection(address, timeout=5).close()


def test_environment_is_expanded():
    assert os.environ["FLOE_POSTGRES_PASSWORD"] in os.environ["DATABASE_URL"]
    print("the password is", os.environ["FLOE_POSTGRES_PASSWORD"])


def test_process_that_outlives_the_test():
    subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
    Path(os.environ["FLOE_RESULTS_DIR"], "left.txt").write_text("by a test")
'''


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test of this folder where services can't run."""
    missing = [finding.detail for finding in LocalPlace().check() if finding.state != "here"]
    for item in items:
        if missing and item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason=f"services can't run here: {'; '.join(missing)}"))


@dataclass(frozen=True)
class Here:
    """A repository, and a machine's folders that are the test's own."""

    repository: Path
    temporary: Path
    cache: Path
    before: frozenset[str]
    """What there was outside of all folders."""
    own: frozenset[str] = frozenset({"pyproject.toml", "tests", "results"})
    """What may be in the repository."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `floe-ci` in the repository."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "COV_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "floe_ci", *arguments],
            cwd=self.repository,
            env=environment | {"TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(self.cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, timeout: float = 240) -> tuple[int, str]:
        """Run `floe-ci` to its end and return its exit code and what it printed."""
        with self.start(*arguments) as process:
            said, _ = process.communicate(timeout=timeout)
            return process.returncode, said

    def processes(self) -> list[str]:
        """Return the processes that have anything to do with this machine's temporary folder."""
        found = []
        for process in psutil.process_iter():
            try:
                told = [process.cwd(), *process.cmdline(), *process.environ().values()]
                if any(str(self.temporary) in text for text in told) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
            except psutil.Error:
                continue  # it has ended, or is someone else's
        return found

    def files(self) -> list[str]:
        """Return what is in the temporary folder, unfinished in the cache, new in the repository, or else left."""
        temporary = [str(path) for path in self.temporary.iterdir()]
        environments = [path for path in self.cache.glob("floe-ci/environments/*") if path.is_dir()]
        unfinished = [str(path) for path in environments if not (path / ".floe-ci-whole").exists()]
        results = self.repository / "results"
        torn = [str(path) for path in results.glob(".*")] if results.exists() else []
        return [
            *temporary,
            *unfinished,
            *torn,
            *sorted(outside() - self.before),
            *(path.name for path in self.repository.iterdir() if path.name not in self.own),
        ]

    def wait_until_clean(self, seconds: float = 60) -> tuple[list[str], list[str]]:
        """Wait until no process and no file is left, and return those that are all the same."""
        deadline = time.monotonic() + seconds
        while (left := (self.processes(), self.files())) != ([], []) and time.monotonic() < deadline:
            psutil.wait_procs([], timeout=0)
        return left


def outside() -> frozenset[str]:
    """Return what services can leave outside of all folders: sockets, and memory, that nobody uses any more.

    What is in use may be that of a test beside this one.
    """
    listed = Path("/proc/net/unix")
    in_use = {line.split()[-1] for line in listed.read_text().splitlines()[1:]} if listed.exists() else set()
    places = map(str, Path("/tmp").glob("seaweedfs-*.sock"))  # noqa: S108 - the server's own choice
    sockets = [path for path in places if path not in in_use]
    table = Path("/proc/sysvipc/shm")
    lines = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
    return frozenset({*sockets, *(f"shared memory {fields[1]}" for fields in lines if fields[6] == "0")})


def uv(*arguments: str) -> None:
    """Run uv."""
    done = subprocess.run([find_uv_bin(), *arguments], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel of each distribution, made from its source distribution as a release's are."""
    folder = tmp_path_factory.mktemp("index")
    for project in DISTRIBUTIONS.values():
        uv("build", "--quiet", "--out-dir", str(folder), str(project))
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache that the tests of this folder share, so that packages are installed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def here(tmp_path: Path, shared_cache: Path) -> Iterator[Here]:
    """Yield the repository."""
    repository = tmp_path / "repository"
    (repository / "tests").mkdir(parents=True)
    (repository / "pyproject.toml").write_text(PYPROJECT)
    (repository / "tests" / "test_orders.py").write_text(dedent(TESTS))
    # Not below pytest's own, which is closed to the account that root's PostgreSQL runs under.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Here(repository, Path(folder), shared_cache, outside())


@pytest.fixture
def here_kept(here: Here) -> Iterator[Here]:
    """Yield the repository; services that a failed test left up are ended."""
    yield here
    here.run("down", "--on", "local")
