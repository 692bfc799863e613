"""A run's stay in somebody else's cluster: it is let in, makes what it needs, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from floe_ci.addons import NONE, Addons
from floe_ci.driver import job, nodes
from floe_ci.errors import RunError, UserError
from floe_ci.existing import addons, ownership, rights
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from floe_ci.driver.apis import Apis
    from floe_ci.driver.spec import RunSpec
    from floe_ci.existing.kinds import Kinds
    from floe_ci.existing.target import Target


@dataclass(frozen=True)
class Tenancy:
    """A run that the cluster can take, and lets in."""

    apis: Apis
    run_id: str
    namespace: str
    where: str
    """In which namespace of which cluster, for the run's notes."""
    manifests: Manifests
    """Everything that the run applies."""
    kinds: Kinds
    """Those of all that, and of add-ons."""
    addons: Addons = NONE
    """The add-ons that are the run's."""

    def claim(self, spec: RunSpec, stop: threading.Event | None = None) -> None:
        """Make the namespace, and what belongs to none.

        Raises:
            RunError: Something of it is there already and somebody else's, or the cluster refuses.
            Stopped: It was told to stop.
        """
        # What is of a kind that comes with the run is applied when that is there.
        everything = self.addons.beside(self.manifests)
        known = tuple(each for each in self.manifests.documents if not everything.brings(each))
        ownership.claim(self.apis, spec, Manifests(known), self.kinds, stop)

    def delete(
        self,
        *,
        shards: int = 1,
        timeout: float = ownership.GONE,
        hurry: bool = False,
        stop: threading.Event | None = None,
    ) -> tuple[str, ...]:
        """Delete what the run made, and return what the reader of the results should know of that.

        Args:
            shards: How many the run has.
            timeout: Seconds until the cluster must have deleted it.
            hurry: The cluster is only told: whoever stops a run gives it seconds.
            stop: Ends the wait for the end of add-ons when it is set.

        Raises:
            RunError: The cluster refuses, or something is left.
        """

        def own() -> None:
            ownership.delete(self.apis, self.run_id, self.kinds, shards=shards, timeout=timeout, hurry=hurry)

        if not hurry:
            # Whatever holds an add-on, the run's own goes.
            try:
                addons.remove(self.apis, self.run_id, self.addons, stop=stop)
            finally:
                own()
            return ()
        own()  # first: it is one call, and add-ons are many
        addons.remove(self.apis, self.run_id, self.addons, hurry=True)
        look = ownership.look_command(self.apis, self.run_id, self.kinds, shards)
        return (f"the cluster was told to delete it, and not waited for: {look}",)

    def kept(self, shards: int = 1) -> tuple[str, ...]:
        """Return how to look into what is left, and how to delete it."""
        look = self.apis.command("--namespace", self.namespace, "get", "all")
        delete = ownership.delete_command(self.apis, self.run_id, self.kinds, shards)
        of_addons = addons.delete_commands(self.apis, self.run_id, self.addons, self.kinds)
        return (
            f"it was left for a look: {look}",
            *(f"to delete the add-ons: {each}" for each in of_addons),
            f"to delete it: {delete}",
        )


def check(spec: RunSpec, target: Target, said: Mapping[str, str] | None = None) -> Tenancy:
    """Ask the cluster for all that the run will do; nothing is made.

    Args:
        spec: The run.
        target: The cluster.
        said: What the caller says of add-ons, by their names.

    Raises:
        UserError: The cluster can't take the run, or doesn't let it in; everything that is missing is named.
    """
    services, apis = Manifests.parse(spec.services, "the rendered manifests"), target.connect()
    own = job.prepare(spec, services).documents if spec.runner else ()
    manifests = Manifests((*services.documents, *own))
    try:
        asked = Addons.parse(spec.addons)
        kinds = addons.kinds_of(apis, asked.beside(manifests))
        addons.check(apis, asked, said or {}, kinds, target.context)
        ownership.refuse_other_namespaces(manifests, kinds, spec.namespace)
        rights.check(apis, spec.namespace, manifests, kinds, watching=spec.shards != 1)
        ready = len(apis.ask("nodes", lambda: nodes.ready(apis.core)))
    except RunError as error:
        msg = f"context {target.context}: {error}"
        raise UserError(msg) from error
    if ready < spec.nodes:
        msg = f"tier {spec.tier} wants {spec.nodes} nodes that take pods; context {target.context} has {ready}"
        raise UserError(msg)
    where = f"in namespace {spec.namespace} of context {target.context}, {target.server}"
    return Tenancy(apis, spec.run_id, spec.namespace, where, manifests, kinds, asked)
