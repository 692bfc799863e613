"""Renders manifests with Kustomize, in the toolbox."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from floe_ci import helm, kustomize
from floe_ci.addons import Addons
from floe_ci.manifests import Manifests
from floe_ci.tasks import together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from floe_ci.catalog import Catalog
    from floe_ci.config import Chart, TierConfig


async def services(
    tools: dagger.Container, k8s: dagger.Directory, source: dagger.Directory, tier: TierConfig, catalog: Catalog
) -> Manifests:
    """Return the manifests of a tier: those of the services that it names, and the repository's own.

    Raises:
        UserError: A manifest is not there or does not parse.
    """
    kustomization = kustomize.kustomization(tier, catalog)
    if kustomization is None:
        return Manifests(())
    tree = (
        dag.directory()
        .with_directory("k8s", k8s)
        .with_directory("source", source)
        .with_new_file(f"run/{kustomize.FILE}", kustomization)
    )
    return await folder(tools, tree, "run")


async def addons(tools: dagger.Container, k8s: dagger.Directory, source: dagger.Directory, tier: TierConfig) -> Addons:
    """Return the add-ons of a tier.

    Raises:
        UserError: A manifest is not there or does not parse.
    """
    tree = dag.directory().with_directory("k8s", k8s).with_directory("source", source)
    for place, path in enumerate(tier.addons):
        tree = tree.with_new_file(f"addons/{place}/{kustomize.FILE}", kustomize.alone(path))
    rendered = await together(*(folder(tools, tree, f"addons/{place}") for place in range(len(tier.addons))))
    return Addons(dict(zip(tier.addons, rendered, strict=True)))


async def charts(
    tools: dagger.Container, source: dagger.Directory, files: Mapping[Chart, str], namespace: str, kubernetes: str
) -> Manifests:
    """Return the manifests of charts.

    Args:
        tools: The toolbox, with Helm.
        source: The repository.
        files: The charts; for one of a registry, its file in the toolbox, if it doesn't come from there.
        namespace: Where their objects will be.
        kubernetes: The version of the cluster; empty: not known.

    Raises:
        UserError: Helm refuses some; every one is told.
    """
    mounted = tools.with_mounted_directory(f"/render/{helm.SOURCE}", source)

    async def render(chart: Chart, file: str) -> Manifests | str:
        command = helm.command(chart, "/render", namespace, kubernetes, file)
        done = mounted.with_exec([*command], expect=dagger.ReturnType.ANY)
        if await done.exit_code():
            return helm.refusal(chart, await done.stderr(), "/render")
        return helm.manifests(chart, await done.stdout())

    return helm.together(list(await together(*starmap(render, files.items()))))


async def folder(tools: dagger.Container, tree: dagger.Directory, name: str) -> Manifests:
    """Return the manifests that Kustomize makes of one folder of a tree.

    Raises:
        UserError: Kustomize refused it; the message is its own.
    """
    command = ["kubectl", *kustomize.COMMAND, f"/render/{name}"]
    done = tools.with_mounted_directory("/render", tree).with_exec(command, expect=dagger.ReturnType.ANY)
    if await done.exit_code():
        raise kustomize.refusal(await done.stderr(), "/render")
    return Manifests.parse(await done.stdout(), "the rendered manifests")
