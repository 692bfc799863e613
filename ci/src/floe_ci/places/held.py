"""A cluster that stays: the tests come into it as they are, beside services that are up."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_ci import held_cluster
from floe_ci.addons import Addons
from floe_ci.driver.apis import Apis
from floe_ci.manifests import Manifests
from floe_ci.places.driven import Driven, DrivenStay
from floe_ci.plan import Plan
from floe_ci.repository import Snapshot
from floe_ci.tasks import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from floe_ci.driver.spec import RunSpec
    from floe_ci.held_cluster import Deployed, Held
    from floe_ci.listeners import Step
    from floe_ci.request import RunRequest
    from floe_ci.run import Run

    Refresh = Callable[[RunRequest, "Heard"], Awaitable[Held]]


class HeldStay(DrivenStay):
    """A run's stay in a repository's cluster that was up before, or that is brought up to be looked at."""

    def __init__(
        self, run: Run, held: Held | None = None, refresh: Refresh | None = None, ahead: Callable[[], str] = str
    ) -> None:
        """Prepare.

        Args:
            run: Whose stay it is.
            held: The cluster; None: one is brought up, and is kept only if the run says so.
            refresh: Brings the cluster up to date; None: its holder is asked to.
            ahead: Returns what the names of a pod end in that waits for tests; empty: there is none.
        """
        self._run, self._held, self._refresh, self._ahead = run, held, refresh or self._ask_holder, ahead
        self._is_own = held is None
        self._use = ExitStack()

    async def enter(self) -> None:
        """Find the cluster, and have it brought up to date where the repository has changed."""
        run, stop = self._run, self._run.interrupts.stop
        with run.step("configure"):
            plan = await in_thread(lambda: Plan.read(run.request))
            tests = await in_thread(lambda: Snapshot.of(plan))
            known = await in_thread(lambda: plan.durations(run.folder.path) if plan.shards != 1 else {})
        if self._held is None:
            with run.step("bring up cluster"):
                held, self._is_own = await in_thread(lambda: held_cluster.up(run.request, run.told, stop))
        else:
            held = self._held
            run.note(f"in cluster {held.name}, which is up since {age(held)}; --fresh takes a new one")
        self._held = held
        self._use.enter_context(held_cluster.using(held))
        if not tests.key or tests.key != held.deployed.key:
            held = await self._refresh(run.request, Heard(run))
        began = datetime.now(UTC).replace(microsecond=0)
        brought = {"tests": tests.packed, "since": began, "durations": known}
        # The one that waits is one pod.
        if tests.packed and plan.shards == 1 and (suffix := self._ahead()):
            brought |= {"suffix": suffix, "is_ahead": True}
        spec = spec_beside(plan, held.deployed, held.namespace).model_copy(update=brought)
        self._driven = Driven(run, Apis.of_kubeconfig(held.kubeconfig.read_text(encoding="utf-8")), spec)

    async def services(self) -> None:
        """See that the services are ready."""
        await in_thread(self._there.found)

    def kept(self) -> tuple[str, ...]:
        """Return how to enter the cluster, and how to be rid of it."""
        from_there = self._run.request.from_there
        return (f"enter it: `floe-ci shell{from_there}`", f"delete it: `floe-ci down --on dagger{from_there}`")

    async def leave(self, *, keep: bool, hurry: bool) -> None:
        """Take the tests out of the cluster, which stays; one of the run's own ends, unless it is kept."""
        await self.let_go()
        if self._driven and not keep and not self._is_own:
            await in_thread(self._driven.clear)
        self._use.close()
        if self._is_own and self._held and not keep:
            source, told = self._held.source, self._run.told
            with self._run.step("end cluster"):
                await in_thread(lambda: held_cluster.down(source, told, wait=not hurry))

    async def _ask_holder(self, request: RunRequest, told: Heard) -> Held:
        held, stop = self._held, self._run.interrupts.stop
        assert held  # noqa: S101 - it has been found, or brought up
        return await in_thread(lambda: held_cluster.refresh(held, request, told, stop))


def spec_beside(plan: Plan, there: Deployed, namespace: str) -> RunSpec:
    """Return what a run does beside services that are there: these stay as they are, however many shards it has."""
    known = plan.with_manifests(
        Manifests.parse(there.services, "the cluster's services"),
        Manifests.parse(there.job, "the runner's Job"),
        Addons.parse(there.addons),
    )
    made = {"services": there.services, "runner_image": there.runner_image}
    return known.spec(namespace=namespace).model_copy(update=made)


class Heard:
    """Takes what the holder does for a run as steps of that run."""

    def __init__(self, run: Run) -> None:
        """Begin the holder's clock."""
        self._run, self._zero = run, run.timings.elapsed

    def note(self, line: str) -> None:
        """Take a line for the reader."""
        self._run.told.note(line)

    def begin(self, step: str) -> None:
        """Take a step that begins."""
        self._run.told.begin(step)

    def end(self, step: Step) -> None:
        """Take a step that has ended."""
        self._run.timings.extend([step], self._zero)


def age(held: Held) -> str:
    """Return when a cluster came up, in words of a clock."""
    local = held.since.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d %H:%M}"
