"""Builds the images that no registry has, and brings them out of the engine: to a registry, or into an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger
from anyio import Path as AsyncPath

from floe_ci import bill
from floe_ci.build import RUNNER_IMAGE, Build
from floe_ci.engine import explain_push, explained
from floe_ci.errors import UserError
from floe_ci.images import Reference
from floe_ci.origin import of_this_machine
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_ci.request import RunRequest


async def publish(request: RunRequest, targets: Mapping[str, str]) -> dict[str, str]:
    """Push each image to its target, and return the references that the registry gave.

    Args:
        request: Says whose tests the runner is for.
        targets: By the images' names without tags, such as `floe.local/runner`.

    Raises:
        UserError: An image can't be built, or the registry doesn't take it.
        RunError: The engine broke.
    """

    async def build_and_push(name: str) -> str:
        image = await (await build.image(Reference.parse(name))).sync()
        return await push(image, targets[name])

    with explained():
        async with of_this_machine(request) as origin:
            build = await Build.read(origin, request, Timings())
            return dict(zip(targets, await together(*map(build_and_push, targets)), strict=True))


async def build_runner(request: RunRequest, archive: Path | None, materials: Path | None = None) -> str:
    """Write the test-runner image into an archive, or push it to where the request says; return where it is.

    Args:
        request: Says whose tests it is for, and where to push it.
        archive: The archive; None: it is pushed.
        materials: Where its bill of materials goes; None: nowhere.

    Raises:
        UserError: It can't be built, or the registry doesn't take it.
        RunError: The engine broke.
    """
    with explained():
        async with of_this_machine(request, archive, materials) as origin:
            image = await (await Build.read(origin, request, Timings())).runner()
            if materials:
                await write_bill(image, materials)
            if archive is None:
                return await push(image, request.push)
            archive.parent.mkdir(parents=True, exist_ok=True)
            return await image.as_tarball().export(str(archive))


async def push(image: dagger.Container, target: str) -> str:
    """Push an image that has been built, and return its reference by digest.

    Raises:
        UserError: The registry doesn't answer, or doesn't take it.
    """
    try:
        return await image.publish(target)
    except dagger.QueryError as error:
        raise UserError(explain_push(target, str(error))) from error


async def write_bill(image: dagger.Container, path: Path) -> None:
    """Write the bill of materials of the test-runner image."""
    said = await image.with_exec(["sh", "-c", bill.LIST]).stdout()
    await AsyncPath(path.parent).mkdir(parents=True, exist_ok=True)
    await AsyncPath(path).write_text(bill.bill(RUNNER_IMAGE, said), encoding="utf-8")
