"""Which packages the tests of a repository need, the same in the runner image and on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from floe_ci.config import Config, RunnerConfig

RUNNER_TOOLS: Final = ("pytest==9.2.0", "pytest-cov==7.1.0", "pytest-timeout==2.4.0")
"""What the runner calls; installed where the repository's own dependencies don't have them."""
RETRYING: Final = "pytest-rerunfailures==16.7"
"""What tries tests again, for repositories that want it: it has demands on pytest's version."""
NO_LOCK_FILE: Final = (
    "uv.lock: there is no lock file, so the runner's packages are not pinned; "
    "run `uv lock` and commit the file, "
    'or name what to install: [tool.floe-ci.runner] install = [".[test]"]'
)


def runner_tools(config: Config) -> tuple[str, ...]:
    """Return what has to be in the environment of the tests, beside what the repository asks for."""
    return (*RUNNER_TOOLS, RETRYING) if any(tier.retries for tier in config.tiers.values()) else RUNNER_TOOLS


def locked_selection(runner: RunnerConfig) -> list[str]:
    """Return uv's options for the groups and extras that the runner installs."""
    groups = [option for group in runner.groups for option in ("--group", group)]
    extras = [option for extra in runner.extras for option in ("--extra", extra)]
    return [*(["--no-default-groups"] if groups else []), *groups, *extras]
