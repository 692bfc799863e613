"""What this machine offers of what a tier asks for."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.config import expand_environment, service_variables
from floe_ci.errors import UserError
from floe_ci.local import objects, postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from floe_ci.config import TierConfig
    from floe_ci.plan import Plan

ELSEWHERE: Final = "run it with --on dagger or --on cluster"
INSTALLED: Final[Mapping[str, Callable[[], object]]] = {
    postgres.NAME: postgres.installation,
    objects.NAME: objects.installation,
    "dagster": lambda: True,  # its packages come when it is needed
}
"""The services that this machine can run, and whether it has their binaries."""


@dataclass(frozen=True)
class Offer:
    """What of a plan this machine can carry out."""

    plan: Plan
    services: tuple[str, ...]
    """The tier's services that this machine can run."""
    absent: Mapping[str, str]
    """The tier's other services, each with the reason; tests that need them are skipped with it."""

    @classmethod
    def of(cls, plan: Plan) -> Offer:
        """Look at what there is.

        Raises:
            UserError: The tier asks for what only a cluster has, or for a variable that no run has.
        """
        if problems := list(_only_in_clusters(plan.tier)):
            raise UserError.of([f"{problem}; {ELSEWHERE}" for problem in problems], f"tier {plan.request.tier}")
        absent = {name: reason for name in plan.tier.services if (reason := why_absent(name))}
        offer = cls(plan, tuple(name for name in plan.tier.services if name not in absent), absent)
        # A wrong reference is told now, not when everything is installed.
        names = [*plan.variables(), contract.ENV_SERVICES_DIR]
        names += [name for service in offer.services for name in service_variables(service)]
        expand_environment(offer.environment, dict.fromkeys(names, ""))
        return offer

    @property
    def environment(self) -> dict[str, str]:
        """The tier's variables, without those made of a service's that is not here: who needs it is skipped."""
        gone = {name for service in self.absent for name in service_variables(service)}
        return {
            name: value
            for name, value in self.plan.tier.environment.items()
            if not Template(value).is_valid() or not gone.intersection(Template(value).get_identifiers())
        }

    def absent_variables(self) -> dict[str, str]:
        """Return the variables that tell the tests why a service is not there."""
        return {contract.service_variable(name, contract.ABSENT): reason for name, reason in self.absent.items()}


def why_absent(service: str) -> str | None:
    """Return why this machine can't run a service, or None where it can."""
    installed = INSTALLED.get(service)
    if installed is None:
        return f"{service} is not in Python's package index, so it needs a container on this machine; {ELSEWHERE}"
    if not installed():
        return f"the package of {service}'s server is not installed, or there is none for this machine; {ELSEWHERE}"
    return None


def _only_in_clusters(tier: TierConfig) -> list[str]:
    problems = []
    if tier.nodes > 1:
        problems.append(f"it needs a cluster of {tier.nodes} nodes")
    if tier.manifests:
        problems.append(f"its manifests ({', '.join(tier.manifests)}) need Kubernetes")
    return problems
