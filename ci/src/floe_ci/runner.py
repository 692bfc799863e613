"""The test-runner image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_ci import contract, uv
from floe_ci.debian import with_packages
from floe_ci.errors import UserError
from floe_ci.requirements import NO_LOCK_FILE, locked_selection, runner_tools

if TYPE_CHECKING:
    import dagger

    from floe_ci.config import Config, RunnerConfig
    from floe_ci.registry import Registry

PYTEST_FILES = ("pyproject.toml", "pytest.ini", "pytest.toml", "tox.ini", "setup.cfg")
"""Where pytest looks for its configuration."""
INSTALL_MISSING = 'for tool; do uv pip show --quiet "${tool%%==*}" 2> /dev/null || uv pip install "$tool"; done'
USER = "1000:1000"
COVERAGE_FILE = "/tmp/.coverage"  # noqa: S108 - in a container that one run owns


async def build_runner(source: dagger.Directory, config: Config, registry: Registry) -> dagger.Container:
    """Return the test-runner image of a repository.

    A builder installs the dependencies, then the repository itself; the final stage takes the environment
    and the tests. A changed test file changes only that last layer.

    Raises:
        UserError: The repository has no lock file and says nothing of what else to install.
    """
    await require_lock_file(source, config.runner)
    tests = config.test_files()
    environment = build_environment(source, tests, config, registry.pinned("python"))

    final = with_packages(registry.pinned("python"), config.runner.packages)
    return (
        final.with_exec(["useradd", "--uid", "1000", "--create-home", "runner"])
        .with_exec(["install", "--directory", "--owner=1000", "--group=1000", contract.RESULTS_DIR, "/app"])
        .with_directory("/opt/venv", environment)
        .with_env_variable("PATH", "/opt/venv/bin:$PATH", expand=True)
        .with_env_variable("PYTHONUNBUFFERED", "1")
        .with_env_variable("PYTHONDONTWRITEBYTECODE", "1")
        # The root file system is read-only in the cluster.
        .with_env_variable("COVERAGE_FILE", COVERAGE_FILE)
        .with_workdir("/app")
        .with_user(USER)
        .with_entrypoint(["pytest"])
        .with_default_args([])
        .with_directory("/app", source.filter(include=[*PYTEST_FILES, *tests, *config.runner.files]), owner=USER)
    )


async def require_lock_file(source: dagger.Directory, runner: RunnerConfig) -> None:
    """Refuse a repository that does not say which packages its tests need."""
    if runner.install or await source.exists("uv.lock"):
        return
    raise UserError(NO_LOCK_FILE)


def build_environment(
    source: dagger.Directory, tests: list[str], config: Config, base: dagger.Container
) -> dagger.Directory:
    """Return the virtual environment with the repository's dependencies and the repository itself."""
    runner = config.runner
    packaged = with_packages(base, runner.build_packages)
    builder = uv.with_uv(packaged, environment="/opt/venv").with_workdir("/app")
    missing = ["sh", "-c", INSTALL_MISSING, "sh", *(f"{tool.name}=={tool.version}" for tool in runner_tools(config))]
    # Filtered first: what the engine keeps of a whole source is thrown away with each change of it.
    code = source.filter(exclude=tests)
    if runner.install:
        builder = (
            builder.with_exec(["uv", "venv", "--quiet", "/opt/venv"])
            .with_env_variable("VIRTUAL_ENV", "/opt/venv")
            .with_directory("/app", code)
            .with_exec(["uv", "pip", "install", *runner.install])
            .with_exec(missing)
        )
        return builder.directory("/opt/venv")

    sync = ["uv", "sync", "--frozen", *locked_selection(runner)]
    return (
        builder.with_file("pyproject.toml", source.file("pyproject.toml"))
        .with_file("uv.lock", source.file("uv.lock"))
        .with_exec([*sync, "--no-install-local"])
        .with_env_variable("VIRTUAL_ENV", "/opt/venv")
        .with_exec(missing)
        .with_directory("/app", code)
        .with_exec([*sync, "--inexact", "--no-editable"])
        .directory("/opt/venv")
    )
