"""Makes a bundle of all that a tier's runs take from elsewhere, and puts the images of one into a registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from dagger import dag

from floe_ci import bundle_file, runner, toolbox, uv
from floe_ci.build import RUNNER_IMAGE, Build, credentials
from floe_ci.bundle_file import Contents, chart_key, this_version
from floe_ci.cluster import layout
from floe_ci.engine import explained
from floe_ci.images import Reference
from floe_ci.lacking import digest
from floe_ci.origin import of_this_machine, secret, session
from floe_ci.publish import push, write_bill
from floe_ci.registry import Bundle
from floe_ci.steps import Timings
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import dagger

    from floe_ci.listeners import Progress
    from floe_ci.request import RunRequest

MAKING: Final = 3600.0
"""Seconds that all images may take to be put into one file."""
COLLECT: Final = 'mkdir /bundle; while [ $# -gt 0 ]; do skopeo copy --quiet "oci:$1" "oci:/bundle:$2"; shift 2; done'
PACK: Final = """\
tar --create --file /bundle.tar --directory /bundle --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "$@"
"""
NAME: Final = "org.opencontainers.image.ref.name"
"""What an OCI layout calls its images by."""


async def make(request: RunRequest, output: Path, materials: Path | None, told: Progress) -> Contents:
    """Write a bundle of a tier, and return what is in it.

    Args:
        request: Which tier, and where images come from.
        output: The file.
        materials: Where the bill of materials of the tests' image goes; None: nowhere.
        told: Is told of the steps.

    Raises:
        UserError: Something can't be had, or built.
        RunError: The engine broke.
    """
    steps = Timings(listener=told)
    with explained():
        async with of_this_machine(request, output, materials) as origin:
            with steps.step("configure"):
                build = await Build.read(origin, request, steps)
            tools = build.tools
            images = await _of_runner(build)
            if materials:
                await write_bill(images[RUNNER_IMAGE], materials)
            charts: dict[str, dagger.File] = {}
            if request.tier != "unit":
                images |= await _of_cluster(build, tools)
                charts = await _charts(build, tools)
            with steps.step("bundle", MAKING):
                collected = await _collected(tools, images)
                contents = await _contents(build, collected, charts)
                output.parent.mkdir(parents=True, exist_ok=True)
                await _packed(collected, contents, charts).export(str(output))
    return contents


async def put(bundle: Path, request: RunRequest, told: Progress) -> tuple[str, ...]:
    """Push all images of a bundle into a registry, and return the references by digest that it gave.

    Args:
        bundle: The file.
        request: Names the registry, its host with or without a folder, and who asks it.
        told: Is told of each image.

    Raises:
        UserError: The file is no bundle, or the registry doesn't take an image.
        RunError: The engine broke.
    """
    request.require_sound("dagger")
    targets = {name: Reference.parse(name).at(request.registry).canonical for name in Contents.read(bundle).images}
    steps = Timings(listener=told)
    pushed = []
    with explained():
        async with session():
            there, asking = Bundle.open(bundle), credentials(request, secret(request.registry_password))
            for name, target in targets.items():
                image = asking.lend(there.image(name)) if asking else there.image(name)
                with steps.step(f"push {target}", MAKING):
                    pushed.append(await push(image, target))
    return tuple(pushed)


async def _of_runner(build: Build) -> dict[str, dagger.Container]:
    """Return the tests' image and what it is made of, by their names in a bundle."""
    source, config, registry = build.origin.source, build.plan.config, build.registry
    await runner.require(source, config.runner, registry)
    base = runner.base(config.runner, registry)
    # Nothing that uv kept before: what it needs for these tests, and nothing else, is to be in the image.
    builder = runner.builder_of(config.runner, registry).without_mount(uv.CACHE)
    with build.steps.step("build runner", MAKING):
        installed = await runner.install(source, config, builder)
    return {
        registry.images.reference("python"): registry.pinned("python"),
        bundle_file.RUNNER_BASE: base,
        bundle_file.RUNNER_BUILDER: builder.with_directory(uv.CACHE, installed.directory(uv.CACHE)),
        RUNNER_IMAGE: runner.finished(source, config, base, installed.directory(runner.ENVIRONMENT)),
    }


