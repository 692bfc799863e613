"""Under which names an existing cluster finds a run's images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from floe_ci.config import Config
from floe_ci.errors import UserError
from floe_ci.existing import images
from floe_ci.existing.images import Images
from floe_ci.manifests import Manifests
from floe_ci.plan import Plan
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGEST = f"sha256:{'0' * 64}"


def plan_of(*names: str, **request: Any) -> Plan:  # noqa: ANN401 - the fields of a request
    """Return a plan that needs the runner's image and others."""
    config = Config()

    def manifests(*names: str) -> Manifests:
        spec = {"containers": [{"name": "c", "image": name} for name in names]}
        return Manifests(({"kind": "Pod", "metadata": {"name": "p"}, "spec": spec},))

    services, job = manifests(*names), manifests("floe.local/runner:dev")
    return Plan(RunRequest(**request), config, config.tier("integration"), services, job)


def settled_of(plan: Plan) -> Images:
    """Return where every image of a plan is."""
    settled: Images = anyio.run(images.settle, plan)
    return settled


def test_public_image() -> None:
    """A public image is pulled by its own name, with all that pins it."""
    assert Images({}, "")(f"postgres:17@{DIGEST}") == f"docker.io/library/postgres:17@{DIGEST}"


def test_registry() -> None:
    """A registry that has every image takes the place of each one's own."""
    assert Images({}, "mirror.example.com")("postgres:17") == "mirror.example.com/library/postgres:17"


def test_given_image() -> None:
    """An image whose place is given is taken from there, whatever its tag, and not from the registry."""
    given = {"floe.local/runner": "example.com/runner:7"}
    assert Images(given, "mirror.example.com")("floe.local/runner:dev") == "example.com/runner:7"


def test_images_that_are_there() -> None:
    """Where every image is given, none has to be pushed, and no engine is asked for."""
    plan = plan_of("web:1", "floe.local/dagster:dev", image="r:1", images={"floe.local/dagster": "d:1"})
    assert images.to_push(plan) == ()
    settled = settled_of(plan)
    assert settled("floe.local/runner:dev") == "docker.io/library/r:1"
    assert settled("floe.local/dagster:dev") == "docker.io/library/d:1"


def test_images_that_are_nowhere() -> None:
    """Every image that is neither given nor to be pushed is named, with both ways out."""
    with pytest.raises(UserError) as raised:
        images.to_push(plan_of("floe.local/dagster:dev", "web:1"))
    both = "build and push it with --push REF, or name one that is there with"
    assert str(raised.value).splitlines() == [
        "images that no registry has before they are built: 2 problems",
        f"  floe.local/dagster: {both} --images floe.local/dagster=REF",
        f"  floe.local/runner: {both} --image REF",
    ]


def test_given_name_that_is_none() -> None:
    """What is given and can't be an image is refused."""
    with pytest.raises(UserError, match="'R:1' is not an image reference"):
        images.to_push(plan_of(image="R:1"))


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return where images were pushed, by name; the registry gives each the same digest."""
    seen: dict[str, str] = {}

    async def push(_request: RunRequest, targets: Mapping[str, str]) -> dict[str, str]:
        seen.update(targets)
        return {name: f"{target}@{DIGEST}" for name, target in targets.items()}

    monkeypatch.setattr(images, "push", push)
    return seen


def test_push(pushed: dict[str, str]) -> None:
    """The runner goes where the caller says, others beside it, and the cluster pulls what was pushed and no other."""
    settled = settled_of(plan_of("floe.local/dagster:dev", "web:1", push="example.com/team/runner:7"))
    assert pushed == {
        "floe.local/runner": "example.com/team/runner:7",
        "floe.local/dagster": "example.com/team/dagster:7",
    }
    assert settled("floe.local/runner:dev") == f"example.com/team/runner@{DIGEST}"
    assert settled("floe.local/dagster:dev") == f"example.com/team/dagster@{DIGEST}"
    assert settled("web:1") == "docker.io/library/web:1"


def test_push_under_another_name(pushed: dict[str, str]) -> None:
    """Where the cluster calls the registry something else, images are pulled by that name."""
    plan = plan_of("floe.local/dagster:dev", push="localhost:5001/t/runner:7", image="10.0.0.1:5000/t/runner:7")
    settled = settled_of(plan)
    assert pushed["floe.local/runner"] == "localhost:5001/t/runner:7"
    assert settled("floe.local/runner:dev") == f"10.0.0.1:5000/t/runner@{DIGEST}"
    assert settled("floe.local/dagster:dev") == f"10.0.0.1:5000/t/dagster@{DIGEST}"


def test_push_of_what_is_missing(pushed: dict[str, str]) -> None:
    """An image whose place is given is not pushed."""
    plan = plan_of("floe.local/dagster:dev", push="example.com/runner:7", images={"floe.local/dagster": "d:1"})
    assert settled_of(plan)("floe.local/dagster:dev") == "docker.io/library/d:1"
    assert set(pushed) == {"floe.local/runner"}
