"""`floe-ci shell`: into the cluster that is up."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import click

from floe_ci.cli import options
from floe_ci.errors import UserError
from floe_ci.request import WHERE_AN_ENGINE_IS

if TYPE_CHECKING:
    from pathlib import Path


@click.command("shell", context_settings={"ignore_unknown_options": True})
@options.source
@click.argument("command_line", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ...]")
def command(*, source: Path, command_line: tuple[str, ...]) -> None:
    """Open a shell whose kubectl speaks to the repository's cluster that is up, in the services' namespace.

    With a command, run that instead, and exit with its code.
    """
    from floe_ci import held_cluster  # noqa: PLC0415 - `--help` needs none of it

    held = held_cluster.find(source)
    if held is None:
        msg = (
            f"no cluster is up for {source.resolve()}: `floe-ci up --on dagger` brings one up {WHERE_AN_ENGINE_IS}, "
            "and `floe-ci test --keep` leaves that of a failed run; `floe-ci status` lists what is up"
        )
        raise UserError(msg)
    if not command_line:
        click.echo(welcome(held.name, held.namespace), err=True)
        command_line = (os.environ.get("SHELL") or shutil.which("bash") or "/bin/sh",)
    environment = os.environ | {"KUBECONFIG": str(held.kubeconfig), "FLOE_CLUSTER": held.name}
    with held_cluster.using(held):
        try:
            done = subprocess.run(command_line, env=environment, check=False)  # noqa: S603 - as the caller says
        except OSError as error:
            msg = f"{command_line[0]}: {error.strerror}"
            raise UserError(msg) from None
    click.get_current_context().exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def welcome(name: str, namespace: str) -> str:
    """Return what there is to do in the shell."""
    lines = [f"in cluster {name}, namespace {namespace}; `exit` leaves it, and the cluster as it is"]
    if shutil.which("kubectl"):
        lines.append("kubectl get pods; kubectl logs NAME; kubectl exec -it NAME -- sh")
    else:
        lines.append("kubectl is not on PATH: https://kubernetes.io/docs/tasks/tools")
    if shutil.which("k9s"):
        lines.append("k9s shows the same on one screen")
    return "\n".join(lines)
