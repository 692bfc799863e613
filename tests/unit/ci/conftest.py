"""An API server that answers what a test tells it to, over real HTTP."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from floe_ci.config import Timeouts
from floe_ci.driver.apis import Apis
from floe_ci.driver.spec import RunSpec
from kubernetes import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@dataclass
class ApiServer:
    """What a test's API server answers, and what it was asked."""

    objects: dict[str, object] = field(default_factory=dict)
    """What it answers for a path; an `HTTPStatus` is a refusal, a function is asked, with what was sent if any was."""
    logs: dict[tuple[str, bool], Iterable[bytes]] = field(default_factory=dict)
    """The pieces of a container's log, of the previous one or of this."""
    created: list[dict[str, Any]] = field(default_factory=list)
    """What it was asked to create."""
    read: list[tuple[str, bool]] = field(default_factory=list)
    """The logs that it was asked for."""
    apis: Apis = field(init=False)
    """Clients of it."""


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's `ApiServer` says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait until the client has acknowledged the headers

    @property
    def api(self) -> ApiServer:
        """What to answer."""
        return cast("Server", self.server).api

    def do_GET(self) -> None:
        """Answer with an object, or with a log, piece by piece."""
        url = urlsplit(self.path)
        if not url.path.endswith("/log"):
            what = self.api.objects.get(url.path, HTTPStatus.NOT_FOUND)
            self.answer(what() if callable(what) else what)
            return
        query = parse_qs(url.query)
        which = (query["container"][0], query["previous"] == ["True"])
        self.api.read.append(which)
        if which not in self.api.logs:
            self.answer(HTTPStatus.BAD_REQUEST)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in self.api.logs[which]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        """Take an object, unless a refusal stands under its path."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.api.created.append(body)
        what = self.api.objects.get(urlsplit(self.path).path, body)
        self.answer(what(body) if callable(what) else what)

    def answer(self, what: object) -> None:
        """Send an object as JSON, or a refusal."""
        refused = isinstance(what, HTTPStatus)
        document = {"kind": "Status"} if refused else client.ApiClient().sanitize_for_serialization(what)
        text = json.dumps(document).encode()
        self.send_response(what if isinstance(what, HTTPStatus) else HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


class Server(ThreadingHTTPServer):
    """A server with something to answer."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, api: ApiServer) -> None:
        """Listen on a free port."""
        self.api = api
        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Yield an API server that knows nothing yet, with clients of it."""
    api = ApiServer()
    with Server(api) as server:
        settings = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
        settings.proxy = None  # the environment may name one
        monkeypatch.setattr(client.Configuration, "_default", settings)
        api.apis = Apis()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            for each in (api.apis.core, api.apis.apps, api.apis.batch, api.apis.discovery):
                each.api_client.rest_client.pool_manager.clear()
            server.shutdown()
            thread.join()


class Clock:
    """A clock by which only those who wait pass the time."""

    def __init__(self) -> None:
        """Start."""
        self._now = 0.0

    def monotonic(self) -> float:
        """Return the seconds that have been waited."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the driver's waits run out at once: what they look at here does not change by itself."""
    monkeypatch.setattr("floe_ci.driver.poll.time", Clock())


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes a shell script the kubectl on PATH; its arguments are noted, a line for each call."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def make(script: str) -> None:
        path = folder / "kubectl"
        path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    return make


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[str]]:
    """Return what tells the arguments of each call of the kubectl that stands in."""
    return lambda: (tmp_path / "calls").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def run_spec() -> Callable[..., RunSpec]:
    """Return what makes a driver's specification: of a run of nothing in the namespace `ns`, but for what is given."""

    def make(**fields: object) -> RunSpec:
        given: dict[str, Any] = {
            "run_id": "abc",
            "tier": "integration",
            "namespace": "ns",
            "nodes": 1,
            "services": "",
            "runner": "",
            "timeouts": Timeouts(services=1),
        }
        return RunSpec(**given | fields)

    return make


@pytest.fixture
def crashing() -> client.V1Pod:
    """Return the pod `web-0`, whose one container `web` crashes again and again."""
    status = client.V1ContainerStatus(
        name="web",
        image="web:1",
        image_id="",
        ready=False,
        restart_count=2,
        state=client.V1ContainerState(waiting=client.V1ContainerStateWaiting(reason="CrashLoopBackOff")),
        last_state=client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=1, reason="Error")),
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name="web-0", uid="1"),
        status=client.V1PodStatus(phase="Running", container_statuses=[status]),
    )
