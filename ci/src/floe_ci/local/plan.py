"""What a run on this machine is to do: the repository's configuration, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Final

from floe_ci import contract
from floe_ci.config import Config, TierConfig, expand_environment, read_file, service_variables
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
        try:
            is_folder = request.source.is_dir()
        except OSError as error:  # a name that is too long
            msg = f"--source {str(request.source)[:200]}: {error.strerror}"
            raise UserError(msg) from None
        if not is_folder:
            msg = f"--source {request.source}: there is no such folder"
            raise UserError(msg)
        config = read_file(request.source / "pyproject.toml").with_job_timeout(request.timeout)
        tier = config.tier(request.tier)
        if problems := list(_only_in_clusters(tier)):
            raise UserError.of([f"{problem}; {ELSEWHERE}" for problem in problems], f"tier {request.tier}")
        plan = cls(request, config, tier)
        # A wrong reference is told now, not when everything is installed.
        expand_environment(plan.environment, dict.fromkeys(plan.variables, ""))
        return plan

    @property
    def environment(self) -> dict[str, str]:
        """The tier's variables, without those made of a service's that is not here: who needs it is skipped."""
        gone = {name for service in self.absent for name in service_variables(service)}
        return {
            name: value
            for name, value in self.tier.environment.items()
            if not Template(value).is_valid() or not gone.intersection(Template(value).get_identifiers())
        }

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the run's variables, to which the tier's may refer."""
        run = (contract.ENV_RUN_ID, contract.ENV_TIER, contract.ENV_RESULTS_DIR, contract.ENV_SERVICES_DIR)
        services = (name for service in self.services for name in service_variables(service))
        return (*services, *run, *contract.ENV_TIMEOUTS.values())

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
