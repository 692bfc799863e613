"""What a run on this machine is to do: the repository's configuration, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.config import Config, TierConfig, read_config
from floe_ci.errors import UserError
from floe_ci.local import objects, postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from floe_ci.places import RunRequest

ELSEWHERE: Final = "run it with --on dagger or --on cluster"
INSTALLED: Final[Mapping[str, Callable[[], object]]] = {
    postgres.NAME: postgres.installation,
    objects.NAME: objects.installation,
    "dagster": lambda: True,  # its packages come when it is needed
}
"""The services that this machine can run, and whether it has their binaries."""


@dataclass(frozen=True)
class Plan:
    """A request, with everything that had to be read to carry it out."""

    request: RunRequest
    config: Config
    tier: TierConfig

    @classmethod
    def read(cls, request: RunRequest) -> Plan:
        """Read the configuration of the repository.

        Raises:
            UserError: It isn't there, or is wrong, or asks for what only a cluster has.
        """
        if not request.source.is_dir():
            msg = f"--source {request.source}: there is no such folder"
            raise UserError(msg)
        file = request.source / "pyproject.toml"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        config = read_config(text).with_job_timeout(request.timeout)
        tier = config.tier(request.tier)
        if problems := list(_only_in_clusters(tier)):
            raise UserError.of([f"{problem}; {ELSEWHERE}" for problem in problems], f"tier {request.tier}")
        return cls(request, config, tier)

    @property
    def services(self) -> tuple[str, ...]:
        """The tier's services that this machine can run."""
        return tuple(service for service in self.tier.services if service not in self.absent)

    @property
    def absent(self) -> dict[str, str]:
        """The tier's other services, each with the reason; tests that need them are skipped with it."""
        return {name: reason for name in self.tier.services if (reason := why_absent(name))}

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
