"""Clusters that outlive a run: brought up with the services, kept under a name, removed."""

from __future__ import annotations

import re
import uuid
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import anyio
import dagger

from floe_ci import cluster
from floe_ci.build import Build
from floe_ci.errors import RunError, UserError
from floe_ci.folder import RunFolder
from floe_ci.interrupts import Interrupts
from floe_ci.places.kind import KindStay
from floe_ci.run import Run
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from floe_ci.cluster import Cluster
    from floe_ci.origin import Origin
    from floe_ci.request import Progress, RunRequest

SERVICES_NAMESPACE: Final = "floe-test"
"""Where the services of a cluster without tests are."""
NO_SUCH_CLUSTER: Final = 3
"""What forget-cluster.sh exits with where there is none of the name."""


async def bring_up(origin: Origin, request: RunRequest, name: str | None, told: Progress, *, services: bool) -> Cluster:
    """Start a cluster and leave it running for the session, with the tier's services if asked for.

    Raises:
        UserError: What was asked for can't be, or broke; the message says where.
    """
    check_name(name)
    with TemporaryDirectory(prefix="floe-ci-") as private:
        target = Path(private) / "results"
        folder = RunFolder.take(target, run_id=request.run_id, tier=request.tier, place="dagger")
        async with anyio.create_task_group() as background:
            this = Run(request, folder, told, Interrupts(told.note), background, with_tests=False)
            stay = KindStay(this, nullcontext(origin), name=name, namespace=SERVICES_NAMESPACE)
            up = False
            try:
                await stay.enter()
                if services:
                    await stay.services()
                up = True
            except RunError as error:
                raise UserError(folder.redactor.text(str(error))) from error
            finally:
                with anyio.CancelScope(shield=True):
                    await (stay.let_go() if up else stay.leave(keep=False, hurry=True))
                    await this.held.aclose()
            background.cancel_scope.cancel()
        return stay.cluster


async def forget(origin: Origin, name: str, request: RunRequest, *, missing_ok: bool = False) -> None:
    """Remove a cluster that outlived its session; with `missing_ok`, one that isn't there is no error.

    Raises:
        UserError: There is none of that name, or it is running.
    """
    check_name(name)
    build = await Build.read(origin, request, Timings())
    try:
        await cluster.forget(build.tools, uuid.uuid4().hex, name)
    except dagger.ExecError as error:
        if missing_ok and error.exit_code == NO_SUCH_CLUSTER:
            return
        raise UserError(error.stderr.strip()) from error


def check_name(name: str | None) -> None:
    """Refuse a cluster's name that is none: it becomes part of a path."""
    if name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        msg = f"--name {name!r}: use up to 41 lower-case letters, digits and '-', a letter or digit first"
        raise UserError(msg)
