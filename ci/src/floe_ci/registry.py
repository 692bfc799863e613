"""Where public images come from: their own registries, or one that the caller names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagger import dag

from floe_ci.images import Reference

if TYPE_CHECKING:
    import dagger

    from floe_ci.images import Images


@dataclass(frozen=True)
class Registry:
    """Pulls public images, once each: the engine caches them."""

    images: Images
    mirror: str = ""
    """A registry that has every image, by tag; empty: each image's own, by digest where one is known."""

    def pinned(self, name: str) -> dagger.Container:
        """Return a container of the image that is pinned under `name`."""
        return self.pull(self.images.reference(name))

    def pull(self, image: str) -> dagger.Container:
        """Return a container of `image`, whose name has its tag."""
        reference = Reference.parse(image)
        return dag.container().from_((reference.at(self.mirror) if self.mirror else reference).canonical)