async def _of_cluster(build: Build, tools: dagger.Container) -> dict[str, dagger.Container]:
    """Return the images of a tier's nodes, services and add-ons, and that of the tools, by their names in a bundle."""
    plan = await build.manifests(tools)
    known = (build.node_image, build.registry.images.reference("debian"))
    named = {Reference.parse(name) for name in (*plan.services.images(), *plan.addons.all.images(), *known)}
    references = sorted((each for each in named if each.name != Reference.parse(RUNNER_IMAGE).name), key=str)
    images = await together(*map(build.image, references))
    toolbox_alone = toolbox.without_sources(build.registry, build.origin.package)
    if plan.tier.charts:
        toolbox_alone = toolbox.with_helm(toolbox_alone, build.registry)
    return {bundle_file.TOOLBOX: toolbox_alone, **dict(zip(map(str, references), images, strict=True))}


async def _charts(build: Build, tools: dagger.Container) -> dict[str, dagger.File]:
    """Return the charts of registries, by their address and version."""
    found = {}
    with_helm = toolbox.with_helm(tools, build.registry)
    for chart in build.plan.tier.charts:
        if chart.is_remote:
            pull = ["helm", "pull", chart.path, f"--version={chart.version}", "--destination=/chart"]
            pulled = with_helm.with_exec(["mkdir", "/chart"]).with_exec(pull).directory("/chart")
            (name,) = await pulled.entries()
            found[chart_key(chart)] = pulled.file(name)
    return found


async def _collected(tools: dagger.Container, images: Mapping[str, dagger.Container]) -> dagger.Container:
    """Return the toolbox with one OCI layout of all images in `/bundle`: what several have in common is there once."""
    layouts = await together(*(layout(tools, image).sync() for image in images.values()))
    arguments = list[str]()
    for place, (name, image) in enumerate(zip(images, layouts, strict=True)):
        tools = tools.with_mounted_directory(f"/images/{place}", image)
        arguments += [f"/images/{place}", Reference.parse(name).canonical]
    return await tools.with_exec(["sh", "-euc", COLLECT, "sh", *arguments]).sync()


async def _contents(build: Build, collected: dagger.Container, charts: Mapping[str, dagger.File]) -> Contents:
    """Return what is said of a bundle."""
    index = json.loads(await collected.file(f"/bundle/{bundle_file.INDEX}").contents())
    digests = {each["annotations"][NAME]: each["digest"] for each in index["manifests"]}
    made = {bundle_file.TOOLBOX, bundle_file.RUNNER_BASE, bundle_file.RUNNER_BUILDER, RUNNER_IMAGE}
    built = [name for name in map(Reference.parse, {*digests} - made) if name.is_built]
    lock = await build.origin.package.file("uv.lock").contents()
    return Contents(
        floe_ci=this_version(),
        toolbox=toolbox.digest(lock),
        tier=build.plan.request.tier,
        platform=str(await dag.default_platform()),
        images=dict(sorted(digests.items())),
        built={name.canonical: await digest(build.folder(name)) for name in built},
        packages=build.plan.config.runner.packages,
        build_packages=build.plan.config.runner.build_packages,
        charts={key: f"{bundle_file.CHARTS}/{place}.tgz" for place, key in enumerate(charts)},
        helm=bool(build.plan.tier.charts) and build.plan.request.tier != "unit",
    )


def _packed(collected: dagger.Container, contents: Contents, charts: Mapping[str, dagger.File]) -> dagger.File:
    """Return the bundle as one file; what is in it stands first."""
    for key, chart in charts.items():
        collected = collected.with_file(f"/bundle/{contents.charts[key]}", chart)
    parts = [bundle_file.FILE, "oci-layout", bundle_file.INDEX, *([bundle_file.CHARTS] if charts else []), "blobs"]
    return (
        collected.with_new_file(f"/bundle/{bundle_file.FILE}", contents.model_dump_json(indent=2) + "\n")
        .with_exec(["sh", "-euc", PACK, "sh", *parts])
        .file("/bundle.tar")
    )
