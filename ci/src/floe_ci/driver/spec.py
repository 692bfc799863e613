"""What is to be done in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping  # noqa: TC003 - pydantic reads the annotations
from datetime import datetime  # noqa: TC003 - as above

from pydantic import BaseModel, ConfigDict, Field

from floe_ci.config import Timeouts
from floe_ci.shards import Count, Schedule, Together  # noqa: TC001 - as above


class RunSpec(BaseModel):
    """One run: what to deploy, what to wait for, what to execute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    tier: str
    namespace: str
    nodes: int = Field(ge=1)
    services: str
    """The rendered manifests of the services, as YAML."""
    services_of_one: str = ""
    """What they would be for one shard; empty: the same."""
    addons: dict[str, str] = Field(default_factory=dict)
    """Those of the cluster's add-ons by their names: they name namespaces of their own."""
    addons_of_run: bool = False
    """Whether add-ons are the run's, made anew and deleted with it, in a cluster of somebody else's."""
    runner: str
    """The rendered manifests of the runner's Job and its account, as YAML; empty: no tests are run."""
    runner_image: str = ""
    suffix: str = ""
    """What the names of the tests' own objects end in, where other runs' may be in the namespace too."""
    is_ahead: bool = False
    """Whether the tests' pod is made before anybody knows of their run."""
    tests: bytes = b""
    """The tests and what is beside them, as a compressed tar archive; empty: those of the image are run."""
    since: datetime | None = None
    """Where logs and events begin; None: where there are any."""
    reporter: str = ""
    """The source of the pytest plugin that reports from the tests as they run; empty: none does."""
    arguments: Callable[[Mapping[str, str]], tuple[str, ...]] = lambda _: ()
    """Returns pytest's, by the variables that the tests have; raises UserError where they ask for others."""
    environment: dict[str, str] = Field(default_factory=dict)
    """What the repository asks for."""
    variables: dict[str, str] = Field(default_factory=dict)
    """What tells a test process which run it belongs to."""
    timeouts: Timeouts = Timeouts()
    shards: Count = 1
    """Into how many parts the tests are split, each run by a pod; `"auto"`: as many as the cluster has room for."""
    at_once: int = 0
    """How many of those pods may be there at the same time; 0: all."""
    schedule: Schedule = "static"
    """Whether each has its tests from the start, or is handed them as it becomes free."""
    keep_together: Together = "test"
    """What stays in one shard."""
    durations: dict[str, float] = Field(default_factory=dict)
    """Seconds of tests in earlier runs by their ids, by which shards are balanced."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """The sources of further files that are put beside the reporter, by their names."""
