"""What the driver talks to one cluster through."""

from __future__ import annotations

import socket
import threading
from contextlib import nullcontext
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from floe_ci.driver import apis as module
from floe_ci.driver.apis import Apis, explain, may_pass
from floe_ci.driver.poll import Stopped
from floe_ci.errors import LastingError, RunError
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.ci.conftest import ApiServer

NO_ANSWER = urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("c"), "/api", ConnectionError("refused"))
UNTRUSTED = client.ApiException(status=0, reason="SSLError\n[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"run": "abc"}}}
CLASS = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "quick"}}
SERVICE_PATH = "/api/v1/namespaces/ns/services/web"
KUBECONFIG = """\
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


@pytest.fixture
def silent() -> Iterator[Apis]:
    """Yield clients of an API that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Apis(client.Configuration(host=f"http://127.0.0.1:{server.getsockname()[1]}"))


def failing(*answers: object) -> Callable[[object], object]:
    """Return what answers one after the other."""
    left = iter(answers)
    return lambda _: next(left)


def test_command() -> None:
    """A command to be pasted says which cluster is meant."""
    assert Apis(kubectl_options=("--context", "a b")).command("get", "pods") == "kubectl --context 'a b' get pods"


def test_kubeconfig() -> None:
    """The text of a kubeconfig is enough to talk to the cluster that it names."""
    assert Apis.of_kubeconfig(KUBECONFIG).api_client.configuration.host == "https://127.0.0.1:1"


def test_kubeconfig_of_nothing() -> None:
    """A kubeconfig that names no cluster is refused."""
    with pytest.raises(RunError, match="the kubeconfig can't be used"):
        Apis.of_kubeconfig("contexts: []")


def test_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster on this machine is not looked for behind a company's proxy; another one is."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    hosts = ("https://127.0.0.1:6443", "https://prod.example.com")
    proxies = [Apis(client.Configuration(host=host)).api_client.configuration.proxy for host in hosts]
    assert proxies == [None, "http://proxy.invalid:3128"]


def test_api_that_says_nothing(silent: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that nobody gave a time limit has one."""
    monkeypatch.setattr(module, "TIME_LIMIT", (5, 0.1))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        silent.core.list_node()


def test_time_limit_that_is_no_whole_number(silent: Apis) -> None:
    """A caller's own time limit stands, whichever number it is."""
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        silent.core.list_node(_request_timeout=0.1)


@pytest.mark.timeout(30)
def test_wait_for_an_api_that_says_nothing(silent: Apis) -> None:
    """An API that says nothing makes no wait longer."""
    with pytest.raises(RunError, match=r"^nodes: not there after 0 s; .*no answer$"):
        silent.ask("nodes", silent.core.list_node, timeout=0)


def test_stop_while_the_api_says_nothing(silent: Apis) -> None:
    """A call that hangs is left at once when the run is told to stop."""
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped):
        silent.ask("nodes", silent.core.list_node, stop=stop)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
def test_one_failed_answer(api: ApiServer, status: HTTPStatus) -> None:
    """One failed answer ends no call."""
    answers = iter([status, client.V1NodeList(items=[])])
    api.objects["/api/v1/nodes"] = lambda: next(answers)
    assert api.apis.ask("nodes", api.apis.core.list_node).items == []


@pytest.mark.usefixtures("clock")
def test_api_that_is_gone() -> None:
    """An API that does not come back ends a call with the cause in one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    gone = Apis(client.Configuration(host=f"http://127.0.0.1:{port}"))
    with pytest.raises(RunError, match=r"^nodes: the cluster's API does not answer: .*refused$"):
        gone.ask("nodes", gone.core.list_node, timeout=10**6)


def test_api_is_away(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that has not answered for long is away, one that has its moments isn't, nor is one that is back."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    nodes, there = api.apis.core.list_node, client.V1NodeList(items=[])
    seen = []
    for now[0], answer in ((0, there), (1, None), (1 + module.AWAY, None), (2 + module.AWAY, there)):
        api.objects["/api/v1/nodes"] = answer or HTTPStatus.SERVICE_UNAVAILABLE
        with nullcontext() if answer else pytest.raises(client.ApiException):
            nodes()
        seen.append(api.apis.api_client.is_away)
    assert seen == [False, False, True, False]


def test_refusal(api: ApiServer) -> None:
    """What the cluster refuses is told at once, with its own words."""
    api.objects["/api/v1/nodes"] = HTTPStatus.FORBIDDEN
    with pytest.raises(RunError, match=r"^nodes: the cluster refused it: no: 403 \(403\)$"):
        api.apis.ask("nodes", api.apis.core.list_node)


@pytest.mark.parametrize(
    "error",
    [
        NO_ANSWER,
        client.ApiException(status=503),
        client.ApiException(status=500),
        client.ApiException(status=429),
        client.ApiException(status=0, reason="SSLError\n[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred"),
    ],
    ids=["no answer", "unavailable", "internal error", "too many", "end before the beginning"],
)
def test_failure_that_may_pass(error: Exception) -> None:
    """An API that doesn't answer, has trouble of its own, or asks to come again, may answer the next time."""
    assert may_pass(error)


