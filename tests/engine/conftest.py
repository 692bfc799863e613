"""What the engine tests share: the Dagger command, small repositories, and a cluster that is there already."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.dagger_cli import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[2]
OPTIONS = shlex.split(os.environ.get("FLOE_CI_OPTIONS", ""))
"""For every run: which registry and node image this machine has."""


@dataclass(frozen=True)
class Done:
    """A call that has ended."""

    code: int
    output: str
    errors: str

    @property
    def message(self) -> str:
        """The line that says what went wrong, and what follows it."""
        return self.errors.rpartition("\nError: ")[2].partition(" [traceparent")[0].strip()


@dataclass(frozen=True)
class Dagger:
    """The Dagger command, and the module of this repository."""

    command: str
    root: Path = ROOT
    options: tuple[str, ...] = tuple(OPTIONS)
    registry: tuple[str, ...] = tuple(OPTIONS[OPTIONS.index("--registry") :][:2] if "--registry" in OPTIONS else ())
    """The options that name this machine's registry."""

    def argv(self, *args: str) -> list[str]:
        """Return the command line of a call."""
        return [self.command, "--progress=plain", "-m", str(ROOT), "call", *args]

    def call(self, *args: str, where: Path = ROOT, timeout: float = 600) -> Done:
        """Call a function of the module from the repository `where`."""
        done = subprocess.run(self.argv(*args), cwd=where, capture_output=True, text=True, timeout=timeout, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def test(self, tier: str, where: Path, results: Path, *more: str, function: str = "test") -> Done:
        """Run a tier and export its results."""
        args = (function, "--tier", tier, *self.options, *more, "export", "--path", str(results), "--wipe")
        return self.call(*args, where=where)


@pytest.fixture(scope="session")
def dagger() -> Dagger:
    """Return the Dagger command, where it reaches an engine."""
    try:
        command = find()
        subprocess.run([command, "core", "version"], capture_output=True, timeout=120, check=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no engine
        pytest.skip(f"there is no Dagger engine: {error}")
    return Dagger(command)


class Repository:
    """A small repository of somebody else's."""

    def __init__(self, folder: Path) -> None:
        """Make it a repository, with nothing but the table that names what to install."""
        self.folder = folder
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        self.write("pyproject.toml", '[tool.floe-ci.runner]\ninstall = ["pytest"]\n')

    def write(self, path: str, text: str) -> None:
        """Write one of its files."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a small repository, to be filled by the test."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


@dataclass(frozen=True)
class Existing:
    """A Kind cluster that a test has started, open on this machine, with services in the namespace floe-test."""

    kubeconfig: Path
    registry: str
    """The registry that its nodes pull from, as this machine reaches it."""

    IMAGES = ("--image", "floe.local/runner:dev", "--images", "floe.local/dagster=floe.local/dagster:dev")
    """The options that name the images which are in that registry."""

    def kubectl(self, *args: str, kubeconfig: Path | None = None, stdin: str = "") -> str:
        """Return what kubectl prints; it must succeed."""
        command = ["kubectl", "--kubeconfig", str(kubeconfig or self.kubeconfig), *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def inventory(self) -> list[str]:
        """Return every object that a run could touch, and which one it is: another of its name has another id."""
        kinds = "namespaces,clusterroles,clusterrolebindings,storageclasses,persistentvolumes"
        inside = "pods,services,configmaps,secrets,serviceaccounts,deployments,statefulsets,jobs,roles,rolebindings"
        shown = "jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.uid}{'\\n'}{end}"
        return [
            *self.kubectl("get", kinds, "--output", shown).splitlines(),
            *self.kubectl("get", inside, "--all-namespaces", "--output", shown).splitlines(),
        ]

    def argv(self, *args: str, kubeconfig: Path | None = None) -> list[str]:
        """Return the command line that does something in this cluster."""
        command, *rest = args
        where = ("--on", "cluster", "--kubeconfig", str(kubeconfig or self.kubeconfig))
        return [sys.executable, "-m", "floe_ci", command, *where, *rest]

    def call(self, *args: str, kubeconfig: Path | None = None, where: Path = ROOT, timeout: float = 400) -> Done:
        """Have `floe-ci` do something in this cluster."""
        argv = self.argv(*args, kubeconfig=kubeconfig)
        done = subprocess.run(argv, cwd=where, capture_output=True, text=True, timeout=timeout, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def existing_cluster(folder: Path) -> Iterator[Existing]:
    """Start a Kind cluster that has nothing to do with the runs in it."""
    api, registry = free_port(), free_port()
    kubeconfig, log = folder / "kubeconfig", folder / "cluster.log"
    command = [
        sys.executable,
        str(Path(__file__).with_name("open_cluster.py")),
        str(kubeconfig),
        str(api),
        str(registry),
    ]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output) as holder,
    ):
        try:
            wait_for_file(kubeconfig, holder, log)
            yield Existing(kubeconfig, f"localhost:{registry}")
        finally:
            holder.communicate(timeout=120)  # closes its standard input


def wait_for_file(path: Path, process: subprocess.Popen[bytes], log: Path, timeout: float = 500) -> None:
    """Wait until a process has written a file."""
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert process.poll() is None, f"it ended before {path}:\n{log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"no {path} after {timeout} s:\n{log.read_text()[-2000:]}"
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def start_existing() -> Callable[[Path], AbstractContextManager[Existing]]:
    """Return what starts a cluster of its own, for a test that can't have it beside others."""
    return existing_cluster


@pytest.fixture(scope="module")
def existing(dagger: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Existing]:
    """Yield a cluster that has nothing to do with the runs in it."""
    assert dagger.command
    with existing_cluster(tmp_path_factory.mktemp("existing")) as cluster:
        yield cluster
