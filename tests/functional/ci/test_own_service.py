"""A service that a repository brings is rendered by Kustomize as this package's own are."""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest
from floe_ci.places.cluster import read
from floe_ci.request import RunRequest

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "own-service"

pytestmark = pytest.mark.skipif(which("kubectl") is None, reason="there is no kubectl that could render")


def test_manifests_are_rendered() -> None:
    """Its objects and images are there, its password is made, and its address goes to the tests."""
    plan = read(RunRequest(source=EXAMPLE))
    assert plan.images == ("floe.local/greeter:dev", "floe.local/runner:dev")
    assert plan.services.workloads() == (("Deployment", "greeter"),)
    assert plan.services.selecting_services().keys() == {"greeter"}
    assert plan.services.credential_keys("floe-credentials") == ("GREETER_TOKEN",)
    assert plan.services.connection_variables("floe.dev/connection") == {
        "GREETER_HOST": "greeter",
        "GREETER_PORT": "8080",
    }
