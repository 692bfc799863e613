"""Renders manifests with Kustomize, in the toolbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagger
import yaml
from dagger import dag

from floe_ci.errors import UserError
from floe_ci.manifests import Manifests

if TYPE_CHECKING:
    from floe_ci.config import TierConfig


async def services(
    tools: dagger.Container, k8s: dagger.Directory, source: dagger.Directory, tier: TierConfig
) -> Manifests:
    """Return the manifests of a tier: the module's services that it names, and the repository's own.

    Raises:
        UserError: A manifest is not there or does not parse.
    """
    if not (tier.services or tier.manifests):
        return Manifests.parse("", "no manifests")
    kustomization = {
        "resources": [
            *(f"../k8s/base/{service}" for service in tier.services),
            *(f"../source/{path}" for path in tier.manifests),
        ],
        "components": ["../k8s/images"],
    }
    tree = (
        dag.directory()
        .with_directory("k8s", k8s)
        .with_directory("source", source)
        .with_new_file("run/kustomization.yaml", yaml.safe_dump(kustomization))
    )
    return await folder(tools, tree, "run")


async def folder(tools: dagger.Container, tree: dagger.Directory, name: str) -> Manifests:
    """Return the manifests that Kustomize makes of one folder of a tree.

    Raises:
        UserError: Kustomize refused it; the message is its own.
    """
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", f"/render/{name}"]
    done = tools.with_mounted_directory("/render", tree).with_exec(command, expect=dagger.ReturnType.ANY)
    if await done.exit_code():
        said = " ".join((await done.stderr()).replace("/render/source/", "").replace("/render/", "").split())
        msg = f"the manifests can't be rendered: {said}"
        raise UserError(msg)
    return Manifests.parse(await done.stdout(), "the rendered manifests")
