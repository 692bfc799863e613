"""Clusters that outlive a run: brought up with the services, kept under a name, removed."""

from __future__ import annotations

import shlex
import uuid
from contextlib import nullcontext
from typing import TYPE_CHECKING

import dagger

from floe_ci import cluster, run
from floe_ci.build import Build
from floe_ci.errors import UserError
from floe_ci.interrupts import Interrupts
from floe_ci.places.kind import SERVICES_NAMESPACE, KindStay
from floe_ci.steps import Timings
from floe_ci.tasks import in_thread

if TYPE_CHECKING:
    from floe_ci.cluster import Cluster
    from floe_ci.listeners import Progress
    from floe_ci.origin import Origin
    from floe_ci.request import PlaceName, RunRequest
    from floe_ci.run import Run


class LastingStay(KindStay):
    """A stay whose cluster goes on in this session when it ends."""

    def __init__(self, run: Run, origin: Origin, name: str | None, *, services: bool) -> None:
        """Prepare; only with `services` the tier's services are brought up."""
        super().__init__(run, nullcontext(origin), name=name, namespace=SERVICES_NAMESPACE)
        self._wanted = services

    async def services(self) -> None:
        """Bring the services up, if asked for."""
        if self._wanted:
            await super().services()

    async def opened(self) -> tuple[dagger.Service, dict[str, str]]:
        """Return a service that opens those of the tier to who asks, and the variables by which they are found then."""
        doors, variables = await in_thread(self._there.reached)
        return self.cluster.opening(SERVICES_NAMESPACE, doors), variables

    async def leave(self, *, keep: bool, hurry: bool) -> None:
        """Leave the cluster as it is, or kill what was begun."""
        await (self.let_go() if keep else super().leave(keep=False, hurry=hurry))


class Lasting:
    """Kind in a Dagger service, as a place that is brought up."""

    name: PlaceName = "dagger"

    def __init__(self, origin: Origin, name: str | None, *, services: bool) -> None:
        """Take where the repository is, and what is wanted."""
        self._origin, self._name, self._services = origin, name, services

    def stay(self, run: Run) -> LastingStay:
        """Return the stay whose cluster goes on."""
        self.entered = LastingStay(run, self._origin, self._name, services=self._services)
        return self.entered


async def open_up(origin: Origin, request: RunRequest, told: Progress) -> dagger.Service:
    """Bring a tier's services up in a cluster for the session, and return a service that opens them.

    The variables by which they are found are told, passwords among them: whoever opens services wants to use them.

    Raises:
        UserError: What was asked for can't be, or broke; the message says where.
    """
    place = Lasting(origin, None, services=True)
    await run.up(request, place, told, Interrupts(told.note, ours=False))
    service, variables = await place.entered.opened()
    for name, value in variables.items():
        told.note(f"{name}={shlex.quote(value)}")
    return service


async def bring_up(origin: Origin, request: RunRequest, name: str | None, told: Progress, *, services: bool) -> Cluster:
    """Start a cluster and leave it running for the session, with the tier's services if asked for.

    Raises:
        UserError: What was asked for can't be, or broke; the message says where.
    """
    if name is not None:
        cluster.check_name(name)
    place = Lasting(origin, name, services=services)
    await run.up(request, place, told, Interrupts(told.note, ours=False))
    return place.entered.cluster


async def forget(origin: Origin, name: str, request: RunRequest) -> None:
    """Remove a cluster that outlived its session.

    Raises:
        UserError: There is none of that name, or it is running.
    """
    cluster.check_name(name)
    build = await Build.read(origin, request, Timings())
    try:
        await cluster.forget(build.tools, uuid.uuid4().hex, name)
    except dagger.ExecError as error:
        raise UserError(error.stderr.strip()) from error
