"""An API server that is busy for a moment, as when it is upgraded, ends neither a wait nor a clean-up."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from kubernetes import client

from floe_testing.cluster import kube, namespaces
from floe_testing.cluster.namespaces import NamespaceStuckError
from floe_testing.isolation.labels import labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.functional.testing.answering import Answers

    MakePod = Callable[..., client.V1Pod]

PODS = "/api/v1/namespaces/shop/pods"
NAMESPACES = "/api/v1/namespaces"
BUSY = [
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
]


@pytest.mark.parametrize("status", BUSY)
def test_restart(server: Answers, pod: MakePod, status: HTTPStatus) -> None:
    """A service is restarted though each kind of request is refused once."""
    old, new = (client.V1PodList(items=[pod(name, ready=True)]) for name in ("db-0", "db-1"))
    server.objects[PODS] = [status, old, status, old, new]
    server.objects[f"DELETE {PODS}/db-0"] = [status]
    kube.restart(server.kube, "shop", "db", timeout=20)
    assert server.asked.count(f"DELETE {PODS}/db-0") == 2


def test_restart_of_a_pod_that_went_by_itself(server: Answers, pod: MakePod) -> None:
    """A pod that is gone before it is deleted has its successor waited for."""
    old, new = (client.V1PodList(items=[pod(name, ready=True)]) for name in ("db-0", "db-1"))
    server.objects[PODS] = [old, new]
    server.objects[f"DELETE {PODS}/db-0"] = [HTTPStatus.NOT_FOUND]
    kube.restart(server.kube, "shop", "db", timeout=20)


def test_restart_that_is_forbidden(server: Answers, pod: MakePod) -> None:
    """A refusal that is the API's last word is not waited out."""
    server.objects[PODS] = client.V1PodList(items=[pod("db-0", ready=True)])
    server.objects[f"DELETE {PODS}/db-0"] = [HTTPStatus.FORBIDDEN]
    with pytest.raises(client.ApiException, match="403"):
        kube.restart(server.kube, "shop", "db", timeout=20)


def made(*names: str) -> client.V1NamespaceList:
    """Return namespaces of a test."""
    return client.V1NamespaceList(
        items=[client.V1Namespace(metadata=client.V1ObjectMeta(name=name, labels=labels("one"))) for name in names]
    )


@pytest.mark.parametrize("status", BUSY)
def test_namespaces(server: Answers, status: HTTPStatus) -> None:
    """A namespace is made, deleted and waited for though each of these is refused once; it is made once."""
    server.objects |= {
        f"POST {NAMESPACES}": [status, HTTPStatus.CONFLICT],
        f"DELETE {NAMESPACES}/shop": [status],
        NAMESPACES: [status, made("shop"), status, made()],
    }
    namespaces.create(server.kube, "shop", "one", "test_shop.py")
    namespaces.delete(server.kube, "shop")
    namespaces.wait_until_gone(server.kube, ["shop"], timeout=20)
    assert server.asked.count(f"POST {NAMESPACES}") == server.asked.count(f"DELETE {NAMESPACES}/shop") == 2


def test_namespace_that_stays_busy(server: Answers) -> None:
    """Where the API is busy all the time, the end of the wait says so."""
    server.objects[NAMESPACES] = HTTPStatus.SERVICE_UNAVAILABLE
    with pytest.raises(NamespaceStuckError, match="the API answered 503 Service Unavailable"):
        namespaces.wait_until_gone(server.kube, ["shop"], timeout=1)


@pytest.fixture
def reached(server: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return the server, which the kubeconfig names."""
    config = tmp_path / "kubeconfig"
    config.write_text(
        f"""
current-context: c
clusters: [{{name: c, cluster: {{server: "{server.url}"}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
users: [{{name: u, user: {{}}}}]
""",
        encoding="utf-8",
    )
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    return server


@pytest.mark.parametrize("status", BUSY)
def test_client_asks_again(reached: Answers, pod: MakePod, status: HTTPStatus) -> None:
    """The client that tests get asks a busy server again by itself."""
    reached.objects[PODS] = [status, status, client.V1PodList(items=[pod("db-0")])]
    with kube.connect() as api:
        assert [each.name for each in kube.pods(api, "shop", "")] == ["db-0"]


def test_client_gives_up(reached: Answers) -> None:
    """A server that stays busy is told of as the API's own error."""
    reached.objects[PODS] = HTTPStatus.SERVICE_UNAVAILABLE
    with kube.connect() as api, pytest.raises(client.ApiException, match="503"):
        api.list_namespaced_pod("shop")


def test_client_does_not_wait_for_ever(reached: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes a request and never answers is given up, whichever request of the client it is."""
    monkeypatch.setattr(kube, "REQUEST_TIMEOUT", (1.0, 0.3))
    answered = threading.Event()

    class Late(list[object]):
        def pop(self, _: object = 0) -> object:
            answered.wait(timeout=20)
            return HTTPStatus.NOT_FOUND

    reached.objects[PODS] = Late([1, 2])
    reached.objects[f"DELETE {PODS}/db-0"] = Late([1])
    with kube.connect() as api:
        for call in (
            lambda: api.list_namespaced_pod("shop"),
            lambda: api.delete_namespaced_pod("db-0", "shop"),
            lambda: client.AppsV1Api(api.api_client).api_client.call_api(PODS, "GET", response_type="object"),
        ):
            with pytest.raises(Exception, match=r"timed out|Max retries"):
                call()
    answered.set()


@pytest.mark.parametrize(
    ("query", "limited"), [([("watch", True)], False), ([("follow", "true")], False), ([], True), (None, True)]
)
def test_watch_may_be_silent(
    query: list[tuple[str, object]] | None,
    limited: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what waits for news of its own has no limit, unless the caller sets one."""
    seen: list[object] = []

    class Rest:
        def GET(self, _: str, *, _request_timeout: object, **__: object) -> None:  # noqa: N802 - as in the library
            seen.append(_request_timeout)

    with kube.PatientClient(client.Configuration()) as api:
        monkeypatch.setattr(api, "rest_client", Rest())
        api.request("GET", "/", query_params=query)
        api.request("GET", "/", query_params=query, _request_timeout=7)
    assert seen == [kube.REQUEST_TIMEOUT if limited else None, 7]
