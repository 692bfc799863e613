"""`python -m floe_ci.local_cluster up|down --name NAME [-- OPTIONS]`: a named cluster, open on this machine.

`up` starts the cluster with the integration tier's services, writes a kubeconfig, and leaves a `dagger call`
in the background that holds the cluster's port open. `down` ends that call and deletes the cluster.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from floe_ci.dagger_cli import find

STATE = Path(".floe")
PORT = 6443
TIMEOUT = 900
"""Seconds until the port must be open."""


def up(dagger: str, name: str, options: list[str]) -> None:
    """Start the cluster, or do nothing where it is running."""
    if running(name):
        print(f"cluster {name} is up already: export KUBECONFIG={kubeconfig(name)}")  # noqa: T201
        return
    STATE.mkdir(exist_ok=True)
    cluster = [dagger, "call", "cluster", "--services", "--name", name, *options]
    subprocess.run([*cluster, "kubeconfig", "export", "--path", str(kubeconfig(name))], check=True)  # noqa: S603
    log = (STATE / f"{name}.log").open("w")
    holder = subprocess.Popen(  # noqa: S603
        [*cluster, "service", "up", "--ports", f"{PORT}:{PORT}"],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    pid_file(name).write_text(str(holder.pid))
    wait_until_open(name, holder)
    print(f"cluster {name} is up: export KUBECONFIG={kubeconfig(name)}")  # noqa: T201


def wait_until_open(name: str, holder: subprocess.Popen[bytes]) -> None:
    """Wait until the holder says that the port is open."""
    log, deadline = STATE / f"{name}.log", time.monotonic() + TIMEOUT
    while "tunnel started" not in log.read_text(errors="replace"):
        if holder.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-1500:]
            sys.exit(f"cluster {name} did not open its port; see {log}:\n{said}")
        with suppress(subprocess.TimeoutExpired):
            holder.wait(timeout=1)


def down(dagger: str, name: str, options: list[str]) -> None:
    """End the call that holds the port, and delete the cluster."""
    if running(name):
        os.killpg(int(pid_file(name).read_text()), signal.SIGINT)
        wait_until_gone(name)
    pid_file(name).unlink(missing_ok=True)
    kubeconfig(name).unlink(missing_ok=True)
    registry = options[options.index("--registry") :][:2] if "--registry" in options else []
    delete = [dagger, "call", "delete-cluster", "--name", name, *registry]
    sys.exit(subprocess.run(delete, check=False).returncode)  # noqa: S603


def wait_until_gone(name: str) -> None:
    """Wait until the holder has ended: the cluster's part of the volume is its own until then."""
    deadline = time.monotonic() + 60
    while running(name):
        if time.monotonic() > deadline:
            pid = pid_file(name).read_text()
            sys.exit(f"the call that holds cluster {name} does not end; kill process {pid}")
        time.sleep(0.2)


def running(name: str) -> bool:
    """Tell whether the holder of a cluster lives."""
    try:
        os.kill(int(pid_file(name).read_text()), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    return True


def pid_file(name: str) -> Path:
    """Return where the holder's process id is written."""
    return STATE / f"{name}.pid"


def kubeconfig(name: str) -> Path:
    """Return where the kubeconfig is written."""
    return STATE / f"{name}.kubeconfig"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="floe_ci.local_cluster", description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--name", default="dev")
    argv = sys.argv[1:]
    # Split here: argparse would take what follows the dashes for options of its own.
    end = argv.index("--") if "--" in argv else len(argv)
    args, options = parser.parse_args(argv[:end]), argv[end + 1 :]
    try:
        {"up": up, "down": down}[args.action](find(), args.name, options)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
