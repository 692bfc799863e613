"""Measures what lies between a change and its verdict in a cluster that stays, against a loop written by hand.

Both sides run the same two tests, of which one needs PostgreSQL, in the same cluster, after the same file has changed.
`README.md` says how to run this, and what came of it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from floe_ci import held_cluster

if TYPE_CHECKING:
    from floe_ci.held_cluster import Held

PYPROJECT = """
[tool.floe-ci.runner]
install = ["pytest", "psycopg[binary]"]
[tool.floe-ci.tiers.integration]
services = ["postgres"]
"""
TESTS = """
import os
import psycopg

NUMBER = {number}

def test_number():
    assert NUMBER == {number}

def test_database():
    parts = {{name: name.upper() for name in ("host", "port", "user", "password")}} | {{"dbname": "DATABASE"}}
    with psycopg.connect(**{{name: os.environ[f"FLOE_POSTGRES_{{end}}"] for name, end in parts.items()}}) as database:
        assert database.execute("select {number}").fetchone() == ({number},)
"""
BY_HAND = """
tar --create tests pyproject.toml | kubectl exec -i by-hand -- tar --extract --directory /work
kubectl exec by-hand -- sh -c 'cd /work && pytest -q -p no:cacheprovider tests/integration'
"""


@dataclass(frozen=True)
class Measured:
    """One turn of a loop, in seconds from the start of the command."""

    first: float
    """Until the first result was shown."""
    back: float
    """Until the command had ended; on the one side the results are in place by then."""


def main() -> None:
    """Measure, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each side")
    parser.add_argument("options", nargs="*", help="further options of `floe-ci`, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="floe-ci-bench-") as folder:
        source = Path(folder) / "shop"
        make(source)
        call = [sys.executable, "-m", "floe_ci"]
        subprocess.run([*call, "up", "--on", "dagger", *given.options], cwd=source, check=True)
        try:
            held = held_cluster.find(source)
            if held is None:
                sys.exit("the cluster is not up any more")
            prepare_by_hand(held)
            ours, hand = [], []
            for number in range(given.runs + 1):
                write(source, 2 * number)
                ours.append(turn([*call, "test", "--on", "dagger", *given.options], source, "tests: "))
                write(source, 2 * number + 1)
                environment = f"export KUBECONFIG={shlex.quote(str(held.kubeconfig))}\n"
                hand.append(turn(["bash", "-euo", "pipefail", "-c", environment + BY_HAND], source, "[100%]"))
            report(ours[1:], hand[1:])
        finally:
            subprocess.run([*call, "down", "--on", "dagger"], cwd=source, check=False)


def make(source: Path) -> None:
    """Make the repository."""
    (source / "tests" / "integration").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(source)], check=True)  # nosec B607 - as it is found on PATH
    write(source, 0)


def write(source: Path, number: int) -> None:
    """Change the one file."""
    (source / "tests/integration/test_shop.py").write_text(TESTS.format(number=number), encoding="utf-8")


def prepare_by_hand(held: Held) -> None:
    """Start the pod that the loop written by hand uses: with the same image, and the same variables."""
    services = list(yaml.safe_load_all(held.deployed.services))
    connections = [
        each["metadata"]["name"]
        for each in services
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].endswith("connection")
    ]
    runner = {
        "name": "runner",
        "image": held.deployed.runner_image,
        "command": ["sleep", "infinity"],
        "workingDir": "/work",
        "envFrom": [
            *({"configMapRef": {"name": name}} for name in connections),
            {"secretRef": {"name": "floe-credentials"}},
        ],
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "by-hand"},
        "spec": {"containers": [runner], "volumes": [{"name": "work", "emptyDir": {}}]},
    }
    kubectl = ["kubectl", "--kubeconfig", str(held.kubeconfig)]
    subprocess.run([*kubectl, "apply", "-f", "-"], input=json.dumps(pod), text=True, check=True)
    subprocess.run([*kubectl, "wait", "--for=condition=Ready", "pod/by-hand", "--timeout=120s"], check=True)


def turn(command: list[str], where: Path, first: str) -> Measured:
    """Run a loop's command once, and note when it shows `first`."""
    began = time.monotonic()
    seen = None
    said = []
    with subprocess.Popen(
        command, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as process:
        assert process.stdout
        for line in process.stdout:
            said.append(line)
            if seen is None and first in line:
                seen = time.monotonic() - began
    if process.returncode or seen is None:
        sys.exit(f"{shlex.join(command)} ended with {process.returncode}:\n{''.join(said)}")
    return Measured(seen, time.monotonic() - began)


def report(ours: list[Measured], hand: list[Measured]) -> None:
    """Print what came of it."""
    for name in ("first", "back"):
        mine, other = ([getattr(each, name) for each in side] for side in (ours, hand))
        ratio = statistics.median(mine) / statistics.median(other)
        print(
            f"{name}: floe-ci {statistics.median(mine):.1f} s ({min(mine):.1f} to {max(mine):.1f}), by hand "
            f"{statistics.median(other):.1f} s ({min(other):.1f} to {max(other):.1f}): {ratio:.1f} times as long"
        )


if __name__ == "__main__":
    main()
