"""Builds the images that no registry has, and pushes them to one: for clusters that can't be given them otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger

from floe_ci import pipeline
from floe_ci.errors import UserError
from floe_ci.images import Reference
from floe_ci.session import request_of, session
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from floe_ci.places import RunRequest


async def publish(request: RunRequest, targets: Mapping[str, str]) -> dict[str, str]:
    """Push each image to its target, and return the references that the registry gave.

    Args:
        request: Says whose tests the runner is for.
        targets: By the images' names without tags, such as `floe.local/runner`.

    Raises:
        UserError: An image can't be built, or the registry doesn't take it.
    """

    async def push(name: str) -> str:
        if name == Reference.parse(pipeline.RUNNER_IMAGE).name:
            image = await pipeline.build_runner(plan, Timings())
        else:
            image = await pipeline.service_image(plan, Reference.parse(name))
        return await image.publish(targets[name])

    async with session():
        try:
            plan = await pipeline.read_plan(request_of(request))
            return dict(zip(targets, await together(*map(push, targets)), strict=True))
        except dagger.QueryError as error:
            raise UserError(pipeline.describe(error)) from error
