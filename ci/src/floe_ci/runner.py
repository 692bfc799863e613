"""The test-runner image."""

from __future__ import annotations

import re
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagger
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from floe_ci import bundle_file, contract, uv
from floe_ci.debian import with_packages
from floe_ci.errors import CommandError, UserError
from floe_ci.images import Reference
from floe_ci.repository import PYTEST_FILES
from floe_ci.requirements import (
    CHECK_LOCK,
    MEMBER_ALONE,
    NO_LOCK_FILE,
    install_arguments,
    lock_refusal,
    locked_selection,
    runner_tools,
    tools_refusal,
    uv_failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floe_ci.config import Config, RunnerConfig
    from floe_ci.registry import Registry
    from floe_ci.requirements import Tool

PROJECT_FILES = ("**/pyproject.toml", "uv.lock", "uv.toml")
"""What uv needs to install the locked packages of others: the members of a workspace have files of their own."""
INSTALL_MISSING = """
here() { command=$1; shift; uv pip $command --python "$VIRTUAL_ENV" "$@"; }
here freeze --exclude-editable | grep '^[^ ]*==' > "$VIRTUAL_ENV/constraints.txt"
while [ $# -gt 0 ]; do
  here show --quiet "${1%%==*}" 2> /dev/null || { pinned="$pinned $1"; fitting="$fitting $2"; }
  shift 2
done
test -z "$pinned" || here install --constraint "$VIRTUAL_ENV/constraints.txt" $pinned \\
  || here install --constraint "$VIRTUAL_ENV/constraints.txt" $fitting || exit
cd /
env -u PYTHONDONTWRITEBYTECODE "$VIRTUAL_ENV/bin/python" -m pytest \\
  -c /dev/null --noconftest --cov --version --version > /dev/null 2>&1 || :
"""
"""Adds the tools that are missing, in their pinned or else in fitting versions; nothing that is there is changed.

Then has pytest import its plugins: it rewrites their asserts, as every process would do anew where nothing can be
written. What is wrong with a plugin is told where the tests run.
"""
USER = "1000:1000"
ENVIRONMENT = "/opt/venv"
COVERAGE_FILE = "/tmp/.coverage"  # noqa: S108 - in a container that one run owns


async def build_runner(source: dagger.Directory, config: Config, registry: Registry) -> dagger.Container:
    """Return the test-runner image of a repository.

    A builder installs the dependencies, then the repository itself; the final stage takes the environment
    and the tests. A changed test file changes only that last layer.

    Raises:
        UserError: The repository has no lock file and says nothing of what else to install, or asks for what can't be.
        RunError: A download failed.
    """
    await require(source, config.runner, registry)
    builder = builder_of(config.runner, registry)
    installed = await install(source, config, builder)
    return finished(source, config, base(config.runner, registry), installed.directory(ENVIRONMENT))


def base(runner: RunnerConfig, registry: Registry) -> dagger.Container:
    """Return what the tests' image begins with: Python, the Debian packages that they need, and their user."""
    if registry.bundle:
        return registry.bundle.image(bundle_file.RUNNER_BASE)
    return (
        with_packages(registry.pinned("python"), runner.packages)
        .with_exec(["useradd", "--uid", "1000", "--create-home", "runner"])
        .with_exec(["install", "--directory", "--owner=1000", "--group=1000", contract.RESULTS_DIR, "/app"])
    )


def builder_of(runner: RunnerConfig, registry: Registry) -> dagger.Container:
    """Return what the tests' packages are installed in: Python, uv, and the Debian packages that installing needs.

    That of a bundle has in uv's cache what was installed when the bundle was made, and asks nobody for more.
    """
    if registry.bundle:
        return registry.bundle.image(bundle_file.RUNNER_BUILDER).with_env_variable("UV_OFFLINE", "1")
    packaged = with_packages(registry.pinned("python"), runner.build_packages)
    return uv.with_uv(packaged, environment=ENVIRONMENT).with_workdir("/app")


def finished(
    source: dagger.Directory, config: Config, base: dagger.Container, environment: dagger.Directory
) -> dagger.Container:
    """Return the tests' image, of what it begins with and the virtual environment."""
    return (
        base.with_directory(ENVIRONMENT, environment)
        .with_env_variable("PATH", f"{ENVIRONMENT}/bin:$PATH", expand=True)
        .with_env_variable("PYTHONUNBUFFERED", "1")
        .with_env_variable("PYTHONDONTWRITEBYTECODE", "1")
        # The root file system is read-only in the cluster.
        .with_env_variable("COVERAGE_FILE", COVERAGE_FILE)
        .with_workdir("/app")
        .with_user(USER)
        .with_entrypoint(["pytest"])
        .with_default_args([])
        .with_directory(
            "/app",
            source.filter(include=[*PYTEST_FILES, *config.test_files(), *config.runner.files]),
            owner=USER,
        )
    )


async def require(source: dagger.Directory, runner: RunnerConfig, registry: Registry) -> None:
    """Refuse a repository that can't have a runner image.

    Raises:
        UserError: It does not say what its tests need, or does not take the image's Python.
    """
    await require_lock_file(source, runner)
    await require_python(source, runner, registry)


async def require_lock_file(source: dagger.Directory, runner: RunnerConfig) -> None:
    """Refuse a repository that does not say which packages its tests need."""
    if runner.install or await source.exists("uv.lock"):
        return
    pyproject = await source.file("pyproject.toml").contents() if await source.exists("pyproject.toml") else ""
    raise UserError(MEMBER_ALONE if re.search(r"workspace\s*=\s*true", pyproject) else NO_LOCK_FILE)


async def require_python(source: dagger.Directory, runner: RunnerConfig, registry: Registry) -> None:
    """Refuse a repository that does not take the Python of the runner image."""
    file = "pyproject.toml" if runner.install else "uv.lock"
    text = await source.file(file).contents() if await source.exists(file) else ""
    image = Reference.parse(registry.images.reference("python"))
    if problem := python_problem(text, image.tag or ""):
        msg = f"{file}: {problem}: run it with --on local, which takes the Python that fits"
        raise UserError(msg)


def python_problem(text: str, tag: str) -> str | None:
    """Return why a project does not take the Python of an image's tag, by the text of its lock file or its own."""
    wanted = re.search(r'^requires-python\s*=\s*"([^"]*)"', text, re.MULTILINE)
    version = re.match(r"\d+\.\d+", tag)
    if wanted is None or version is None:
        return None
    try:
        specifiers = SpecifierSet(wanted[1])
    except InvalidSpecifier:
        return None  # uv's to tell
    # The tag says no more than the minor version.
    if any(specifiers.contains(f"{version[0]}.{patch}") for patch in (0, 99)):
        return None
    return f"requires-python is '{wanted[1]}', and the runner image has Python {version[0]}"


async def install(source: dagger.Directory, config: Config, builder: dagger.Container) -> dagger.Container:
    """Return `builder` with the virtual environment of the repository's dependencies and the repository itself.

    Raises:
        UserError: The repository asks for what can't be: uv's own words are in the message.
        RunError: A download failed.
    """
    runner, tools = config.runner, runner_tools(config)
    # The image's own, whatever `.python-version` names: the environment goes into an image with just that.
    builder = builder.with_env_variable("UV_PYTHON", "/usr/local/bin/python3")
    # Nothing can be written where the tests run: each run would compile all that it imports. By time, each of the
    # steps compiles what it has installed, and leaves what those before it have.
    builder = builder.with_env_variable("UV_COMPILE_BYTECODE", "1").with_env_variable(
        "PYC_INVALIDATION_MODE", "TIMESTAMP"
    )
    missing = ["sh", "-c", INSTALL_MISSING, "sh", *(part for tool in tools for part in (tool.pinned, tool.fitting))]
    # Filtered first: what the engine keeps of a whole source is thrown away with each change of it.
    code = source.filter(exclude=config.test_files())
    if runner.install:
        with _explained():
            installed = await (
                builder.with_exec(["uv", "venv", "--quiet", ENVIRONMENT])
                .with_env_variable("VIRTUAL_ENV", ENVIRONMENT)
                .with_directory("/app", code)
                .with_exec(["uv", "pip", "install", "--python", ENVIRONMENT, *install_arguments(runner)])
                .sync()
            )
        with _explained(tools):
            return await installed.with_exec(missing).sync()

    sync = ["uv", "sync", "--frozen", *locked_selection(runner)]
    with _explained():
        locked = await (
            builder.with_directory("/app", source.filter(include=[*PROJECT_FILES]))
            .with_exec([*sync, "--no-install-local"])
            .with_env_variable("VIRTUAL_ENV", ENVIRONMENT)
            .sync()
        )
    with _explained(tools):
        equipped = await locked.with_exec(missing).sync()
    whole = equipped.with_directory("/app", code)
    await _refuse_lock(whole)
    with _explained():
        return await whole.with_exec([*sync, "--inexact", "--no-editable"]).sync()


async def _refuse_lock(project: dagger.Container) -> None:
    done = project.with_exec(["uv", *CHECK_LOCK], expect=dagger.ReturnType.ANY)
    if await done.exit_code() and (reason := lock_refusal(await done.stderr())):
        raise UserError(reason)


@contextmanager
def _explained(tools: tuple[Tool, ...] = ()) -> Iterator[None]:
    """Tell whose affair a failed uv was."""
    try:
        yield
    except dagger.ExecError as error:
        failure = CommandError(
            shlex.join(error.command), f"exit code {error.exit_code}", error.stderr.strip() or error.stdout
        )
        raise (tools_refusal(tools, failure) if tools else uv_failure(failure)) from None
