"""An API server that answers what a test tells it to, over real HTTP."""

from __future__ import annotations

import json
import shutil
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from floe_ci.config import Config, Timeouts
from floe_ci.driver.apis import Apis
from floe_ci.driver.spec import RunSpec
from floe_ci.folder import RunFolder
from floe_ci.plan import Plan
from floe_ci.request import RunRequest
from kubernetes import client

from serving import Handler, Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

KINDS = {
    "v1": {
        "Namespace": ("namespaces", False),
        "Service": ("services", True),
        "ConfigMap": ("configmaps", True),
        "ServiceAccount": ("serviceaccounts", True),
        "PersistentVolume": ("persistentvolumes", False),
    },
    "apps/v1": {"Deployment": ("deployments", True)},
    "batch/v1": {"Job": ("jobs", True)},
    "rbac.authorization.k8s.io/v1": {
        "Role": ("roles", True),
        "RoleBinding": ("rolebindings", True),
        "ClusterRole": ("clusterroles", False),
        "ClusterRoleBinding": ("clusterrolebindings", False),
    },
    "storage.k8s.io/v1": {"StorageClass": ("storageclasses", False)},
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    "apiregistration.k8s.io/v1": {"APIService": ("apiservices", False)},
    "admissionregistration.k8s.io/v1": {"ValidatingWebhookConfiguration": ("validatingwebhookconfigurations", False)},
}
"""What the server knows, by `apiVersion` and kind: the plural, and whether it belongs to a namespace."""
SUCCESS = (3, b'{"status": "Success"}')
"""The last message of a command that ended well."""


def discovery() -> dict[str, object]:
    """Return what a server says of the kinds that it knows."""
    groups = {version.rpartition("/")[0]: version for version in KINDS if "/" in version}
    answers: dict[str, object] = {
        f"/{'apis' if '/' in version else 'api'}/{version}": {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": [
                {"kind": kind, "name": plural, "namespaced": namespaced, "verbs": []}
                for kind, (plural, namespaced) in kinds.items()
            ],
        }
        for version, kinds in KINDS.items()
    }
    versions = {
        group: {"groupVersion": version, "version": version.rpartition("/")[2]} for group, version in groups.items()
    }
    answers["/apis"] = {
        "kind": "APIGroupList",
        "groups": [{"name": each, "versions": [one], "preferredVersion": one} for each, one in versions.items()],
    }
    return answers | {"/version": {"kind": "Info", "gitVersion": "v1.34.4"}}


@dataclass
class ApiServer:
    """What a test's API server answers, and what it was asked."""

    objects: dict[str, object] = field(default_factory=discovery)
    """What it answers for a path; an `HTTPStatus` is a refusal, of its own words where they stand behind it in a tuple;
    a function is asked, with what was sent if any was.

    For what changes an object, the path stands after the method: `PATCH /api/...`.
    """
    logs: dict[tuple[str, bool], Any] = field(default_factory=dict)
    """The pieces of a container's log, of the previous one or of this; a function is asked, with the query."""
    created: list[dict[str, Any]] = field(default_factory=list)
    """What it was asked to create."""
    applied: list[dict[str, Any]] = field(default_factory=list)
    """What it was asked to apply."""
    changes: list[str] = field(default_factory=list)
    """Method, path and query of each request that changes something."""
    asked: list[str] = field(default_factory=list)
    """Path and query of each request that changes nothing."""
    read: list[tuple[str, bool]] = field(default_factory=list)
    """The logs that it was asked for."""
    run: Callable[[list[str]], Iterable[tuple[int, bytes]]] = lambda _: [SUCCESS]
    """Runs a command in a container: yields its messages, each with the number of its channel."""
    commands: list[list[str]] = field(default_factory=list)
    """The commands that it was asked to run."""
    given: bytearray = field(default_factory=bytearray)
    """What came on the standard input of those scripts whose first two arguments say how much that is."""
    apis: Apis = field(init=False)
    """Clients of it."""


