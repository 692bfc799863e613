"""What a run has built in the engine: its tools, its images, and the manifests that name them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from floe_ci import render, runner, service_build, toolbox
from floe_ci.catalog import FILE, PACKAGE, REPOSITORY, Catalog
from floe_ci.cluster import Nodes, loaded
from floe_ci.config import read_config, service_folders
from floe_ci.errors import UserError
from floe_ci.images import Images, Reference, node_image_of, version_of
from floe_ci.manifests import Manifests
from floe_ci.plan import Plan
from floe_ci.registry import Bundle, Credentials, Registry
from floe_ci.request import TOGETHER
from floe_ci.shards import DURATIONS, known_durations, parse_durations
from floe_ci.tasks import together
from floe_ci.toml_files import OWN_FILE, PYPROJECT, refuse_both

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from typing import Protocol

    import dagger

    from floe_ci.cluster import Cluster
    from floe_ci.origin import Origin
    from floe_ci.request import RunRequest

    class Steps(Protocol):
        """Times what is done."""

        def step(self, name: str, limit: float | None = None) -> AbstractContextManager[None]:
            """Time a step, which may take `limit` seconds."""


NODE_IMAGE: Final = "kindest/node"
RUNNER_IMAGE: Final = "floe.local/runner:dev"
"""What the runner's Job calls its image."""
BUILDING: Final = 1800.0
"""Seconds that an image may take to be pulled or built, and to be sent."""


@dataclass(frozen=True)
class Build:
    """One run's share of the engine's work, before there is a cluster."""

    origin: Origin
    plan: Plan
    registry: Registry
    steps: Steps

    @classmethod
    async def read(cls, origin: Origin, request: RunRequest, steps: Steps, *, fresh: bool = False) -> Build:
        """Read and check the repository's configuration, and the images that are pinned.

        Args:
            origin: What the engine has.
            request: What is asked for.
            steps: Are told of what is built.
            fresh: Whether the bundle may be another than when the session read it first.

        Raises:
            UserError: Something of it is wrong.
        """
        request.require_sound("dagger")
        bundle = Bundle.open(request.bundle, fresh=fresh) if request.bundle else None
        files, pinned = (PYPROJECT, OWN_FILE), "images/kustomization.yaml"
        *exist, images = await together(
            *map(origin.source.exists, files),
            origin.k8s.file(pinned).contents(),
        )
        there = [name for name, found in zip(files, exist, strict=True) if found]
        refuse_both(*there)
        text = await origin.source.file(there[0]).contents() if there else ""
        catalog = await read_catalog(origin, service_folders(text))
        registry = Registry(
            Images.parse(images, f"k8s/{pinned}"), request.registry, bundle, credentials(request, origin.password)
        )
        return cls(origin, Plan.of(request, read_config(text, catalog=catalog), catalog), registry, steps)

    @property
    def tools(self) -> dagger.Container:
        """The toolbox."""
        return toolbox.build(self.registry, self.origin.package)

    @property
    def node_image(self) -> str:
        """The image of the cluster's nodes, by public name."""
        request = self.plan.request
        given = node_image_of(request.node_image, request.kubernetes_version)
        return given or self.registry.images.reference(NODE_IMAGE)

    @property
    def nodes(self) -> Nodes:
        """What the cluster's nodes are made from, as many as the tier wants."""
        name = "integration" if self.plan.tier.nodes == 1 else "e2e"
        return Nodes(self.node_image, self.origin.k8s.file(f"kind/{name}.yaml"))

    async def durations(self, results: Path) -> dict[str, float]:
        """Return how long tests took before: by the file that the repository keeps, or else by the former results.

        Raises:
            UserError: That file holds something else.
        """
        kept = self.plan.tier.durations
        if not kept:
            return known_durations(results / DURATIONS)
        is_there = await self.origin.source.exists(kept)
        return parse_durations(await self.origin.source.file(kept).contents(), kept) if is_there else {}

    async def runner(self) -> dagger.Container:
        """Build the test-runner image."""
        with self.steps.step("build runner", BUILDING):
            image = await runner.build_runner(self.origin.source, self.plan.config, self.registry)
            return await image.sync()

    async def manifests(self, tools: dagger.Container, namespace: str = "") -> Plan:
        """Render the tier's services, its charts, its add-ons and the runner's Job; return the plan with them.

        Without a namespace, the services will be in the run's own.
        """
        with self.steps.step("render manifests", BUILDING):
            services, charts, addons, job = await together(
                render.services(tools, self.origin.k8s, self.origin.source, self.plan.tier, self.plan.catalog),
                self._charts(tools, namespace or self.plan.namespace),
                render.addons(tools, self.origin.k8s, self.origin.source, self.plan.tier),
                render.folder(tools, self.origin.k8s, "runner"),
            )
        return self.plan.with_manifests(Manifests((*services.documents, *charts.documents)), job, addons)

    async def _charts(self, tools: dagger.Container, namespace: str) -> Manifests:
        if not self.plan.tier.charts:
            return Manifests(())
        kubernetes = version_of(Reference.parse(self.node_image))
        with_helm = toolbox.with_helm(tools, self.registry)
        files = dict.fromkeys(self.plan.tier.charts, "")
        if bundle := self.registry.bundle:
            with_helm = with_helm.with_directory("/", bundle.charts(tools))
            files = {chart: bundle.chart(chart) for chart in files}
        return await render.charts(with_helm, self.origin.source, files, namespace, kubernetes)

    async def services(self, plan: Plan) -> dict[str, dagger.Container]:
        """Return the images of services and add-ons by name: pulled, or built where it is one of the module's own."""
        names = sorted({*plan.services.images(), *plan.addons.all.images()})
        images = await together(*(self.image(Reference.parse(name)) for name in names))
        return dict(zip(names, images, strict=True))

    async def image(self, reference: Reference) -> dagger.Container:
        """Return an image that manifests name: pulled, the runner's own, or built from a service's folder."""
        if reference.name == Reference.parse(RUNNER_IMAGE).name:
            return await runner.build_runner(self.origin.source, self.plan.config, self.registry)
        if reference.is_built and not self.registry.bundle:
            return await service_build.image(self.folder(reference), reference.name, self.registry)
        return self.registry.pull(reference.canonical)

    def folder(self, reference: Reference) -> dagger.Directory:
        """Return the folder that an image of a service is built from.

        Raises:
            UserError: There is none.
        """
        root, _, path = self.plan.catalog.image_folder(reference).partition("/")
        return (self.origin.source if root == REPOSITORY else self.origin.k8s).directory(path)

    async def node_layout(self, cluster: Cluster) -> dagger.Directory:
        """Return the image of the nodes as an OCI layout."""
        (layout,) = (await self._layouts(cluster, {self.node_image: self.registry.pull(self.node_image)})).values()
        return layout

    async def load(self, cluster: Cluster, images: Mapping[str, dagger.Container]) -> dict[str, str]:
        """Pull or build images, and load them; return what the nodes pull each under."""
        layouts = await self._layouts(cluster, images)
        names = dict(zip(layouts, await together(*starmap(loaded_name, layouts.items())), strict=True))
        if layouts:
            with self.steps.step("load images", BUILDING):
                await cluster.load({names[name]: layout for name, layout in layouts.items()})
        return names

    async def _layouts(self, cluster: Cluster, images: Mapping[str, dagger.Container]) -> dict[str, dagger.Directory]:
        async def prepare(name: str) -> dagger.Directory:
            with self.steps.step(f"prepare {Reference.parse(name).repository}", BUILDING):
                return await loaded(cluster.tools, images[name], name).sync()

        layouts = await together(*(prepare(name) for name in images))
        return dict(zip(images, layouts, strict=True))


