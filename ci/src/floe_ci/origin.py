"""Where a run in the engine comes from: the repository and this product as the engine has them, and a way back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from floe_ci import bundled, dagger_cli
from floe_ci.cluster import API_PORT
from floe_ci.errors import RunError
from floe_ci.excluded import inside, literal, patterns_for
from floe_ci.held_cluster import state
from floe_ci.request import require_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from floe_ci.cluster import Cluster
    from floe_ci.request import RunRequest


@dataclass(frozen=True)
class Origin:
    """What the engine has of a run, before anything is made of it."""

    source: dagger.Directory
    """The repository."""
    k8s: dagger.Directory
    """The manifests that this product brings."""
    package: dagger.Directory
    """The project of this package: its program runs beside clusters too."""
    reach: Callable[[Cluster], AbstractAsyncContextManager[str]]
    """Opens the way from this process to a cluster's API; yields its URL."""
    password: dagger.Secret | None = None
    """That of the registry's user."""


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    """Open a session with the engine; what Dagger itself has to say goes to a log of the user's.

    Raises:
        RunError: There is no engine, and none could be started.
    """
    path = state() / "dagger.log"
    opened = False
    try:
        with path.open("w", encoding="utf-8") as log:
            async with dagger_cli.session(log):
                opened = True
                yield
    except (dagger.ProvisionError, dagger.ClientConnectionError, RunError) as error:
        if opened:
            raise
        said = (path.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [str(error)])[-1]
        msg = f"no Dagger session could be opened: {said}. Its log is {path}; `floe-ci doctor` tells what is missing"
        raise RunError(msg) from error


@asynccontextmanager
async def of_this_machine(request: RunRequest, *made: Path | None) -> AsyncIterator[Origin]:
    """Open a session, and hand the engine the repository and this product from where they are on this machine.

    Args:
        request: Names the repository.
        made: Files that are written, and may be there from an earlier time.
    """
    async with session():
        package = dag.directory().with_directory(
            "src/floe_ci", dag.host().directory(str(bundled.package()), include=["**/*.py", "**/*.sh"])
        )
        for name in ("pyproject.toml", "uv.lock"):
            package = package.with_file(name, dag.host().file(str(bundled.project_file(name))))
        manifests = dag.host().directory(str(bundled.manifests()))
        yield Origin(source_of(request, *made), manifests, package, through_a_tunnel, secret(request.registry_password))


def secret(address: str) -> dagger.Secret | None:
    """Return the secret at an address as Dagger has them, such as `env://NAME`; None: there is no address.

    Raises:
        UserError: It is none.
    """
    require_secret(address)
    return dag.secret(address) if address else None


def source_of(request: RunRequest, *made: Path | None, fresh: bool = False) -> dagger.Directory:
    """Return a repository of this machine, without the run's bundle and files that are made from it.

    `fresh` means as it is now, and not when the session read it first.
    """
    path = request.source.resolve()
    exclude = [*patterns_for(path), *map(literal, inside(path, (request.bundle, *made)))]
    return dag.host().directory(str(path), exclude=exclude, gitignore=True, no_cache=fresh)


@asynccontextmanager
async def through_a_tunnel(cluster: Cluster) -> AsyncIterator[str]:
    """Open a cluster's API on this machine, under a port that is free."""
    async with cluster.opened_api() as port:
        yield f"https://127.0.0.1:{port}"


@asynccontextmanager
async def in_the_engine(cluster: Cluster) -> AsyncIterator[str]:
    """Reach a cluster's API by the service's own name: this process is one of the engine's, beside it."""
    yield f"https://{await cluster.service.hostname()}:{API_PORT}"
