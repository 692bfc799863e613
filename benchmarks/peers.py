"""Measures runs against what users would take instead: pytest-postgresql on this machine, pytest-kubernetes in Kind.

`README.md` says what is compared, how to run this, and what came of it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import anyio
import dagger
from dagger import CacheSharingMode, dag
from floe_ci.build import Build
from floe_ci.cluster import VOLUME, loaded
from floe_ci.excluded import NOT_SOURCE
from floe_ci.local.postgres import installation
from floe_ci.origin import Origin, through_a_tunnel
from floe_ci.request import RunRequest
from floe_ci.steps import Measured, Timings
from uv import find_uv_bin

ROOT = Path(__file__).parent.parent
PEER = ("pytest==9.2.0", "pytest-postgresql==10.0.0", "psycopg[binary]")
PYPROJECT = f"""
[tool.floe-ci.runner]
install = ["pytest", "floe-testing[postgres] @ file://{ROOT}/testing"]
[tool.floe-ci.tiers.integration]
services = ["postgres"]
"""
ONE = "test_orders.py::test_orders"
"""The one test, named as a developer's editor does."""
SHOP = """
[tool.floe-ci.runner]
install = ["pytest", "psycopg[binary]"]
[tool.floe-ci.tiers.integration]
services = ["postgres"]
"""
TESTS = """
def test_orders({fixture}):
    {fixture}.execute("CREATE TABLE orders (id integer)")
    {fixture}.execute("INSERT INTO orders VALUES (1)")
    assert {fixture}.execute("SELECT id FROM orders").fetchall() == [(1,)]
"""
KUBERNETES_PEER = ("pytest==9.2.0", "pytest-kubernetes==0.9.0", "psycopg[binary]")
IN_POD = """
import os
import psycopg

def test_number():
    assert 1 + 1 == 2

def test_database():
    parts = {name: name.upper() for name in ("host", "port", "user", "password")} | {"dbname": "DATABASE"}
    with psycopg.connect(**{name: os.environ[f"FLOE_POSTGRES_{end}"] for name, end in parts.items()}) as database:
        assert database.execute("select 1").fetchone() == (1,)
"""
FROM_OUTSIDE = """
import time
from pathlib import Path

import psycopg
import pytest

@pytest.fixture(scope="session")
def cluster(k8s_manager):
    manager = k8s_manager("kind")("peer")
    manager.create(timeout=120)
    manager.load_image("IMAGE")
    manager.apply(Path("postgres.yaml"))
    manager.wait("pod/postgres", "condition=Ready")
    yield manager
    manager.delete()

def test_number(cluster):
    Path("first").write_text(str(time.time()))
    assert 1 + 1 == 2

def test_database(cluster):
    with cluster.port_forwarding("pod/postgres", 5432, 5432):
        with psycopg.connect("host=127.0.0.1 user=postgres password=secret") as database:
            assert database.execute("select 1").fetchone() == (1,)
"""
POSTGRES = """
apiVersion: v1
kind: Pod
metadata: {name: postgres}
spec:
  containers:
    - name: postgres
      image: IMAGE
      env: [{name: POSTGRES_PASSWORD, value: secret}]
      readinessProbe: {exec: {command: [pg_isready, --host, 127.0.0.1]}, periodSeconds: 1}
"""
"""With a probe that asks every second: no reasonable one finds it sooner."""
PEER_SCRIPT = """
mkdir -p /var/lib/docker/docker
dockerd --data-root /var/lib/docker/docker > /run/dockerd.log 2>&1 &
timeout 60 sh -c 'until docker info > /dev/null 2>&1; do sleep 0.2; done' || { cat /run/dockerd.log >&2; exit 1; }
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes > /dev/null
while [ $# -gt 1 ]; do
  docker image inspect "$2" > /dev/null 2>&1 || skopeo copy --quiet "oci:$1" "docker-daemon:$2"
  shift 2
done
date +%s.%N > began
/opt/peer/bin/pytest -q --k8s-version "$1" test_peer.py >&2 || exit 1
date +%s.%N > ended
"""
"""Docker runs and has the images before the clock starts, as on the machine of somebody who uses it every day."""
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
"""PostgreSQL refuses to run as root, and pytest-postgresql knows no other account."""
MAY_READ = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
"""The interpreter may be in root's home."""


