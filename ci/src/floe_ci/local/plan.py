"""What this machine can do of what a tier asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from floe_ci import contract
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


def split(plan: Plan) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the tier's services that this machine can run, and of the others why it can't: their tests are skipped."""
    absent = {name: reason for name in plan.tier.services if (reason := why_absent(name))}
    return tuple(name for name in plan.tier.services if name not in absent), absent


def absent_variables(absent: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell the tests why a service is not there."""
    return {contract.service_variable(name, contract.ABSENT): reason for name, reason in absent.items()}


def refuse_manifests(plan: Plan) -> None:
    """Refuse a tier that asks for what only a cluster has.

    Raises:
        UserError: It does; everything is named.
    """
    if problems := list(_only_in_clusters(plan.tier)):
        raise UserError.of([f"{problem}; {ELSEWHERE}" for problem in problems], f"tier {plan.request.tier}")


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
