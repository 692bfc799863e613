"""The place that is a cluster of somebody else's."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from floe_ci.errors import UserError
from floe_ci.places import place
from floe_ci.places.cluster import ClusterPlace, ClusterStay, kept_id
from floe_ci.request import RunRequest
from floe_ci.shards import durations_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.ci.conftest import ApiServer

    Left = Callable[..., list[str]]

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


TIMES = "/api/v1/namespaces/ci/configmaps/times"


@pytest.fixture
def left(api: ApiServer) -> Left:
    """Return what leaves a cluster whose ConfigMap keeps durations, after a run of some, and returns what is told."""

    def leave(durations: dict[str, float], *, hurry: bool = False) -> list[str]:
        told: list[str] = []
        live = SimpleNamespace(durations=durations, parts=[])
        run: Any = SimpleNamespace(
            live=live,
            note=told.append,
            told=SimpleNamespace(note=told.append),
            durations_after=lambda before: durations_text(before, durations, whole=False),
        )
        stay = ClusterStay(run)
        tenancy: Any = SimpleNamespace(apis=api.apis)
        stay._tenancy = tenancy  # noqa: SLF001 - what `enter` finds

        async def recall_and_leave() -> None:
            await stay._recall(api.apis, "ci/times")  # noqa: SLF001 - what `enter` does
            await stay.leave(keep=True, hurry=hurry)

        anyio.run(recall_and_leave)
        return told

    return leave


def test_durations_are_kept(api: ApiServer, left: Left) -> None:
    """What a run learned of its tests stands in the ConfigMap beside what another run wrote there meanwhile."""
    packed = [zlib.compress(durations_text({}, {name: 1.0}, whole=True).encode(), wbits=31) for name in ("a", "b")]
    answers = iter(packed)
    api.objects[TIMES] = lambda: {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "binaryData": {"durations.json.gz": b64encode(next(answers)).decode()},
    }
    assert left({"c": 2.0}) == []
    (written,) = api.applied
    (content,) = written["binaryData"].values()
    assert json.loads(zlib.decompress(b64decode(content), wbits=31)) == {"b": 1.0, "c": 2.0}


@pytest.mark.parametrize(("durations", "hurry"), [({}, False), ({"c": 2.0}, True)], ids=["no test", "in a hurry"])
def test_no_durations_are_kept(api: ApiServer, left: Left, durations: dict[str, float], hurry: bool) -> None:  # noqa: FBT001
    """A run that executed no test, and one that was interrupted, write nothing."""
    assert left(durations, hurry=hurry) == []
    assert (api.applied, api.created) == ([], [])


def test_durations_that_are_refused(api: ApiServer, left: Left) -> None:
    """A cluster that does not take the durations is no obstacle to leaving: it is told."""
    api.objects[f"PATCH {TIMES}"] = HTTPStatus.FORBIDDEN
    (told,) = left({"c": 2.0})
    assert told.startswith("the durations of this run are not in ConfigMap ci/times: ")