def credentials(request: RunRequest, password: dagger.Secret | None) -> Credentials | None:
    """Return who asks the registry that a request names; None: Docker's own configuration says.

    Raises:
        UserError: There is a user without a password, or a password without a user.
    """
    if (password is None) == bool(request.registry_user):
        raise UserError(TOGETHER)
    if password is None:
        return None
    return Credentials(request.registry.partition("/")[0], request.registry_user, password)


async def loaded_name(name: str, image: dagger.Directory) -> str:
    """Return what the nodes pull an image under, which is loaded as an OCI layout.

    Public ones are known by their tag: their digests were checked when the engine pulled them. Of one that was built
    the tag tells the content, since the nodes keep for good what they have pulled.
    """
    reference = Reference.parse(name)
    if not reference.is_built:
        return reference.tagged
    digest = (await image.digest()).partition(":")[2]
    return f"{reference.host}/{reference.repository}:{digest[:16]}"


async def read_catalog(origin: Origin, folders: tuple[str, ...]) -> Catalog:
    """Return the services that there are for a run: this package's, and those in folders of the repository.

    Raises:
        UserError: One of the repository's is none.
    """
    files = ["**/*.yaml", "**/*.yml", f"**/{FILE}"]
    with TemporaryDirectory(prefix="floe-ci-") as private:
        base, source = Path(private) / PACKAGE, Path(private) / REPOSITORY
        await origin.k8s.directory(Path(PACKAGE).name).filter(include=files).export(str(base))
        if folders:
            chosen = [f"{folder.strip('/')}/{each}" for folder in folders for each in files]
            await origin.source.filter(include=chosen).export(str(source))
        return Catalog.read(base).with_folders(source, folders)
