"""A run in a cluster that stays, beside services that were made for it before."""

from __future__ import annotations

import pytest
from floe_ci.catalog import Catalog
from floe_ci.config import read_config
from floe_ci.held_cluster import Deployed
from floe_ci.manifests import Manifests
from floe_ci.places.held import spec_beside
from floe_ci.plan import Plan
from floe_ci.request import RunRequest


@pytest.mark.parametrize("shards", [0, 1, 8])
def test_services_stay_as_they_were_made(shards: int) -> None:
    """However many shards a run has, it takes the services of four to be as they were applied, once for the four."""
    config = read_config("[tool.floe-ci.tiers.unit]\nshards = 4\n")
    postgres = Catalog.of_package().services["postgres"].manifests
    made = Plan.of(RunRequest(tier="unit"), config).with_manifests(postgres, Manifests(())).spec().services
    assert "max_connections=400" in made
    plan = Plan.of(RunRequest(tier="unit", shards=shards), config)
    spec = spec_beside(plan, Deployed("key", made, "", "registry/runner:dev"), "floe-services")
    assert (spec.services, spec.runner_image, spec.namespace) == (made, "registry/runner:dev", "floe-services")
    assert spec.shards == (shards or 4)
