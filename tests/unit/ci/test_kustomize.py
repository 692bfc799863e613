"""What is asked of Kustomize."""

import yaml
from floe_ci import kustomize
from floe_ci.catalog import Catalog
from floe_ci.config import TierConfig

CATALOG = Catalog.of_package()


def test_services_and_manifests() -> None:
    """A tier's services are this package's folders, its manifests the repository's, and images are pinned."""
    text = kustomize.kustomization(TierConfig(services=("postgres",), manifests=("deploy/redis.yaml",)), CATALOG)
    assert yaml.safe_load(text or "") == {
        "resources": ["../k8s/base/postgres", "../source/deploy/redis.yaml"],
        "components": ["../k8s/images"],
    }


def test_add_on() -> None:
    """An add-on is rendered by itself, from the repository and with the images that are pinned."""
    assert yaml.safe_load(kustomize.alone("deploy/operator")) == {
        "resources": ["../../source/deploy/operator"],
        "components": ["../../k8s/images"],
    }


def test_nothing_to_render() -> None:
    """Kustomize refuses an empty list of resources, and is not asked."""
    assert kustomize.kustomization(TierConfig(), CATALOG) is None


def test_refusal() -> None:
    """A refusal is told in one line, with paths as they are in the repository."""
    said = "error: accumulating resources from '../source/x.yaml':\n  evalsymlink failure on '/render/source/x.yaml'"
    assert str(kustomize.refusal(said, "/render")) == (
        "the manifests can't be rendered: error: accumulating resources from '../source/x.yaml': "
        "evalsymlink failure on 'x.yaml'"
    )
