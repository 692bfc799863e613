"""A run's stay in somebody else's cluster: it is let in, makes what it needs, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import urllib3
from kubernetes import client

from floe_ci.driver import job, nodes
from floe_ci.driver.drive import drive
from floe_ci.driver.spec import DriverReport
from floe_ci.errors import RunError, UserError
from floe_ci.existing import ownership, rights
from floe_ci.existing.interrupts import Interrupts
from floe_ci.existing.kinds import Kinds
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from pathlib import Path

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.existing.plan import Plan
    from floe_ci.existing.target import Target
    from floe_ci.request import Progress
    from floe_ci.steps import Timings


@dataclass(frozen=True)
class Tenancy:
    """A run that the cluster can take, and lets in."""

    apis: Apis
    run_id: str
    namespace: str
    where: str
    manifests: Manifests
    """Everything that the run applies."""
    kinds: Kinds

    @classmethod
    def check(cls, plan: Plan, target: Target, run_id: str) -> Tenancy:
        """Ask the cluster for all that the run will do; nothing is made.

        Raises:
            UserError: The cluster can't take the run, or doesn't let it in; everything that is missing is named.
        """
        spec, apis = plan.spec(run_id), target.connect()
        own = job.prepare(spec, plan.services).documents if spec.runner else ()
        manifests = Manifests((*plan.services.documents, *own))
        try:
            kinds = Kinds.of(apis.core.api_client, manifests)
            ownership.refuse_other_namespaces(manifests, kinds)
            rights.check(apis, spec.namespace, manifests, kinds)
            ready = len(nodes.ready(apis.core))
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            msg = f"context {target.context}: the cluster's API failed: {error}"
            raise UserError(msg) from error
        if ready < spec.nodes:
            msg = f"tier {spec.tier} wants {spec.nodes} nodes that take pods; context {target.context} has {ready}"
            raise UserError(msg)
        where = f"in namespace {spec.namespace} of context {target.context}, {target.server}"
        return cls(apis, run_id, spec.namespace, where, manifests, kinds)

    def stay(  # noqa: PLR0913 - whether anything is left is the caller's affair
        self,
        spec: RunSpec,
        folder: Path,
        timings: Timings,
        progress: Progress,
        *,
        keep_passed: bool = False,
        keep_failed: bool = False,
    ) -> DriverReport:
        """Make what the run needs, drive it, and delete it, whatever happens; what it collected is in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        report: DriverReport | None = None
        with Interrupts(progress.note) as interrupts:
            try:
                report = self._drive(spec, folder, timings, interrupts)
            finally:
                broke = report is None or report.problem or report.exit_code
                keep = report is not None and (keep_failed if broke else keep_passed)
                problem = None if keep else self._leave(timings, hurry=interrupts.came)
        notes = (self.where, *(self._kept() if keep else self._deleting() if interrupts.came else ()))
        problems = "\n".join(each for each in (report.problem, problem) if each)
        return report.model_copy(update={"problem": problems or None, "notes": notes})

    def _drive(self, spec: RunSpec, folder: Path, timings: Timings, interrupts: Interrupts) -> DriverReport:
        try:
            with timings.step("claim"):
                ownership.claim(self.apis, spec, self.manifests, self.kinds)
            return drive(self.apis, spec, folder, timings)
        except RunError as error:
            return DriverReport(problem=str(error))
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            return DriverReport(problem=f"the cluster's API failed: {error}")
        finally:
            # What follows has to come to its end.
            interrupts.hold()

    def _leave(self, timings: Timings, *, hurry: bool) -> str | None:
        """Delete what the run made; return what went wrong with that.

        Who stops a run gives it seconds, and its results have to be written: the cluster then ends it by itself.
        """
        try:
            with timings.step("leave the cluster"):
                ownership.delete(self.apis, self.run_id, self.kinds)
                if not hurry:
                    ownership.wait_until_gone(self.apis, self.run_id, self.kinds)
        except RunError as error:
            return str(error)
        return None

    def _kept(self) -> tuple[str, ...]:
        look = self.apis.command("--namespace", self.namespace, "get", "all")
        delete = self.apis.command(*ownership.delete_command(self.run_id, self.kinds))
        return f"it was left for a look: {look}", f"to delete it: {delete}"

    def _deleting(self) -> tuple[str, ...]:
        _, *what = ownership.delete_command(self.run_id, self.kinds)
        return (f"the cluster was told to delete it, and not waited for: {self.apis.command('get', *what)}",)
