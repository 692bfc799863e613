"""A cluster that is there already, by kubeconfig and context: a namespace of the run's own in it, and no more."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from floe_ci import results, selection
from floe_ci.driver import job
from floe_ci.errors import RunError, UserError
from floe_ci.existing import images, ownership, target
from floe_ci.existing.kinds import Kinds
from floe_ci.existing.plan import Plan
from floe_ci.existing.tenancy import Tenancy
from floe_ci.places import Finding, export
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from floe_ci.places import PlaceName, Progress, RunRequest
    from floe_ci.results import Outcome

RUNNER_LOG: Final = f"{job.JOB}-*/{job.RUNNER}.log"
INSTALL: Final = "install it: https://kubernetes.io/docs/tasks/tools"
IMAGES: Final = "a run in it needs --push REF, a registry that it pulls from, or --image REF, a runner that is there"


class ClusterPlace:
    """Runs tests in a Kubernetes cluster that was there before and stays after."""

    name: PlaceName = "cluster"

    def check(self) -> list[Finding]:
        """Return whether kubectl is here, and a cluster that answers."""
        try:
            target.require_kubectl()
        except UserError as error:
            return [Finding("kubectl", "missing", str(error), INSTALL)]
        kubectl = Finding("kubectl", "here", "on PATH")
        try:
            chosen = target.choose()
        except UserError as error:
            return [kubectl, Finding("cluster", "missing", str(error))]
        try:
            said = f"context {chosen.context}: Kubernetes {chosen.version()} at {chosen.server}"
        except UserError as error:
            return [kubectl, Finding("cluster", "broken", str(error), "start it, or name another: --context NAME")]
        return [kubectl, Finding("cluster", "here", said, IMAGES)]

    def run(self, request: RunRequest, progress: Progress) -> Outcome:
        """Run a tier in a namespace of its own, which is deleted afterwards, and leave its results.

        Raises:
            UserError: What was asked for can't be run at all; nothing of it is in the cluster.
        """
        export.check(request.results)
        timings = Timings(listener=progress)
        with timings.step("configure"):
            chosen = target.choose(request.kubeconfig, request.context)
            plan = Plan.read(request)
            images.to_push(plan)
        with timings.step("check the cluster"):
            tenancy = Tenancy.check(plan, chosen, request.run_id)
        progress.note(tenancy.where)
        with timings.step("push images" if request.push else "find images"):
            spec = plan.spec(request.run_id, images.settle(plan))
        with TemporaryDirectory(prefix="floe-ci-") as temporary:
            folder = Path(temporary) / "results"
            report = tenancy.stay(spec, folder, timings, progress, keep_failed=request.keep)
            log = "".join(path.read_text(encoding="utf-8") for path in (folder / "logs").glob(RUNNER_LOG))
            selection.refuse_nothing(request.tier, request.selection, report.exit_code or 0, log)
            outcome = results.assemble(folder, request.run_id, request.tier, report, timings)
            return export.replace(outcome, request.results)

    def up(self, request: RunRequest, progress: Progress) -> str:
        """Bring the tier's services up in a namespace of the user's own, and leave them.

        Raises:
            UserError: They can't be brought up; nothing of them is in the cluster.
        """
        timings = Timings(listener=progress)
        chosen = target.choose(request.kubeconfig, request.context)
        plan = Plan.read(request, with_tests=False)
        images.to_push(plan)
        tenancy = Tenancy.check(plan, chosen, kept_id(request))
        told = f"{tenancy.where}: `{tenancy.apis.command('--namespace', tenancy.namespace, 'get', 'pods')}`"
        if ownership.owned_namespaces(tenancy.apis, kept_id(request)):
            return f"services are up already {told}"
        spec = plan.spec(kept_id(request), images.settle(plan))
        with TemporaryDirectory(prefix="floe-ci-") as temporary:
            report = tenancy.stay(spec, Path(temporary) / "results", timings, progress, keep_passed=True)
        if report.problem:
            raise UserError(report.problem)
        return f"services are up {told}"

    def down(self, request: RunRequest, progress: Progress) -> str:
        """Delete what `up` left of the user's.

        Raises:
            UserError: It can't be deleted; the message says what is left.
        """
        chosen = target.choose(request.kubeconfig, request.context)
        apis = chosen.connect()
        left = [each.metadata.name for each in ownership.owned_namespaces(apis, kept_id(request))]
        if not left:
            return f"no services of yours are up in context {chosen.context}"
        progress.note(f"deleting {', '.join(left)}")
        plan = Plan.read(request, with_tests=False)
        kinds = Kinds.of(apis.core.api_client, plan.services)
        try:
            ownership.delete(apis, kept_id(request), kinds)
            ownership.wait_until_gone(apis, kept_id(request), kinds)
        except RunError as error:
            raise UserError(str(error)) from error
        return f"deleted {', '.join(left)}"


def kept_id(request: RunRequest) -> str:
    """Return the run id of the services that `up` leaves: the user's, so that two of one cluster don't meet."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "nobody"
    return f"dev-{re.sub('[^a-z0-9]+', '-', user.lower())[:30].strip('-')}-{request.tier}"
