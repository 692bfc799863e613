"""Under which names the cluster finds the images of a run: public ones, those that are pushed, those that are there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from floe_ci.errors import UserError
from floe_ci.images import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from floe_ci.plan import Plan
    from floe_ci.request import RunRequest

RUNNER: Final = "floe.local/runner"
"""What the runner's Job calls its image, without the tag."""


@dataclass(frozen=True)
class Images:
    """Where the cluster has the images of a run from."""

    given: Mapping[str, str]
    """By name, host and repository: where an image is that isn't taken from its own registry."""
    registry: str
    """Has every other image; empty: each image's own."""

    def __call__(self, name: str) -> str:
        """Return the reference by which the cluster pulls the image that a manifest calls `name`."""
        reference = Reference.parse(name)
        if reference.name in self.given:
            return self.given[reference.name]
        return (reference.at(self.registry) if self.registry else reference).canonical


def given(request: RunRequest) -> dict[str, str]:
    """Return where the caller says that images are, by name.

    Raises:
        UserError: Something of it is no image's name.
    """
    there = dict(request.images)
    if request.image and not request.push:
        there[RUNNER] = request.image
    return {Reference.parse(name).name: Reference.parse(where).canonical for name, where in there.items()}


def to_push(plan: Plan) -> tuple[str, ...]:
    """Return the names of the images that have to be built and pushed before the run.

    Raises:
        UserError: There are some, and the caller doesn't say where to; every one is named.
    """
    references = [Reference.parse(name) for name in plan.images]
    names = sorted({reference.name for reference in references if reference.is_built} - given(plan.request).keys())
    if names and not plan.request.push:
        problems = [
            f"{name}: build and push it with --push REF, or name one that is there with "
            + ("--image REF" if name == RUNNER else f"--images {name}=REF")
            for name in names
        ]
        raise UserError.of(problems, "images that no registry has before they are built")
    return tuple(names)


async def settle(plan: Plan) -> Images:
    """Build and push what is to be, and return where every image is.

    Raises:
        UserError: An image can't be had.
    """
    request, names = plan.request, to_push(plan)
    there = given(request)
    if names:
        pushed = await push(request, {name: beside(request.push, name) for name in names})
        # By what it is: under a tag, a node may have an older one.
        pulled = {name: Reference.parse(beside(request.image or request.push, name)).name for name in names}
        there |= {name: f"{pulled[name]}@{Reference.parse(pushed[name]).digest}" for name in names}
    return Images(there, request.registry)


async def push(request: RunRequest, targets: Mapping[str, str]) -> dict[str, str]:
    """Build images, push each to its target, and return the references that the registry gave, by name.

    Raises:
        UserError: An image can't be built, or the registry doesn't take it.
    """
    # The engine's SDK takes a second to import, and a run with images that are there does without an engine.
    from floe_ci.publish import publish  # noqa: PLC0415

    return await publish(request, targets)


def beside(runner: str, name: str) -> str:
    """Return where an image belongs: into the folder of the runner's, whose place is given, with the same tag."""
    reference = Reference.parse(runner)
    if name == RUNNER:
        return reference.canonical
    folder, slash, _ = reference.repository.rpartition("/")
    return replace(reference, repository=f"{folder}{slash}{Reference.parse(name).repository}", digest=None).canonical