@pytest.mark.parametrize(
    "error",
    [client.ApiException(status=401), client.ApiException(status=404), UNTRUSTED, ValueError()],
    ids=["credentials", "not found", "certificate", "something else"],
)
def test_failure_that_stays(error: Exception) -> None:
    """What the cluster refuses, it refuses the next time too."""
    assert not may_pass(error)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED])
def test_api_that_was_away(api: ApiServer, status: HTTPStatus) -> None:
    """An API that has just come back, and does not know yet what one may do, is asked again."""
    answers = iter([HTTPStatus.SERVICE_UNAVAILABLE, status, status, client.V1NodeList(items=[])])
    api.objects["/api/v1/nodes"] = lambda: next(answers)
    assert api.apis.ask("nodes", api.apis.core.list_node).items == []


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED])
def test_api_that_forgot(api: ApiServer, status: HTTPStatus) -> None:
    """An API that refuses what it has allowed before, though no call noticed that it was away, is asked again."""
    there = client.V1NodeList(items=[])
    answers = iter([there, status, status, there])
    api.objects["/api/v1/nodes"] = lambda: next(answers)
    api.apis.core.list_node()
    assert api.apis.ask("nodes", lambda: api.apis.core.list_node(label_selector="a=b")).items == []


def test_certificate() -> None:
    """A certificate that is not trusted is told without a status that nobody sent."""
    assert (
        explain(client.ApiException(status=0, reason="SSLError\nself-signed"))
        == "no way to the API: SSLError self-signed"
    )


def test_apply(api: ApiServer) -> None:
    """Objects are applied by the server in their order, under the run's name, and unknown fields are refused."""
    api.apis.apply([SERVICE, DEPLOYMENT, CLASS], namespace="ns", manager="floe-ci")
    urls = [urlsplit(change.removeprefix("PATCH ")) for change in api.changes]
    assert [url.path for url in urls] == [
        SERVICE_PATH,
        "/apis/apps/v1/namespaces/ns/deployments/web",
        "/apis/storage.k8s.io/v1/storageclasses/quick",
    ]
    queries = [parse_qs(url.query) for url in urls]
    assert queries == [{"fieldManager": ["floe-ci"], "fieldValidation": ["Strict"]}] * 3
    assert api.applied == [SERVICE, DEPLOYMENT, CLASS]


def test_apply_that_is_refused(api: ApiServer) -> None:
    """An object that the cluster refuses is named, with the cluster's words, and nothing is applied after it."""
    api.objects[f"PATCH {SERVICE_PATH}"] = HTTPStatus.UNPROCESSABLE_ENTITY
    with pytest.raises(LastingError, match=r"^Service web: the cluster refused it: no: 422 \(422\)$"):
        api.apis.apply([SERVICE, DEPLOYMENT], namespace="ns", manager="floe-ci")
    assert len(api.changes) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        (HTTPStatus.FORBIDDEN, 'services "web" is forbidden: exceeded quota: few'),
        (HTTPStatus.FORBIDDEN, "unable to create new content in namespace ns because it is being terminated"),
        HTTPStatus.CONFLICT,
    ],
)
def test_refusal_for_a_while(api: ApiServer, refusal: object) -> None:
    """What the cluster refuses for what others have just then may be there for another attempt."""
    api.objects[f"PATCH {SERVICE_PATH}"] = refusal
    with pytest.raises(RunError, match="the cluster refused it") as raised:
        api.apis.apply([SERVICE], namespace="ns", manager="floe-ci")
    assert not isinstance(raised.value, LastingError)


@pytest.mark.usefixtures("clock")
def test_apply_that_fails_once(api: ApiServer) -> None:
    """An apply that the cluster has no answer for is done again."""
    api.objects[f"PATCH {SERVICE_PATH}"] = failing(HTTPStatus.SERVICE_UNAVAILABLE, SERVICE)
    api.apis.apply([SERVICE], namespace="ns", manager="floe-ci")
    assert len(api.changes) == 2


