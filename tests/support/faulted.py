"""Runs in a cluster that is there, of which something goes wrong, and what came of each."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOMENTS = {
    "configure": "configure …",
    "toolbox": "toolbox …",
    "docker": "start service …",
    "image": "build runner …",
    "loading": "load images …",
    "cluster": "create cluster …",
    "nodes": "nodes ready …",
    "services": "services ready …",
    "tests": "tests: 1 of 2",
    "collect": "collect …",
}
"""The moments of a run in Kind that a signal comes at: what the run has just told then."""
FEWER = ("image", "cluster", "tests", "collect")
"""Those of them at which further signals come."""
NAMES = (
    *("claim-pending", "collection-error", "connection-cut", "crash-loop", "deadline", "image-missing", "never-ready"),
    *("no-test", "pull-refused", "pytest-breaks", "quota", "results-full", "runner-deleted", "runner-out-of-memory"),
    *("segfault", "service-out-of-memory", "sighup-services", "sighup-tests", "sigint-services", "sigint-tests"),
    *("sigterm-services", "sigterm-tests", "test-hangs", "two-at-once", "eight-at-once"),
    *("kubelet-stopped", "api-restarted", "no-dns", "docker-dies", "no-cluster", "node-full", "clock-back"),
    *("node-dies", "session-dies", "engine-dies", "soak", "nine-at-once"),
    *(f"{number}-in-kind-{moment}" for number in ("sigint", "sigterm") for moment in MOMENTS),
    *(f"{number}-in-kind-{moment}" for number in ("sighup", "sigkill") for moment in FEWER),
)
"""What the faults are called; the page has each, with what came of it or as not tried."""
LONGEST = 600.0
"""Seconds that a run may take, the rig's load included."""


@dataclass(frozen=True)
class Row:
    """What a fault came to, as the page tells it."""

    name: str
    what: str
    """The fault, in a few words."""
    seen: str
    """The first line that the user sees of it."""
    verdict: str
    exit_code: int
    results: tuple[str, ...]
    seconds: float
    """From the fault, or from the run's start where it was there from the start, until the results were there."""
    left: tuple[str, ...]
    """What was left of the run a minute after it."""


@dataclass(frozen=True)
class Place:
    """A cluster that is there, and the image that its nodes pull."""

    kubeconfig: str
    image: str

    def kubectl(self, *args: str, check: bool = True) -> str:
        """Return what kubectl prints."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def argv(self, results: Path, *args: str, kubeconfig: str = "") -> list[str]:
        """Return the command line of a run."""
        where = ("--on", "cluster", "--kubeconfig", kubeconfig or self.kubeconfig, "--image", self.image)
        return [sys.executable, "-m", "floe_ci", "test", *where, "--results", str(results), *args]

    def left(self, run_id: str, timeout: float = 100) -> tuple[str, ...]:
        """Wait for the end of a run's namespace, and return what has its label after that."""
        namespace = f"namespace/floe-integration-{run_id}"
        self.kubectl("wait", "--for=delete", namespace, f"--timeout={timeout:g}s", check=False)
        kinds = "namespaces,clusterroles,clusterrolebindings,persistentvolumes"
        return tuple(self.kubectl("get", kinds, f"--selector=floe.dev/run-id={run_id}", "--output", "name").split())


@dataclass
class Started:
    """A run that goes on."""

    process: subprocess.Popen[str]
    results: Path
    began: float

    @property
    def run_id(self) -> str:
        """Its id, as `run.json` has it."""
        return str(json.loads((self.results / "run.json").read_text())["run_id"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return f"floe-integration-{self.run_id}"

    def wait_for(self, ending: str) -> None:
        """Wait until it tells a line with that."""
        assert self.process.stderr
        told = []
        for line in self.process.stderr:
            told.append(line)
            if ending in line:
                return
        msg = f"it ended without a line with {ending!r}: {''.join(told)[-3000:]}"
        raise AssertionError(msg)


def first_line(results: Path) -> str:
    """Return what a summary says first: the first cause, else the headline."""
    page = (results / "summary.md").read_text()
    found = re.search(r"^\*\*First cause\*\*: (.*)", page, re.MULTILINE)
    return html.unescape((found[1] if found else page.splitlines()[0].replace("*", "")).replace("\\", ""))
