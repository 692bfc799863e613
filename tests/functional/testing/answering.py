"""A server that answers over real HTTP what a test tells it to: as a service, and as a cluster's API."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes import client

from serving import Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass
class Answers:
    """What the server answers, and what it was asked."""

    objects: dict[str, Any] = field(default_factory=dict)
    """By path: an object of the API, text, or an `HTTPStatus` that refuses. A list is answered one after the other."""
    logs: dict[tuple[str, bool], str | list[str]] = field(default_factory=dict)
    """By pod, and whether the container before is asked for; a list as above."""
    asked: list[str] = field(default_factory=list)
    """The paths and queries of all requests."""
    made: list[dict[str, Any]] = field(default_factory=list)
    """What it was asked to make."""
    hangs_up: bool = False
    """Whether it closes each connection after one request."""
    connections: int = 0
    url: str = ""
    kube: client.CoreV1Api = field(init=False)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def put_pods(self, namespace: str, *pods: client.V1Pod) -> None:
        """Be asked for a namespace's pods, together and one by one."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        self.objects[path] = client.V1PodList(items=list(pods))
        self.objects |= {f"{path}/{pod.metadata.name}": pod for pod in pods}


def make_pod(name: str = "web-0", *, ready: bool = False, phase: str = "Running", **more: Any) -> client.V1Pod:  # noqa: ANN401 - fields of the pod
    """Return a pod as the API tells of it.

    Args:
        name: Its name, which is its uid too.
        ready: Whether it is Ready.
        phase: Its phase.
        more: `labels`, `deleted`, `owner`, `reason`, `message`, and the state of its only container, `waiting`,
            `terminated` and `last_terminated`, each as the fields of the API's object.
    """
    state, last = more.get("waiting"), more.get("last_terminated")
    owner = more.get("owner")
    terminated = more.get("terminated")
    running = None if state or terminated else client.V1ContainerStateRunning()
    status = client.V1ContainerStatus(
        name="web",
        image="web",
        image_id="",
        ready=ready,
        restart_count=0,
        state=client.V1ContainerState(
            running=running,
            waiting=client.V1ContainerStateWaiting(**state) if state else None,
            terminated=client.V1ContainerStateTerminated(**terminated) if terminated else None,
        ),
        last_state=client.V1ContainerState(
            terminated=client.V1ContainerStateTerminated(**last) if last else None,
        ),
    )
    controller = client.V1OwnerReference(
        api_version="apps/v1", kind="ReplicaSet", name="o", uid=str(owner), controller=True
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(
            name=name,
            uid=name,
            labels=more.get("labels"),
            deletion_timestamp=datetime.now(UTC) if more.get("deleted") else None,
            owner_references=[controller] if owner else None,
        ),
        spec=client.V1PodSpec(containers=[client.V1Container(name="web")], node_name="node-1"),
        status=client.V1PodStatus(
            phase=phase,
            reason=more.get("reason"),
            message=more.get("message"),
            conditions=[client.V1PodCondition(type="Ready", status=str(ready), message=more.get("held_up"))],
            container_statuses=None if more.get("no_containers") else [status],
        ),
    )


@pytest.fixture
def pod() -> Callable[..., client.V1Pod]:
    """Return a maker of pods."""
    return make_pod


class Answering(Handler):
    """Answers as the server's `Answers` say."""

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.answers = cast("Listening", self.server).answers
        self.answers.connections += 1

    def do_GET(self) -> None:
        """Answer with an object, a text or a log."""
        url = urlsplit(self.path)
        self.answers.asked.append(self.path)
        if url.path.endswith("/log"):
            pod = url.path.split("/")[-2]
            previous = parse_qs(url.query)["previous"] == ["True"]
            found: Any = self.answers.logs.get((pod, previous), HTTPStatus.BAD_REQUEST)
        else:
            found = self.answers.objects.get(url.path, HTTPStatus.NOT_FOUND)
        self.answer((found.pop(0) if len(found) > 1 else found[0]) if isinstance(found, list) else found)

    def do_POST(self) -> None:
        """Take an object, and give it back, unless there is a refusal for `POST` and the path."""
        self.answers.made.append(json.loads(self.body()))
        self.refuse_or_answer(self.answers.made[-1])

    def do_DELETE(self) -> None:
        """Delete nothing and say so, unless there is a refusal for `DELETE` and the path."""
        self.body()
        self.refuse_or_answer({"kind": "Status", "status": "Success"})

    def refuse_or_answer(self, what: object) -> None:
        """Answer as it was told for the method and the path, and with `what` where it was told nothing."""
        asked = f"{self.command} {urlsplit(self.path).path}"
        self.answers.asked.append(asked)
        refusals = self.answers.objects.get(asked) or []
        self.answer(refusals.pop(0) if refusals else what)

    def do_HEAD(self) -> None:
        """Answer with the status alone."""
        found = self.answers.objects.get(urlsplit(self.path).path, HTTPStatus.NOT_FOUND)
        self.send(status=found if isinstance(found, HTTPStatus) else HTTPStatus.OK)

    def answer(self, what: object) -> None:
        """Send an object as JSON, a text as it is, or a refusal."""
        self.send_object(what)

    def end_headers(self) -> None:
        """Say that the connection ends, where it does."""
        if self.answers.hangs_up:
            self.send_header("Connection", "close")
        super().end_headers()

    def send(
        self, body: bytes | str = b"", status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer, and where to look instead."""
        elsewhere = {"Location": "/elsewhere"} if status == HTTPStatus.FOUND else {}
        super().send(body, status, {**(headers or {}), **elsewhere})

    def reason(self, _: HTTPStatus) -> Mapping[str, object]:
        """Say nothing besides."""
        return {}


class Listening(Server):
    """A server with something to answer."""

    def __init__(self, answers: Answers) -> None:
        """Listen on a free port."""
        self.answers = answers
        super().__init__(Answering)


@pytest.fixture
def server() -> Iterator[Answers]:
    """Yield a server that knows nothing yet, with a client of it as a cluster's API."""
    answers = Answers()
    with serving(Listening(answers)) as listening:
        answers.url = listening.url
        settings = client.Configuration(host=answers.url)
        settings.proxy = None  # the environment may name one
        api = client.ApiClient(settings)
        answers.kube = client.CoreV1Api(api)
        try:
            with closing(api):
                yield answers
        finally:
            api.rest_client.pool_manager.clear()