def main() -> None:
    """Measure, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=("postgresql", "kubernetes"))
    parser.add_argument("--runs", type=int, default=5, help="of each side")
    parser.add_argument("--registry", default="", help="take every public image from this registry, by tag")
    parser.add_argument("--node-image", default="", help="the Kind nodes' image; default: the pinned one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="floe-ci-bench-") as folder:
        if given.peer == "postgresql":
            postgresql(Path(folder), given.runs)
        else:
            anyio.run(kubernetes, Path(folder), given)


def postgresql(folder: Path, runs: int) -> None:
    """Run one test with a database of its own: from services of the run's own, from kept ones, and by the peer."""
    server = installation()
    if server is None:
        sys.exit("there is no PostgreSQL here")
    ours, theirs = folder / "ours", folder / "theirs"
    write(ours / "tests/integration/test_orders.py", TESTS.format(fixture="postgres"))
    write(ours / "pyproject.toml", PYPROJECT)
    write(theirs / "test_orders.py", TESTS.format(fixture="postgresql"))
    write(theirs / "pytest.ini", "[pytest]\n")
    uv("venv", "--quiet", str(theirs / ".venv"))
    uv("pip", "install", "--quiet", "--compile-bytecode", "--link-mode=copy", "--python", str(theirs / ".venv"), *PEER)
    account: tuple[str, ...] = ()
    if os.geteuid() == 0:
        account = (*NOBODY, *MAY_READ)
        # Links stay: they, and what the packages' cache shares with the environment, are others'.
        for path in (folder, ours, theirs, *ours.rglob("*"), theirs / "test_orders.py"):
            shutil.chown(path, "nobody", "nogroup")
    floe = (*account, sys.executable, "-m", "floe_ci")
    peer = (*account, str(theirs / ".venv/bin/pytest"), "-q", f"--postgresql-exec={server}/bin/pg_ctl", ONE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLOE_", "PYTHON"))} | {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    test = (*floe, "test", "--on", "local", f"tests/integration/{ONE}")
    sides = {"own services": (test, ours), "pytest-postgresql": (peer, theirs)}
    turns = [{name: timed(*side, environment) for name, side in sides.items()} for _ in range(runs + 1)]
    run((*floe, "up", "--on", "local"), ours, environment)
    try:
        kept = [timed(test, ours, environment) for _ in range(runs + 1)]
    finally:
        run((*floe, "down", "--on", "local"), ours, environment)
    measured = {name: [turn[name] for turn in turns[1:]] for name in sides} | {"services that are up": kept[1:]}
    for name, seconds in measured.items():
        print(f"{name:22} {statistics.median(seconds):5.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    mine, other = (statistics.median(measured[name]) for name in sides)
    print(f"{mine / other:.2f} times as long as pytest-postgresql")


async def kubernetes(folder: Path, given: argparse.Namespace) -> None:
    """Run two tests with PostgreSQL in a fresh cluster: as the module does, and as the peer in the same toolbox."""
    make_shop(folder)
    chosen = {"--registry": given.registry, "--node-image": given.node_image}
    options = tuple(word for name, value in chosen.items() if value for word in (name, value))
    command = (sys.executable, "-m", "floe_ci", "test", "--on", "dagger", "--fresh", *options)
    ours: list[tuple[float, ...]] = []
    theirs: list[tuple[float, ...]] = []
    async with dagger.connection(dagger.Config(log_output=sys.stderr)):
        container = await peer_container(folder, given)
        for _ in range(given.runs + 1):
            theirs.append(await peer_turn(container))
            took = await anyio.to_thread.run_sync(timed, command, folder, dict(os.environ))
            text = (folder / "results/integration/timings.json").read_text(encoding="utf-8")
            measured = Measured.from_json(text)
            if measured.time_to_first_test_seconds is None:
                sys.exit("no test began")
            ours.append((measured.time_to_first_test_seconds, measured.total_seconds, took))
            print("floe-ci", ours[-1], "pytest-kubernetes", theirs[-1], flush=True)
    first, total, whole = (statistics.median(column) for column in zip(*ours[1:], strict=True))
    other_first, other_total = (statistics.median(column) for column in zip(*theirs[1:], strict=True))
    print(f"first test: {first:.1f} s, pytest-kubernetes {other_first:.1f} s: {first / other_first:.2f} times as long")
    print(f"the run: {total:.1f} s, pytest-kubernetes {other_total:.1f} s: {total / other_total:.2f} times as long")
    print(f"the command, with the engine's session: {whole:.1f} s")


def make_shop(folder: Path) -> None:
    """Make the repository that the module runs."""
    write(folder / "tests/integration/test_shop.py", IN_POD)
    write(folder / "pyproject.toml", SHOP)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)  # nosec B607 - as it is found on PATH


async def peer_container(folder: Path, given: argparse.Namespace) -> dagger.Container:
    """Return the toolbox with the peer in it, and all images that it needs."""
    source = dag.host().directory(str(folder), gitignore=True).filter(exclude=[*NOT_SOURCE])
    root = dag.host().directory(str(ROOT), gitignore=True)
    origin = Origin(source, root.directory("k8s"), root.directory("ci"), through_a_tunnel)
    request = RunRequest("integration", registry=given.registry, node_image=given.node_image)
    build = await Build.read(origin, request, Timings())
    plan = await build.manifests(build.tools)
    ((_, image),) = (await build.services(plan)).items()
    node = f"kindest/node:{build.node_image.partition('@')[0].rpartition(':')[2]}"
    postgres = "docker.io/library/postgres:peer"
    images = {node: build.registry.pull(build.node_image), postgres: image}
    container = (
        build.tools.with_exec(["uv", "venv", "--quiet", "/opt/peer"])
        .with_exec(["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", "/opt/peer", *KUBERNETES_PEER])
        .with_workdir("/work")
        .with_new_file("test_peer.py", FROM_OUTSIDE.replace("IMAGE", postgres))
        .with_new_file("postgres.yaml", POSTGRES.replace("IMAGE", postgres))
        .with_new_file("peer.sh", PEER_SCRIPT)
        .with_mounted_cache(VOLUME, dag.cache_volume("floe-ci-peers"), sharing=CacheSharingMode.LOCKED)
    )
    targets = []
    for number, (name, each) in enumerate(images.items()):
        container = container.with_mounted_directory(f"/images/{number}", loaded(build.tools, each, name))
        targets += [f"/images/{number}", name]
    return await container.with_default_args(["sh", "peer.sh", *targets, node.rpartition(":v")[2]]).sync()


async def peer_turn(container: dagger.Container) -> tuple[float, float]:
    """Run the peer once, and return the seconds to the first test and to the end."""
    done = container.with_env_variable("TURN", uuid.uuid4().hex).with_exec(
        await container.default_args(), insecure_root_capabilities=True
    )
    began, first, ended = [float(await done.file(name).contents()) for name in ("began", "first", "ended")]
    return first - began, ended - began


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def uv(*arguments: str) -> None:
    """Run uv."""
    subprocess.run([find_uv_bin(), *arguments], check=True)


def timed(command: tuple[str, ...], where: Path, environment: dict[str, str]) -> float:
    """Return the seconds from a command's start to its end."""
    began = time.monotonic()
    run(command, where, environment)
    return time.monotonic() - began


def run(command: tuple[str, ...], where: Path, environment: dict[str, str]) -> None:
    """Run a command; one that fails is no measurement."""
    done = subprocess.run(
        command, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")


if __name__ == "__main__":
    main()
