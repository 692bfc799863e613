"""What is asked of Kustomize: the same in the toolbox and on this machine.

A tier is rendered from a folder `run`, which lies beside `k8s`, the manifests that come with this package, and
`source`, the repository; each of its add-ons from a folder in `addons`, by its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from floe_ci.errors import UserError

if TYPE_CHECKING:
    from floe_ci.catalog import Catalog
    from floe_ci.config import TierConfig

COMMAND: Final = ("kustomize", "--load-restrictor", "LoadRestrictionsNone")
"""The arguments for kubectl, before the folder."""
FILE: Final = "kustomization.yaml"


def kustomization(tier: TierConfig, catalog: Catalog) -> str | None:
    """Return the `kustomization.yaml` of a tier's services; None where it has none."""
    if not (tier.services or tier.manifests):
        return None
    return yaml.safe_dump(
        {
            "resources": [
                *(f"../{catalog.services[service].path}" for service in tier.services),
                *(f"../source/{path}" for path in tier.manifests),
            ],
            "components": ["../k8s/images"],
        }
    )


def alone(path: str) -> str:
    """Return the `kustomization.yaml` of one add-on: what stands at a path of the repository."""
    return yaml.safe_dump({"resources": [f"../../source/{path}"], "components": ["../../k8s/images"]})


def refusal(said: str, root: str) -> UserError:
    """Return what Kustomize refused, with paths as they are in the repository; `root` holds the three folders."""
    plain = " ".join(said.replace(f"{root}/source/", "").replace(f"{root}/", "").split())
    return UserError(f"the manifests can't be rendered: {plain}")
