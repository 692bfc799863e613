"""Clusters that outlive a run: brought up with the services, kept under a name, removed."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio
import dagger

from floe_ci import cluster
from floe_ci.build import Build
from floe_ci.errors import RunError, UserError
from floe_ci.folder import RunFolder
from floe_ci.interrupts import Interrupts
from floe_ci.places.kind import SERVICES_NAMESPACE, KindStay
from floe_ci.run import Run
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from floe_ci.cluster import Cluster
    from floe_ci.listeners import Progress
    from floe_ci.origin import Origin
    from floe_ci.request import RunRequest


async def bring_up(origin: Origin, request: RunRequest, name: str | None, told: Progress, *, services: bool) -> Cluster:
    """Start a cluster and leave it running for the session, with the tier's services if asked for.

    Raises:
        UserError: What was asked for can't be, or broke; the message says where.
    """
    if name is not None:
        cluster.check_name(name)
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
    cluster.check_name(name)
    build = await Build.read(origin, request, Timings())
    try:
        await cluster.forget(build.tools, uuid.uuid4().hex, name)
    except dagger.ExecError as error:
        if missing_ok and error.exit_code == cluster.NO_SUCH_CLUSTER:
            return
        raise UserError(error.stderr.strip()) from error
