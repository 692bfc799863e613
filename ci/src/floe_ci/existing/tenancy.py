"""A run's tenancy in somebody else's cluster: it is let in, makes what it needs, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from floe_ci.driver import job, nodes
from floe_ci.driver.apis import API_ERRORS, told
from floe_ci.driver.kinds import Kinds
from floe_ci.errors import UserError
from floe_ci.existing import ownership, rights
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.existing.target import Target
    from floe_ci.plan import Plan


@dataclass(frozen=True)
class Tenancy:
    """A run that the cluster can take, and lets in."""

    apis: Apis
    spec: RunSpec
    where: str
    manifests: Manifests
    """Everything that the run applies."""
    kinds: Kinds

    @classmethod
    def check(cls, plan: Plan, target: Target) -> Tenancy:
        """Ask the cluster for all that the run will do; nothing is made.

        Raises:
            UserError: The cluster can't take the run, or doesn't let it in; everything that is missing is named.
        """
        spec, apis = plan.spec(), target.connect()
        own = job.prepare(spec, plan.services).documents if spec.runner else ()
        manifests = Manifests((*plan.services.documents, *own))
        try:
            kinds = Kinds.of(apis, manifests)
            ownership.refuse_other_namespaces(manifests, kinds)
            rights.check(apis, spec.namespace, manifests, kinds)
            ready = len(nodes.ready(apis.core))
        except API_ERRORS as error:
            msg = f"context {target.context}: the cluster's API failed: {told(error)}"
            raise UserError(msg) from error
        if ready < spec.nodes:
            msg = f"tier {spec.tier} wants {spec.nodes} nodes that take pods; context {target.context} has {ready}"
            raise UserError(msg)
        where = f"in namespace {spec.namespace} of context {target.context}, {target.server}"
        return cls(apis, spec, where, manifests, kinds)

    def claim(self) -> None:
        """Make the run's namespace, and its objects that belong to none.

        Raises:
            RunError: One of them is there already.
        """
        ownership.claim(self.apis, self.spec, self.manifests, self.kinds)

    def leave(self, *, hurry: bool) -> None:
        """Delete what the run made; in a hurry the cluster is told to, and not waited for.

        Raises:
            RunError: Something is left; the message says what, and how to delete it by hand.
        """
        ownership.delete(self.apis, self.spec.run_id, self.kinds)
        if not hurry:
            ownership.wait_until_gone(self.apis, self.spec.run_id, self.kinds)

    def kept(self) -> tuple[str, ...]:
        """Return how to look at what was left, and how to delete it."""
        look = self.apis.command("--namespace", self.spec.namespace, "get", "all")
        delete = self.apis.command(*ownership.delete_command(self.spec.run_id, self.kinds))
        return f"look at it: `{look}`", f"delete it: `{delete}`"

    def deleting(self) -> str:
        """Return how to see what the cluster was told to delete and nobody waited for."""
        _, *what = ownership.delete_command(self.spec.run_id, self.kinds)
        return f"the cluster was told to delete what the run made, and not waited for: `{self.apis.command('get', *what)}`"
