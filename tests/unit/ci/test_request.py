"""What a request refuses before anything is started, and where it takes images from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.request import PLACES, TAKEN, RunRequest
from floe_ci.selection import Selection

if TYPE_CHECKING:
    from floe_ci.request import PlaceName

MIRROR = "mirror.example.com"
ADDRESS = "env://REGISTRY_PASSWORD"  # pragma: allowlist secret


@pytest.mark.parametrize("place", ["dagger", "cluster", "local"])
@pytest.mark.parametrize("given", ["hunter2secret", "hunter2:secret", "secret//hunter2"])
def test_password_itself_is_refused(place: PlaceName, given: str) -> None:
    """A password that is given in place of its address is refused, and nothing of it is repeated."""
    asked = RunRequest(registry=MIRROR, registry_user="ci", registry_password=given, push=f"{MIRROR}/runner:1")
    with pytest.raises(UserError, match=r"^--registry-password: must be the address of a secret: env:") as refused:
        asked.require_sound(place)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "given", "reason"),
    [
        ("cluster", {"registry_user": "ci", "registry_password": ADDRESS}, "^--registry-user and .* for --push"),
        ("cluster", {"registry_user": "ci", "push": "r.example.com/x:1"}, "belong together"),
        ("cluster", {"registry_password": ADDRESS, "push": "r.example.com/x:1"}, "belong together"),
        ("dagger", {"registry_password": ADDRESS}, "belong together"),
        ("dagger", {"registry": "", "registry_user": "ci"}, "^--registry-user: .*there is none"),
        ("dagger", {"registry": "", "registry_password": ADDRESS}, "^--registry-password: .*there is none"),
    ],
)
def test_credentials_that_nothing_asks_with(place: PlaceName, given: dict[str, str], reason: str) -> None:
    """A registry's user and password are refused where nothing would ask with them, or one without the other."""
    with pytest.raises(UserError, match=reason):
        RunRequest(**{"registry": MIRROR, **given}).require_sound(place)  # type: ignore[arg-type]


@pytest.mark.parametrize(("place", "push"), [("dagger", ""), ("cluster", "r.example.com/x:1")])
def test_credentials(place: PlaceName, push: str) -> None:
    """Both together go with a registry: in Dagger, and where a runner is built to be pushed for a cluster."""
    RunRequest(registry=MIRROR, registry_user="ci", registry_password=ADDRESS, push=push).require_sound(place)


def test_what_is_for_other_places() -> None:
    """What is asked for is told where it means nothing; neither defaults are, nor what every place takes."""
    asked = RunRequest(bundle=Path("b.tar"), context="c", idle=60.0, timeout=9, selection=Selection(options=("--sw",)))
    assert {place: [*asked.for_other_places(place)] for place in PLACES} == {
        "dagger": ["context", "remembers"],
        "cluster": ["bundle", "idle", "remembers"],
        "local": ["bundle", "idle", "context"],
    }
    assert asked.without(["bundle", "idle", "context"]) == replace(asked, bundle=None, idle=4 * 3600.0, context="")


def test_only_what_a_request_has_is_for_some_places() -> None:
    """Each name in the table of places is something that can be asked for, and is for some places."""
    assert {name for name in TAKEN if not hasattr(RunRequest(), name)} == set()
    assert all(0 < len(each.places) < len(PLACES) for each in TAKEN.values())


def test_images_from_where_another_request_has_them() -> None:
    """A request without registry and bundle takes both from another one, with the user and the password's address."""
    there = RunRequest(registry=MIRROR, registry_user="ci", registry_password=ADDRESS)
    taken = RunRequest(tier="e2e").taking_from_where(there)
    assert (taken.registry, taken.registry_user, taken.registry_password) == (MIRROR, "ci", ADDRESS)
    assert taken.tier == "e2e"
    assert RunRequest().taking_from_where(RunRequest(bundle=Path("b.tar"))).bundle == Path("b.tar")


@pytest.mark.parametrize("asked", [RunRequest(registry="other.example.com"), RunRequest(bundle=Path("b.tar"))])
def test_images_from_where_it_says(asked: RunRequest) -> None:
    """One that names a registry or a bundle takes nothing from another: no password goes to a registry it isn't for."""
    there = RunRequest(registry=MIRROR, registry_user="ci", registry_password=ADDRESS)
    assert asked.taking_from_where(there) == asked


@pytest.mark.parametrize(
    "asked",
    [
        RunRequest(source=Path("caf\udce9")),
        RunRequest(results=Path("caf\udce9")),
        RunRequest(selection=Selection(keyword="caf\udce9")),
        RunRequest(selection=Selection(marker="caf\udce9")),
        RunRequest(selection=Selection(pytest_args="caf\udce9")),
        RunRequest(selection=Selection(tests=("tests", "caf\udce9"))),
        RunRequest(selection=Selection(options=("-x", "caf\udce9"))),
    ],
)
def test_what_is_no_text_is_refused(asked: RunRequest) -> None:
    """What is named in bytes that are not UTF-8 is refused, and what is in other scripts is not."""
    with pytest.raises(UserError, match=r"caf\\udce9' is not UTF-8: rename it, or name another$"):
        asked.absolute()
    assert RunRequest(source=Path("café 测试 😀")).absolute().source == Path("café 测试 😀").resolve()
