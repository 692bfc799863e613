"""A Dagger session of this process, and what it sees of this machine: for callers outside the module."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import dagger
from dagger import dag
from platformdirs import user_state_path

from floe_ci import bundled
from floe_ci.config import parse_tier
from floe_ci.errors import UserError
from floe_ci.module import NOT_SOURCE, node_image_of
from floe_ci.pipeline import Bundle, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from floe_ci.places import RunRequest


def state() -> Path:
    """Return the folder where sessions keep their log, made where it is not there."""
    return user_state_path("floe-ci", ensure_exists=True)


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    """Open a session with the engine; its own progress goes to a log of the user's.

    Raises:
        UserError: There is no engine, and none could be started.
    """
    path = state() / "dagger.log"
    opened = False
    try:
        with path.open("w", encoding="utf-8") as log:
            async with dagger.connection(dagger.Config(log_output=log)):
                opened = True
                yield
    except (dagger.ProvisionError, dagger.ClientConnectionError) as error:
        if opened:
            raise
        msg = f"no Dagger session could be opened: {error}. Its log: {path}. `floe-ci doctor` tells what is missing"
        raise UserError(msg) from error


def request_of(asked: RunRequest) -> Request:
    """Return the pipeline's request for what was asked, in terms of the session."""
    return Request(
        tier=parse_tier(asked.tier),
        source=dag.host().directory(str(asked.source.resolve()), exclude=NOT_SOURCE, gitignore=True),
        bundle=bundle(),
        selection=asked.selection,
        timeout=asked.timeout,
        mirror=asked.registry,
        node_image=node_image_of(asked.node_image, asked.kubernetes_version),
        keep=asked.keep,
        run_id=asked.run_id,
    )


def bundle() -> Bundle:
    """Return what this product brings, from where it is installed."""
    package = dag.directory().with_directory(
        "src/floe_ci", dag.host().directory(str(bundled.package()), include=["**/*.py", "**/*.sh"])
    )
    for name in ("pyproject.toml", "uv.lock"):
        package = package.with_file(name, dag.host().file(str(bundled.project_file(name))))
    return Bundle(dag.host().directory(str(bundled.manifests())), package)
