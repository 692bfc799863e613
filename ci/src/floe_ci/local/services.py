"""The services of a run: started in parallel, waited for, and kept running."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_ci.errors import RunError
from floe_ci.local.processes import Keeper
from floe_ci.local.site import Site
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from floe_ci.local.local_service import LocalService
    from floe_ci.local.offer import Offered
    from floe_ci.local.workspace import Workspace
    from floe_ci.steps import Timings


class ServiceError(RunError):
    """A service that can't be started, or isn't ready in time; the text is the first cause, with its own last lines."""

    def __init__(self, service: str, reason: RunError) -> None:
        """Take the service's name, and what went wrong with it."""
        self.service, self.lasts = service, reason.lasts
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
        offered: tuple[Offered, ...],
        timeout: float,  # noqa: ASYNC109 - seconds, told in the error
        known: Callable[[tuple[str, ...]], None] = lambda _: None,
        shards: int = 1,
    ) -> None:
        """Start services and wait until all are ready, each for `timeout` seconds at most.

        Args:
            offered: Which.
            timeout: In seconds.
            known: Takes the passwords, before anything can write one down.
            shards: How many parts of the tests they have to serve at the same time.

        Raises:
            ServiceError: One of them can't be started, or isn't ready in time: the first that failed.
            UserError: One of them needs another that isn't named, or can't work in the folder for temporary files.
        """
        for each in offered:
            each.here.refuse(self._workspace.folder)
        self.names = tuple(each.here.name for each in offered)
        self.pids.mkdir(exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        site = Site.plan((each.service for each in offered), self._workspace.folder, shards)
        self.variables, self.passwords = site.variables, tuple(site.passwords.values())
        known(self.passwords)
        await together(*(self._start(each.here, site, timeout) for each in offered))

    async def _start(self, here: LocalService, site: Site, timeout: float) -> None:  # noqa: ASYNC109 - as above
        try:
            with self._timings.step(f"prepare {here.name}"):
                processes = await here.processes(site)
            with self._timings.step(here.name):
                keepers = [Keeper(process, self.pids, self.logs, self._note) for process in processes]
                for keeper in keepers:
                    self._workspace.keep(keeper)
                await together(*(keeper.wait_ready(timeout) for keeper in keepers))
        except RunError as error:
            raise ServiceError(here.name, error) from None

    def _note(self, event: str) -> None:
        self._events.append(f"{datetime.now(UTC).isoformat(timespec='milliseconds')}  {event}\n")
