"""The services of a run: started in parallel, waited for, and kept running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from floe_ci.errors import RunError
from floe_ci.local import dagster, environments, objects, postgres
from floe_ci.local.processes import Keeper
from floe_ci.local.site import Site
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from floe_ci.local.processes import Process
    from floe_ci.local.workspace import Workspace
    from floe_ci.steps import Timings

ORIGINS: Final = {
    postgres.NAME: "PostgreSQL's own server",
    objects.NAME: "SeaweedFS in MinIO's place, which is in no package index; it speaks S3 as well",
    dagster.NAME: "Dagster's webserver, daemon and code location, from the cluster's lock file",
}
"""What each service is on this machine, for the first lines of a run."""


def origin(service: str) -> str:
    """Return what a service is on this machine, and what it lacks of what a cluster's has."""
    lack = postgres.lack() if service == postgres.NAME else ""
    return ORIGINS[service] + lack


class ServiceError(RunError):
    """A service that can't be started, or isn't ready in time; the text is the first cause, with its own last lines."""

    def __init__(self, service: str, reason: RunError) -> None:
        """Take the service's name, and what went wrong with it."""
        self.service = service
        super().__init__(str(reason) if str(reason).startswith(f"{service}:") else f"{service}: {reason}")


class Services:
    """The services of one run."""

    def __init__(self, workspace: Workspace, logs: Path, timings: Timings) -> None:
        """Prepare; their logs will be in the folder `logs`."""
        self.names: tuple[str, ...] = ()
        """Those that were started."""
        self.variables: dict[str, str] = {}
        """How tests reach them, passwords included."""
        self.passwords: tuple[str, ...] = ()
        self.pids = workspace.folder / "pids"
        """The folder with a file for each process, which holds its id."""
        self.logs = logs
        self._workspace, self._timings = workspace, timings
        self._events: list[str] = []

    @property
    def events(self) -> str:
        """What became of the processes, in the order it happened."""
        return "".join(self._events)

    async def start(
        self,
        names: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - seconds, told in the error
        known: Callable[[tuple[str, ...]], None] = lambda _: None,
    ) -> None:
        """Start services and wait until all are ready, each for `timeout` seconds at most.

        Args:
            names: Which.
            timeout: In seconds.
            known: Takes the passwords, before anything can write one down.

        Raises:
            ServiceError: One of them can't be started, or isn't ready in time: the first that failed.
            UserError: One of them needs another that isn't named, or can't work in the folder for temporary files.
        """
        if postgres.NAME in names:
            postgres.refuse_closed(self._workspace.folder)
        self.names = names
        self.pids.mkdir(exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        site = Site.plan(names, self._workspace.folder)
        self.variables, self.passwords = site.variables, tuple(site.passwords.values())
        known(self.passwords)
        await together(*(self._start(name, site, timeout) for name in names))

    async def _start(self, name: str, site: Site, timeout: float) -> None:  # noqa: ASYNC109 - as above
        try:
            await self._bring_up(name, site, timeout)
        except RunError as error:
            raise ServiceError(name, error) from None

    async def _bring_up(self, name: str, site: Site, timeout: float) -> None:  # noqa: ASYNC109 - as above
        processes = await self._prepare(name, site)
        with self._timings.step(name):
            keepers = [Keeper(process, self.pids, self.logs, self._note) for process in processes]
            for keeper in keepers:
                self._workspace.keep(keeper)
            await together(*(keeper.wait_ready(timeout) for keeper in keepers))

    async def _prepare(self, name: str, site: Site) -> list[Process]:
        if name == dagster.NAME:
            with self._timings.step("install dagster"):
                packages = await environments.ready(dagster.environment())
            return dagster.processes(site, packages)
        if name == postgres.NAME:
            with self._timings.step("make a database"):
                return await postgres.processes(site)
        return objects.processes(site)

    def _note(self, event: str) -> None:
        self._events.append(f"{datetime.now(UTC).isoformat(timespec='milliseconds')}  {event}\n")
