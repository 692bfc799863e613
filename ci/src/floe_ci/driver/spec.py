"""What the driver is told, and what it tells back: the two files between it and whoever starts it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from floe_ci.config import Timeouts
from floe_ci.steps import Step  # noqa: TC001 - pydantic reads the annotation


class RunSpec(BaseModel):
    """One run: what to deploy, what to wait for, what to execute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    tier: str
    namespace: str
    nodes: int = Field(ge=1)
    services: str
    """The rendered manifests of the services, as YAML."""
    runner: str
    """The rendered manifests of the runner's Job and its account, as YAML; empty: no tests are run."""
    runner_image: str = ""
    reporter: str = ""
    """The source of the pytest plugin that reports from the tests as they run; empty: none does."""
    pytest_args: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()


class DriverReport(BaseModel):
    """What the driver saw. `problem` is set when the run broke outside the tests."""

    model_config = ConfigDict(frozen=True)

    exit_code: int | None = None
    """The test process's own exit code; None where it never ended."""
    problem: str | None = None
    kept_as: str | None = None
    """The name under which the cluster was left for a look, by whoever started the driver."""
    notes: tuple[str, ...] = ()
    """What the reader of the results should know of where the tests ran."""
    steps: tuple[Step, ...] = ()
    """Their times count from the driver's start."""