def test_apply_of_an_unknown_kind(api: ApiServer) -> None:
    """An object of a kind that the cluster doesn't have is named."""
    thing = {"apiVersion": "nosuch.example.com/v1", "kind": "Thing", "metadata": {"name": "it"}}
    with pytest.raises(RunError, match=r"^Thing it: the cluster does not know Thing of nosuch\.example\.com/v1$"):
        api.apis.apply([thing], namespace="ns", manager="floe-ci")


def test_apply_into_another_namespace(api: ApiServer) -> None:
    """An object that names another namespace is refused before anything is applied."""
    elsewhere = {**SERVICE, "metadata": {"name": "web", "namespace": "kube-system"}}
    with pytest.raises(RunError, match=r"^Service web names the namespace kube-system"):
        api.apis.apply([DEPLOYMENT, elsewhere], namespace="ns", manager="floe-ci")
    assert not api.changes


def test_create(api: ApiServer) -> None:
    """An object is created once."""
    api.apis.create(CLASS, manager="floe-ci")
    assert api.created == [CLASS]


def test_create_what_is_there(api: ApiServer) -> None:
    """What is there already and somebody else's is not taken for the run's own."""
    api.objects["/apis/apps/v1/namespaces/ns/deployments"] = HTTPStatus.CONFLICT
    api.objects["/apis/apps/v1/namespaces/ns/deployments/web"] = {
        **DEPLOYMENT,
        "metadata": {"name": "web", "labels": {"run": "x"}},
    }
    with pytest.raises(RunError, match=r"^Deployment web: the cluster refused it: no: 409 \(409\)$"):
        api.apis.create(DEPLOYMENT, namespace="ns", manager="floe-ci")


@pytest.mark.usefixtures("clock")
def test_create_whose_answer_was_lost(api: ApiServer) -> None:
    """What an earlier try has made, whose answer did not come, is the run's own."""
    path = "/apis/apps/v1/namespaces/ns/deployments"
    api.objects[f"POST {path}"] = failing(HTTPStatus.GATEWAY_TIMEOUT, HTTPStatus.CONFLICT)
    api.objects[f"{path}/web"] = DEPLOYMENT
    api.apis.create(DEPLOYMENT, namespace="ns", manager="floe-ci")
    assert len(api.created) == 2


def test_delete_by_label(api: ApiServer) -> None:
    """Each object that carries the label is deleted, and one that is gone meanwhile is no error."""
    path = "/apis/storage.k8s.io/v1/storageclasses"
    items = [{"metadata": {"name": name}} for name in ("a", "b")]
    api.objects[path] = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClassList", "items": items}
    api.objects[f"DELETE {path}/a"] = HTTPStatus.NOT_FOUND
    api.apis.delete_by_label(api.apis.resource(CLASS), "run=abc")
    assert [urlsplit(change).path for change in api.changes] == [f"DELETE {path}/a", f"DELETE {path}/b"]


def test_kinds_are_asked_for_once(api: ApiServer) -> None:
    """The kinds of a group are asked for once, and no file of them is left for another cluster behind this address."""
    asked: list[int] = []
    known = api.objects["/apis/apps/v1"]
    api.objects["/apis/apps/v1"] = lambda: asked.append(1) or known
    api.apis.resource(DEPLOYMENT)
    api.apis.resource(DEPLOYMENT)
    assert len(asked) == 1
    api.objects["/apis/apps/v1"] = known
    Apis(api.apis.api_client.configuration).resource(DEPLOYMENT)
    assert len(asked) == 1


def test_pods_as_they_were(api: ApiServer) -> None:
    """A pod is made an object of once, until it changes; as an object it is what the client makes of it."""
    listed = client.V1PodList(
        items=[
            client.V1Pod(
                metadata=client.V1ObjectMeta(name=name, uid=name, resource_version="1", labels={"app": name}),
                status=client.V1PodStatus(phase="Pending"),
            )
            for name in ("web", "db")
        ]
    )
    api.objects["/api/v1/namespaces/ns/pods"] = lambda: listed
    web, db = api.apis.pods("ns", "app")
    assert [web, db] == api.apis.core.list_namespaced_pod("ns").items
    listed.items[0].metadata.resource_version, listed.items[0].status.phase = "2", "Running"
    changed, same = api.apis.pods("ns", "app")
    assert (changed.status.phase, web.status.phase) == ("Running", "Pending")
    assert same is db
    assert "labelSelector=app" in api.asked[0]


@pytest.mark.parametrize("said", [[], {}, {"items": None}, {"items": [None]}, {"items": [{"kind": "Pod"}]}])
def test_no_list_of_pods(api: ApiServer, said: object) -> None:
    """An API that talks nonsense is told of as one, and not taken for one without pods."""
    api.objects["/api/v1/namespaces/ns/pods"] = lambda: said
    with pytest.raises(ValueError, match="no list of pods"):
        api.apis.pods("ns")
