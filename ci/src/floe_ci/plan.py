"""What a run is to do: what was asked for, with everything that had to be read to carry it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from floe_ci import contract, limits, reporter, selection
from floe_ci.addons import NONE as NO_ADDONS
from floe_ci.addons import Addons
from floe_ci.catalog import Catalog
from floe_ci.config import read_repository
from floe_ci.driver.spec import RunSpec
from floe_ci.errors import UserError
from floe_ci.growth import grown
from floe_ci.manifests import Manifests
from floe_ci.shards import DURATIONS, known_durations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from floe_ci.config import Config, TierConfig
    from floe_ci.request import RunRequest
    from floe_ci.shards import Count, Schedule


NONE: Final = Manifests(())
"""Where there is nothing to apply."""
AUTO, MOST_MULTIPLIED = 8, 20
"""For how many shards services are made at most, and where the cluster is still to be asked how many there are."""
SHARDING: Final = (reporter.SHARD, reporter.COMBINER)
"""What the pods of shards have beside the reporter."""
ELSEWHERE: Final = "use the static one, or run them with --on local or --on cluster"
UNKNOWN: Final = Catalog({})
"""Where no service is asked for."""


@dataclass(frozen=True)
class Plan:
    """One tier of one repository."""

    request: RunRequest
    config: Config
    tier: TierConfig
    services: Manifests = NONE
    """The rendered manifests of its services; empty where the place has no cluster."""
    job: Manifests = NONE
    """Those of the runner's Job."""
    addons: Addons = NO_ADDONS
    """Those of the cluster's add-ons that the tier names."""
    catalog: Catalog = UNKNOWN
    """The services that there are for the repository."""

    @classmethod
    def of(cls, request: RunRequest, config: Config, catalog: Catalog | None = None) -> Self:
        """Return the plan for what is asked, by the repository's configuration and the services that there are."""
        config = config.with_job_timeout(request.timeout)
        return cls(request, config, config.tier(request.tier), catalog=catalog or Catalog.of_package())

    @classmethod
    def read(cls, request: RunRequest) -> Self:
        """Return the plan for what is asked of a repository on this machine.

        Raises:
            UserError: It isn't there, or its configuration is wrong.
        """
        try:
            is_folder = request.source.is_dir()
        except OSError as error:  # a name that is too long
            msg = f"--source {str(request.source)[:200]}: {error.strerror}"
            raise UserError(msg) from None
        if not is_folder:
            msg = f"--source {request.source}: there is no such folder"
            raise UserError(msg)
        return cls.of(request, *read_repository(request.source))

    def with_manifests(self, services: Manifests, job: Manifests, addons: Addons | None = None) -> Self:
        """Return the plan with what was rendered for it, within the tier's limits.

        Raises:
            UserError: A limit is for what isn't there, or an add-on can't be one of the tier's.
        """
        addons = addons or NO_ADDONS
        addons.require_sound()
        where = f"tiers.{self.request.tier}.resources"
        services, job = limits.limited(services, job, self.tier.resources, where)
        return replace(self, services=services, job=job, addons=addons)

    def without_tests(self) -> Self:
        """Return the plan for the services alone."""
        return replace(self, job=NONE)

    @property
    def namespace(self) -> str:
        """The run's own namespace in a cluster."""
        return namespace(self.request)

    @property
    def images(self) -> tuple[str, ...]:
        """The images that the manifests name."""
        return (*self.services.images(), *self.addons.all.images(), *self.job.images())

    @property
    def shards(self) -> Count:
        """Into how many parts the tests are split.

        Raises:
            UserError: The caller wants parts, and something that one process alone can do, or hands tests out to one.
        """
        asked, chosen = self.request.shards, self.request.selection
        if asked not in {0, 1} and (alone := chosen.interactive or chosen.remembers):
            msg = f"--shards {asked}: {alone} is for one process: leave out one of the two"
            raise UserError(msg)
        # Who looks at some tests has not asked for what the table says of all of them.
        count = asked or (1 if chosen.is_inner_loop else self.tier.shards)
        if count == 1 and self.request.schedule == "dynamic":
            msg = "--schedule dynamic: there is one shard, which has all tests: ask for more with --shards N"
            raise UserError(msg)
        return count

    def shards_of_services(self, auto: int) -> int:
        """Return for how many shards services are made; `auto` stands for that count.

        It is what the table says at least, for services that stay may be made for a run of some tests. No server bears
        any number.
        """
        counts = [auto if each == "auto" else each for each in (self.shards, self.tier.shards)]
        return min(max(counts), MOST_MULTIPLIED)

    @property
    def schedule(self) -> Schedule:
        """Whether each part has its tests from the start, or is handed them as it becomes free."""
        return self.request.schedule or self.tier.schedule

    def static_note(self) -> str:
        """Return what is said where shards have their tests from the start, whatever the table says; empty: nothing.

        Raises:
            UserError: The caller wants them handed out.
        """
        if self.shards == 1 or self.schedule == "static":
            return ""
        if self.request.schedule:
            msg = f"--schedule dynamic: a container in Dagger has its tests from the start: {ELSEWHERE}"
            raise UserError(msg)
        return f"shards have their tests from the start: schedule = 'dynamic' in {self._table} is for other places"

    @property
    def _table(self) -> str:
        return f"[tool.floe-ci.tiers.{self.request.tier}]"

    def durations(self, results: Path) -> dict[str, float]:
        """Return how long tests took before: by the file that the repository keeps, or else by the former results.

        Raises:
            UserError: That file holds something else.
        """
        kept = self.tier.durations
        return known_durations(self.request.source / kept if kept else results / DURATIONS)

    def pytest_arguments(
        self, results: str = contract.RESULTS_DIR, *, variables: Mapping[str, str], cache: str = ""
    ) -> tuple[str, ...]:
        """Return pytest's arguments for a run.

        Args:
            results: The folder that it leaves its results in.
            variables: What `${NAME}` stands for in those of the tier.
            cache: The folder in which pytest remembers it; empty: it doesn't.

        Raises:
            UserError: One of the tier's refers to a variable that is not among them.
        """
        tier = self.tier.with_pytest_args(variables)
        return selection.pytest_arguments(tier, self.config, self.request.selection, results, cache)

    def variables(self, results: str = contract.RESULTS_DIR, namespace: str | None = None) -> dict[str, str]:
        """Return the variables that tell a test process which run it belongs to, the same in every place."""
        return {
            contract.ENV_RUN_ID: self.request.run_id,
            contract.ENV_TIER: self.request.tier,
            contract.ENV_RESULTS_DIR: results,
            **({contract.ENV_NAMESPACE: namespace} if namespace else {}),
            **self.config.timeouts.variables(),
        }

    def spec(self, image_of: Callable[[str], str] = str, *, namespace: str = "") -> RunSpec:
        """Return what is done in a cluster, with each image by the name that its nodes pull it under.

        In a namespace that is given, other runs' tests may be.
        """
        services = self._services_of_shards()
        of_one = "" if services == self.services else self.services.with_images(image_of).to_yaml()
        return RunSpec(
            run_id=self.request.run_id,
            tier=self.request.tier,
            namespace=namespace or self.namespace,
            variables=self.variables(namespace=namespace or self.namespace),
            nodes=self.tier.nodes,
            services=services.with_images(image_of).to_yaml(),
            services_of_one=of_one,
            addons=self.addons.with_images(image_of).to_yaml(),
            runner=self.job.to_yaml() if self.job.documents else "",
            runner_image=next(map(image_of, self.job.images()), ""),
            arguments=lambda variables: self.pytest_arguments(variables=variables),
            environment=dict(self.tier.environment),
            timeouts=self.config.timeouts,
            reporter=reporter.source(),
            shards=self.shards,
            schedule=self.schedule,
            keep_together=self.tier.keep_together,
            plugins={} if self.shards == 1 else {name: reporter.source(name) for name in SHARDING},
            suffix=f"-{self.request.run_id}" if namespace and self.job.documents else "",
        )

    def _services_of_shards(self) -> Manifests:
        count = self.shards_of_services(AUTO)
        # By the workloads' names: a tier's own Kustomize folder may bring a service that is here too.
        fixed = {name: set(each.model_dump(exclude_none=True)) for name, each in self.tier.resources.items()}
        return grown(self.services, count, self.catalog.per_shard, fixed)


def namespace(request: RunRequest) -> str:
    """Return the name of a run's own namespace in a cluster."""
    return f"floe-{request.tier}-{request.run_id}"
