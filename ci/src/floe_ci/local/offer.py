"""What this machine offers of what a tier asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Template
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.catalog import per_shard
from floe_ci.config import expand_environment
from floe_ci.errors import UserError
from floe_ci.local import lookup
from floe_ci.request import WHERE_AN_ENGINE_IS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from floe_ci.catalog import Catalog, Service
    from floe_ci.config import TierConfig
    from floe_ci.local.local_service import LocalService
    from floe_ci.plan import Plan
    from floe_ci.shards import Shard

ELSEWHERE: Final = f"run it with --on cluster, or {WHERE_AN_ENGINE_IS} with --on dagger"


@dataclass(frozen=True)
class Offered:
    """A service that this machine can run."""

    service: Service
    here: LocalService


@dataclass(frozen=True)
class Offer:
    """What of a plan this machine can carry out."""

    plan: Plan
    offered: tuple[Offered, ...]
    """The tier's services that this machine can run."""
    absent: Mapping[str, str]
    """The tier's other services, each with the reason; tests that need them are skipped with it."""

    @classmethod
    def of(cls, plan: Plan) -> Offer:
        """Look at what there is.

        Raises:
            UserError: The tier asks for what only a cluster has, or for a variable that no run has. Or who is to say
                how a service runs can't be imported.
        """
        if problems := list(_only_in_clusters(plan.tier)):
            raise UserError.of([f"{problem}; {ELSEWHERE}" for problem in problems], f"tier {plan.request.tier}")
        looked = {name: look(plan.catalog, name) for name in plan.tier.services}
        offered = tuple(found for found in looked.values() if isinstance(found, Offered))
        offer = cls(plan, offered, {name: found for name, found in looked.items() if isinstance(found, str)})
        # A wrong reference is told now, not when everything is installed.
        names = [*plan.variables(), contract.ENV_SERVICES_DIR]
        names += [name for service in offer.services for name in plan.catalog.variables(service)]
        expand_environment(offer.environment, dict.fromkeys(names, ""))
        offer.plan_for_pytest().tier.with_pytest_args(dict.fromkeys(names, ""))
        return offer

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services that this machine can run."""
        return tuple(each.service.name for each in self.offered)

    @property
    def grows(self) -> bool:
        """Whether one of these services has other settings for each further shard."""
        return any(each.settings for each in per_shard(each.service for each in self.offered).values())

    @property
    def environment(self) -> dict[str, str]:
        """The tier's variables, without those made of a service's that is not here: who needs it is skipped."""
        return {name: value for name, value in self.plan.tier.environment.items() if not self._needs_absent(value)}

    def plan_for_pytest(self) -> Plan:
        """Return the plan without those of pytest's arguments that are made of an absent service's variables."""
        kept = tuple(argument for argument in self.plan.tier.pytest_args if not self._needs_absent(argument))
        return replace(self.plan, tier=self.plan.tier.model_copy(update={"pytest_args": kept}))

    def of_shard(self, shard: Shard) -> Offer:
        """Return the same for one shard, whose run has an id of its own: so has all that its tests make."""
        request = self.plan.request
        named = replace(request, run_id=f"{request.run_id}{shard.suffix}")
        return replace(self, plan=replace(self.plan, request=named))

    def _needs_absent(self, text: str) -> bool:
        gone = {name for service in self.absent for name in self.plan.catalog.variables(service)}
        return Template(text).is_valid() and bool(gone.intersection(Template(text).get_identifiers()))

    def absent_variables(self) -> dict[str, str]:
        """Return the variables that tell the tests why a service is not there."""
        return {contract.service_variable(name, contract.ABSENT): reason for name, reason in self.absent.items()}


def look(catalog: Catalog, name: str) -> Offered | str:
    """Return how this machine runs a service, or why it can't.

    Raises:
        UserError: Who is to say how can't be imported.
    """
    service = catalog.services[name]
    here = lookup.local_service(service)
    if here is None and service.is_of_package:
        return f"{name} is not in Python's package index, so it needs a container on this machine; {ELSEWHERE}"
    if here is None:
        return (
            f"{service.shown}/service.toml has no table 'local' that says how it runs without a container; {ELSEWHERE}"
        )
    if reason := here.lacking():
        return f"{reason}; {ELSEWHERE}"
    for need in catalog.needs(name):
        if isinstance(found := look(catalog, need), str):
            return f"{name} needs {need}: {found}"
    return Offered(service, here)


def why_absent(catalog: Catalog, name: str) -> str | None:
    """Return why this machine can't run a service, or None where it can."""
    found = look(catalog, name)
    return found if isinstance(found, str) else None


def _only_in_clusters(tier: TierConfig) -> list[str]:
    problems = []
    if tier.nodes > 1:
        problems.append(f"it needs a cluster of {tier.nodes} nodes")
    if tier.manifests:
        problems.append(f"its manifests ({', '.join(tier.manifests)}) need Kubernetes")
    if tier.charts:
        problems.append(f"its charts ({', '.join(each.path for each in tier.charts)}) need Kubernetes")
    if tier.addons:
        problems.append(f"its add-ons ({', '.join(tier.addons)}) are of a cluster, and this machine is none")
    return problems
