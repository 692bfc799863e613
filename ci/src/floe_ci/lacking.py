"""What a bundle lacks of a run, told before anything is started: all of it at once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from floe_ci import render, runner, toolbox
from floe_ci.bundle_file import MAKE, chart_key, digest_of_folder, this_version
from floe_ci.errors import RunError, UserError
from floe_ci.images import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from floe_ci.build import Build
    from floe_ci.bundle_file import Contents
    from floe_ci.config import Config, TierConfig
    from floe_ci.registry import Bundle


async def require_whole(build: Build, tools: dagger.Container | None = None) -> None:
    """Refuse a bundle that does not have all of a run; a run without one has nothing to be refused.

    Args:
        build: The run's.
        tools: The toolbox, for a run in a cluster; None: the run is a container's.

    Raises:
        UserError: It is one; all that it lacks is told.
    """
    if bundle := build.registry.bundle:
        with build.steps.step("bundle"):
            await _require(bundle, build, tools)


async def _require(bundle: Bundle, build: Build, tools: dagger.Container | None) -> None:
    where, contents = f"bundle {bundle.path}", bundle.contents
    lock = await build.origin.package.file("uv.lock").contents()
    if reason := foreign(contents, toolbox.digest(lock), str(await dag.default_platform())):
        msg = f"{where} {reason}; {MAKE}"
        raise UserError(msg)
    await runner.require(build.origin.source, build.plan.config.runner, build.registry)
    problems = packages(contents, build.plan.config)
    if tools:
        problems += charts(contents, build.plan.tier)
        problems += await images(contents, build, tools, with_charts=not problems)
    problems += await _python(build)
    if problems:
        told = UserError.of(problems, f"{where} lacks what this run needs")
        msg = f"{told}\n{MAKE}"
        raise UserError(msg)


def foreign(contents: Contents, tools: str, platform: str) -> str | None:
    """Return why a bundle is for others than this program, whose toolbox has the digest `tools`, on this platform."""
    if contents.floe_ci != this_version() or contents.toolbox != tools:
        return f"was made by another version of floe-ci, {contents.floe_ci}, and this is {this_version()}"
    if contents.platform != platform:
        return f"is for {contents.platform}, and the engine is on {platform}"
    return None


def packages(contents: Contents, config: Config) -> list[str]:
    """Return which Debian packages of the runner are not in a bundle."""
    wanted = {"packages": config.runner.packages, "build-packages": config.runner.build_packages}
    there = {"packages": contents.packages, "build-packages": contents.build_packages}
    return [
        f"Debian package {name} of [tool.floe-ci.runner] {key}"
        for key, names in wanted.items()
        for name in sorted({*names} - {*there[key]})
    ]


def charts(contents: Contents, tier: TierConfig) -> list[str]:
    """Return which charts of a tier are not in a bundle, or that what renders them isn't."""
    keys = [chart_key(chart) for chart in tier.charts if chart.is_remote]
    helm = ["Helm, which renders charts"] if tier.charts and not contents.helm else []
    return helm + [f"chart {key}" for key in keys if key not in contents.charts]


async def images(contents: Contents, build: Build, tools: dagger.Container, *, with_charts: bool) -> list[str]:
    """Return which images of a run's manifests, and of its nodes, are not in a bundle.

    Raises:
        UserError: The manifests can't be rendered.
    """
    origin, plan = build.origin, build.plan
    services = await render.services(tools, origin.k8s, origin.source, plan.tier, plan.catalog)
    addons = await render.addons(tools, origin.k8s, origin.source, plan.tier)
    named = {build.node_image, *services.images(), *addons.all.images()}
    if with_charts and plan.tier.charts:
        named |= {*(await build.manifests(tools)).images}
    references = sorted({*map(Reference.parse, named)}, key=str)
    built = [each for each in references if each.canonical in contents.built]
    now = {each.canonical: await digest(build.folder(each)) for each in built}
    return lacking_of(contents, references, now)


def lacking_of(contents: Contents, references: Sequence[Reference], now: Mapping[str, str]) -> list[str]:
    """Return which images are not in a bundle, or are there from a folder that has another digest `now`."""
    problems = []
    for each in references:
        if each.canonical not in contents.images:
            problems.append(f"image {each}")
        elif contents.built.get(each.canonical) != now.get(each.canonical):
            problems.append(f"image {each} as it would be built now: its folder has changed")
    return problems


async def digest(folder: dagger.Directory) -> str:
    """Return a digest of the files in a folder of the engine's."""
    with TemporaryDirectory(prefix="floe-ci-") as private:
        await folder.export(private)
        return digest_of_folder(Path(private))


async def _python(build: Build) -> list[str]:
    """Return that the tests' packages can't be installed from what uv kept, in its words."""
    config = build.plan.config
    try:
        await runner.install(build.origin.source, config, runner.builder_of(config.runner, build.registry))
    except (UserError, RunError) as error:
        return [f"Python packages: {' '.join(str(error).split())}"]
    return []
