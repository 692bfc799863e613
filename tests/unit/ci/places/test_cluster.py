"""The place that is a cluster of somebody else's."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from floe_ci.errors import UserError
from floe_ci.places import place
from floe_ci.places.cluster import ClusterPlace, kept_id
from floe_ci.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.ci.conftest import ApiServer

VERSION = ("major", "minor", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")


@pytest.fixture
def current(
    api: ApiServer, stand_in: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """Return what makes a context of that name the current one, and returns where its cluster is."""

    def make(name: str) -> str:
        url = str(api.apis.core.api_client.configuration.host)
        view = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}],
            "current-context": name,
        }
        file = tmp_path / "config"
        file.write_text(json.dumps(view))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        monkeypatch.setenv("KUBECONFIG", str(file))
        stand_in(f"cat {file}")
        return url

    return make


def found() -> list[tuple[str, str, str]]:
    """Return what a check finds, in short."""
    return [(finding.what, finding.state, finding.detail) for finding in ClusterPlace().check()]


def test_place_by_name() -> None:
    """The place is found by its name."""
    assert place("cluster").name == "cluster"


def test_kind_cluster(api: ApiServer, current: Callable[[str], str]) -> None:
    """A Kind cluster that answers can be used as it is."""
    url = current("kind-floe")
    api.objects["/version/"] = {"gitVersion": "v1.34.4", **dict.fromkeys(VERSION, "")}
    assert found() == [
        ("kubectl", "here", "on PATH"),
        ("cluster", "here", f"context kind-floe: Kubernetes v1.34.4 at {url}"),
    ]


def test_kind_cluster_that_fails(api: ApiServer, current: Callable[[str], str]) -> None:
    """A cluster that refuses its caller is there, and broken."""
    current("kind-floe")
    api.objects["/version/"] = HTTPStatus.UNAUTHORIZED
    assert [finding[:2] for finding in found()] == [("kubectl", "here"), ("cluster", "broken")]


def test_cluster_of_somebody_else(current: Callable[[str], str]) -> None:
    """A cluster that has to be named is not asked for anything."""
    current("prod")
    what, state, detail = found()[1]
    assert (what, state) == ("cluster", "missing")
    assert detail.startswith("no context was named, and the current one, prod, ")


def test_no_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without kubectl there is nothing to look at."""
    monkeypatch.setenv("PATH", "")
    assert [finding[:2] for finding in found()] == [("kubectl", "missing")]


def test_results_that_are_something_else(tmp_path: Path) -> None:
    """A folder that holds something else than results is refused before the cluster is asked for anything."""
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UserError, match="it holds something else"):
        ClusterPlace().run(RunRequest(results=tmp_path), None)  # type: ignore[arg-type]  # it is not used before


@pytest.mark.parametrize(
    ("user", "run_id"),
    [
        ("ann", "dev-ann-e2e"),
        ("CORP\\\\Ann O'Hara", "dev-corp-ann-o-hara-e2e"),
        (f"{'x' * 29}.y", f"dev-{'x' * 29}-e2e"),
    ],
    ids=["plain", "of a domain", "long"],
)
def test_services_of_a_user(monkeypatch: pytest.MonkeyPatch, user: str, run_id: str) -> None:
    """The services that `up` leaves carry the user's name and the tier, as a label may hold them."""
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert kept_id(RunRequest(tier="e2e")) == run_id


def test_services_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a name, as in many containers, is no obstacle."""

    def unknown() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", unknown)
    assert kept_id(RunRequest(tier="e2e")) == "dev-nobody-e2e"
