"""Builds the images that no registry has, and brings them out of the engine: to a registry, or into an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger

from floe_ci import pipeline
from floe_ci.engine import explain_push
from floe_ci.errors import UserError
from floe_ci.images import Reference
from floe_ci.session import request_of, session
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_ci.places import RunRequest


async def publish(request: RunRequest, targets: Mapping[str, str]) -> dict[str, str]:
    """Push each image to its target, and return the references that the registry gave.

    Args:
        request: Says whose tests the runner is for.
        targets: By the images' names without tags, such as `floe.local/runner`.

    Raises:
        UserError: An image can't be built, or the registry doesn't take it.
    """

    async def build_and_push(name: str) -> str:
        if name == Reference.parse(pipeline.RUNNER_IMAGE).name:
            image = await pipeline.build_runner(plan, Timings())
        else:
            image = await (await pipeline.service_image(plan, Reference.parse(name))).sync()
        return await push(image, targets[name])

    async with session():
        try:
            plan = await pipeline.read_plan(request_of(request))
            return dict(zip(targets, await together(*map(build_and_push, targets)), strict=True))
        except dagger.QueryError as error:
            raise UserError(pipeline.describe(error)) from error


async def build_runner(request: RunRequest, archive: Path | None) -> str:
    """Write the test-runner image into an archive, or push it to where the request says; return where it is.

    Raises:
        UserError: It can't be built, or the registry doesn't take it.
    """
    async with session():
        try:
            image = await pipeline.runner_image(request_of(request))
            if archive is None:
                return await push(image, request.push)
            archive.parent.mkdir(parents=True, exist_ok=True)
            return await image.as_tarball().export(str(archive))
        except dagger.QueryError as error:
            raise UserError(pipeline.describe(error)) from error


async def push(image: dagger.Container, target: str) -> str:
    """Push an image that has been built, and return its reference by digest.

    Raises:
        UserError: The registry doesn't answer, or doesn't take it.
    """
    try:
        return await image.publish(target)
    except dagger.QueryError as error:
        raise UserError(explain_push(target, str(error))) from error
