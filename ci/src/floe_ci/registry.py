"""Where public images come from: their own registries, one that the caller names, or a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagger import dag

from floe_ci.bundle_file import MAKE, Contents, chart_key
from floe_ci.errors import UserError
from floe_ci.images import Reference

if TYPE_CHECKING:
    from pathlib import Path

    import dagger

    from floe_ci.config import Chart
    from floe_ci.images import Images


@dataclass(frozen=True)
class Bundle:
    """A bundle, as the engine has it."""

    path: Path
    contents: Contents
    archive: dagger.File

    @classmethod
    def open(cls, path: Path, *, fresh: bool = False) -> Bundle:
        """Read what is in a bundle, and hand it to the engine: with `fresh` as it is now, for sessions that last.

        Raises:
            UserError: It is none.
        """
        contents = Contents.read(path)
        return cls(path, contents, dag.host().file(str(path.resolve()), no_cache=fresh))

    def image(self, name: str) -> dagger.Container:
        """Return a container of the image of this name.

        Raises:
            UserError: There is none of it.
        """
        name = Reference.parse(name).canonical
        if name not in self.contents.images:
            msg = f"bundle {self.path} has no image {name}; {MAKE}"
            raise UserError(msg)
        return dag.container().import_(self.archive, tag=name)

    def charts(self, tools: dagger.Container) -> dagger.Directory:
        """Return the files of charts as they lie in the bundle."""
        unpack = [
            "tar",
            "--extract",
            "--file",
            "/bundle.tar",
            "--directory",
            "/unpacked",
            *self.contents.charts.values(),
        ]
        there = tools.with_mounted_file("/bundle.tar", self.archive).with_exec(["mkdir", "/unpacked"])
        return (there.with_exec(unpack) if self.contents.charts else there).directory("/unpacked")

    def chart(self, chart: Chart) -> str:
        """Return the path of a chart's file, where `charts` lies in the root; empty: the chart is in the repository.

        Raises:
            UserError: There is none of it.
        """
        key = chart_key(chart)
        if chart.is_remote and key not in self.contents.charts:
            msg = f"bundle {self.path} has no chart {key}; {MAKE}"
            raise UserError(msg)
        return f"/{self.contents.charts[key]}" if chart.is_remote else ""


@dataclass(frozen=True)
class Credentials:
    """Who asks a registry."""

    host: str
    user: str
    password: dagger.Secret

    def lend(self, container: dagger.Container) -> dagger.Container:
        """Return `container`, which is pulled or pushed with them."""
        return container.with_registry_auth(self.host, self.user, self.password)


@dataclass(frozen=True)
class Registry:
    """Pulls public images, once each: the engine caches them."""

    images: Images
    mirror: str = ""
    """A registry that has every image, by tag; empty: each image's own, by digest where one is known."""
    bundle: Bundle | None = None
    """Has every image, in place of all registries, and what is built from them."""
    credentials: Credentials | None = None
    """For that registry; None: as Docker's own configuration says."""

    def pinned(self, name: str) -> dagger.Container:
        """Return a container of the image that is pinned under `name`."""
        return self.pull(self.images.reference(name))

    def pull(self, image: str) -> dagger.Container:
        """Return a container of `image`, whose name has its tag.

        Raises:
            UserError: There is a bundle, and it has none of it.
        """
        if self.bundle:
            return self.bundle.image(image)
        reference = Reference.parse(image)
        container = self.credentials.lend(dag.container()) if self.credentials else dag.container()
        return container.from_((reference.at(self.mirror) if self.mirror else reference).canonical)