class Answering(Handler):
    """Answers as the server's `ApiServer` says."""

    @property
    def api(self) -> ApiServer:
        """What to answer."""
        return cast("Listening", self.server).api

    def do_GET(self) -> None:
        """Answer with an object, with a log piece by piece, or with what a command says."""
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.api.asked.append(self.path)
        if url.path.endswith("/exec"):
            self.run_command(url.path, query["command"], has_input="stdin" in query)
        elif url.path.endswith("/log"):
            self.tell_log(query)
        else:
            what = self.api.objects.get(url.path, HTTPStatus.NOT_FOUND)
            what = what() if callable(what) else what
            if "watch" in query and not isinstance(what, HTTPStatus):
                self.tell_changes(what)
            else:
                self.answer(what)

    def tell_changes(self, listing: Any) -> None:  # noqa: ANN401 - any list of objects
        """Answer a watch with each object as one that has changed, and with no more."""
        objects = self.api.apis.api_client.sanitize_for_serialization(listing)["items"]
        lines = "".join(json.dumps({"type": "MODIFIED", "object": each}) + "\n" for each in objects).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(lines)))
        self.end_headers()
        self.wfile.write(lines)

    def tell_log(self, query: dict[str, list[str]]) -> None:
        """Answer with a log."""
        which = (query["container"][0], query["previous"][0].lower() == "true")
        self.api.read.append(which)
        if which not in self.api.logs:
            self.answer(HTTPStatus.BAD_REQUEST)
            return
        log = self.api.logs[which]
        pieces = log(query) if callable(log) else log
        self.send_response(HTTPStatus.OK)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def run_command(self, path: str, command: list[str], *, has_input: bool) -> None:
        """Answer with a command's messages, over a web socket."""
        self.api.commands.append(command)
        refusal = self.api.objects.get(path)
        refusal = refusal() if callable(refusal) else refusal
        if isinstance(refusal, HTTPStatus):
            self.answer(refusal)
            return
        self.become_websocket({"Sec-WebSocket-Protocol": self.headers["Sec-WebSocket-Protocol"]})
        if has_input:
            self.take(sum(int(each) for each in command[4:6]))
        with suppress(ConnectionError):  # who is asked to stop does not read on
            for channel, text in self.api.run(command):
                data = bytes([channel]) + text
                self.wfile.write(b"\x82\x7f" + struct.pack(">Q", len(data)) + data)

    def take(self, size: int) -> None:
        """Take what a command is given, frame by frame, each of them masked as a client's have to be."""
        while len(self.api.given) < size:
            _, length = self.rfile.read(2)
            length &= 0x7F
            if length >= 126:
                length = int.from_bytes(self.rfile.read(2 if length == 126 else 8), "big")
            mask = self.rfile.read(4)
            frame = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length)))
            assert frame[0] == 0, "what is no standard input"
            self.api.given += frame[1:]

    def do_POST(self) -> None:
        """Take an object, unless a refusal stands under its path."""
        body = self.sent()
        self.api.created.append(body)
        what = self.api.objects.get(
            f"POST {urlsplit(self.path).path}", self.api.objects.get(urlsplit(self.path).path, body)
        )
        self.answer(what(body) if callable(what) else what)

    def do_PUT(self) -> None:
        """Take an object anew."""
        self.change(self.sent())

    def do_PATCH(self) -> None:
        """Take what is applied."""
        body = self.sent()
        self.api.applied.append(body)
        self.change(body)

    def do_DELETE(self) -> None:
        """Agree to a deletion."""
        self.change({"kind": "Status"})

    def change(self, default: object) -> None:
        """Note a change, and answer."""
        self.api.changes.append(f"{self.command} {self.path}")
        what = self.api.objects.get(f"{self.command} {urlsplit(self.path).path}", default)
        self.answer(what(default) if callable(what) else what)

    def sent(self) -> dict[str, Any]:
        """Return the object that was sent."""
        return cast("dict[str, Any]", json.loads(self.body()))

    def answer(self, what: object) -> None:
        """Send an object as JSON, or a refusal."""
        if isinstance(what, client.V1PodList) and what.metadata is None:
            what.metadata = client.V1ListMeta(resource_version="1")
        if isinstance(what, tuple):
            status, message = what
            self.send_json({"kind": "Status", "message": message}, status)
        else:
            self.send_object(what)

    def reason(self, status: HTTPStatus) -> dict[str, object]:
        """Say no."""
        return {"message": f"no: {status}"}


class Listening(Server):
    """A server with something to answer."""

    def __init__(self, api: ApiServer) -> None:
        """Listen on a free port."""
        self.api = api
        super().__init__(Answering)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    """Yield the folder of a run that has a secret, `hunter22-long`."""
    folder = RunFolder.take(tmp_path / "results", run_id="abc", tier="unit", place="local")
    folder.redactor.add(["hunter22-long"])
    yield folder
    folder.release()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Yield an API server that knows some kinds and no object, with clients of it."""
    api = ApiServer()
    with serving(Listening(api)) as server:
        settings = client.Configuration(host=server.url)
        monkeypatch.setattr(client.Configuration, "_default", settings)
        api.apis = Apis(settings)
        try:
            yield api
        finally:
            api.apis.close()


class Clock:
    """A clock by which only those who wait pass the time."""

    def __init__(self) -> None:
        """Start."""
        self._now = 0.0

    def monotonic(self) -> float:
        """Return the seconds that have been waited."""
        return self._now

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


@pytest.fixture(scope="session")
def git_program() -> str:
    """Return where Git is; what needs it is skipped where it isn't."""
    found = shutil.which("git")
    if found is None:
        pytest.skip("there is no git, as in the image of the test runner")
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the driver's waits run out at once: what they look at here does not change by itself."""
    clock = Clock()
    monkeypatch.setattr("floe_ci.driver.poll.time", clock)
    monkeypatch.setattr("floe_ci.driver.job.time", clock)
    monkeypatch.setattr("floe_ci.driver.poll.pause", lambda seconds, _stop=None: clock.go_on(seconds))


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
        given |= fields
        plan = Plan.of(RunRequest(given["tier"], run_id=given["run_id"]), Config(timeouts=given["timeouts"]))
        return RunSpec(**{"variables": plan.variables(namespace=given["namespace"]), **given})

    return make


def status(name: str, state: client.V1ContainerState) -> client.V1ContainerStatus:
    """Return the status of a container that is ready for as long as it runs."""
    return client.V1ContainerStatus(
        name=name,
        image="runner",
        image_id="",
        ready=state.running is not None,
        restart_count=0,
        state=state,
        last_state=client.V1ContainerState(),
    )


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
