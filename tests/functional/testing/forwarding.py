"""A cluster as far as finding services goes: an API server over real HTTP, whose port-forwards lead to real sockets."""

from __future__ import annotations

import base64
import socketserver
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from socket import SHUT_RDWR, SHUT_WR, create_connection
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.config import kube_config
from websocket import ABNF
from websocket._abnf import frame_buffer

from floe_testing import contract
from floe_testing.cluster.portforward import port_forwards
from serving import Handler, Server, serving, write_kubeconfig

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    TcpServer = Callable[[Callable[[socket.socket], None]], tuple[str, int]]


NAMESPACE = "shop"


@dataclass
class Cluster:
    """What the API server answers; a test changes it at will."""

    objects: dict[str, Any] = field(default_factory=lambda: {"configmaps": {"items": []}, "pods": {"items": []}})
    """What it answers for a path; an `HTTPStatus` is a refusal."""
    backends: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """Where a port of a pod really is."""
    forwarded: list[tuple[str, int]] = field(default_factory=list)
    """The pods and ports that connections were forwarded to."""
    ended: list[str] = field(default_factory=list)
    """The pods whose connections were read to their end."""
    asked: list[str] = field(default_factory=list)
    """The paths of all requests."""
    silent: threading.Event | None = None
    """Until it is set, port-forwards are not answered at all."""
    ends_with: bytes | None = b""
    """What the frame holds that ends a connection whose pod has ended; `None`: the connection is lost instead."""
    pings: bytes = b""
    """What each port-forward begins with a ping of, where there is something."""

    def add_service(self, name: str, port: int, *, target: int | str | None = None) -> None:
        """Add a Service that selects the pods of its name."""
        self.objects[f"services/{name}"] = {
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target or port}]},
        }

    def add_pod(self, service: str, name: str, ports: dict[int, tuple[str, int]], *, ready: bool = True) -> None:
        """Add a pod of a Service, whose ports lead to real addresses."""
        self.objects["pods"]["items"].append(
            {
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "labels": {"app": service, contract.LABEL_NAME: service},
                },
                "spec": {"containers": [{"name": "main", "ports": [{"name": "main", "containerPort": min(ports)}]}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
            }
        )
        self.backends.update({(name, port): address for port, address in ports.items()})

    def remove_pod(self, name: str) -> None:
        """Remove a pod."""
        pods = self.objects["pods"]
        pods["items"] = [pod for pod in pods["items"] if pod["metadata"]["name"] != name]

    def add_connection(self, **variables: str) -> None:
        """Add a ConfigMap of connection variables."""
        self.objects["configmaps"]["items"].append(
            {"metadata": {"name": "any", "labels": {contract.LABEL_CONNECTION: "true"}}, "data": variables}
        )

    def add_passwords(self, **variables: str) -> None:
        """Add the Secret of passwords."""
        data = {name: base64.b64encode(value.encode()).decode() for name, value in variables.items()}
        self.objects[f"secrets/{contract.CREDENTIALS_SECRET}"] = {"data": data}


class ApiHandler(Handler):
    """Answers as the server's `Cluster` says."""

    @property
    def cluster(self) -> Cluster:
        """What to answer."""
        return cast("ApiServer", self.server).cluster

    def do_GET(self) -> None:
        """Answer with an object, or become a port-forward."""
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        path = url.path.removeprefix(f"/api/v1/namespaces/{NAMESPACE}/")
        self.cluster.asked.append(path)
        if path.endswith("/portforward"):
            self.close_connection = True
            self.forward(path.split("/")[1], int(query["ports"]))
        else:
            self.answer(self.cluster.objects.get(path, HTTPStatus.NOT_FOUND), query.get("labelSelector", ""))

    def answer(self, found: Any, selector: str) -> None:  # noqa: ANN401 - JSON
        """Answer with what is there, those of a list that the selector finds."""
        if isinstance(found, dict) and "items" in found:
            wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
            found = {"items": [each for each in found["items"] if wanted.items() <= each["metadata"]["labels"].items()]}
        self.send_object(found)

    def forward(self, pod: str, port: int) -> None:
        """Speak the WebSocket protocol of port-forwards: a data channel and an error channel."""
        there = any(each["metadata"]["name"] == pod for each in self.cluster.objects["pods"]["items"])
        refusal = self.cluster.objects.get(f"pods/{pod}/portforward", HTTPStatus.OK if there else HTTPStatus.NOT_FOUND)
        if self.cluster.silent:
            self.cluster.silent.wait(timeout=30)
            return
        if refusal is not HTTPStatus.OK:
            self.answer(refusal, "")
            return
        self.become_websocket()
        self.cluster.forwarded.append((pod, port))
        for channel in (0, 1):
            self.send_frame(bytes([channel]) + port.to_bytes(2, "little"))
        if self.cluster.pings:
            self.send_frame(self.cluster.pings, ABNF.OPCODE_PING)
        try:
            upstream = create_connection(self.cluster.backends[pod, port])
        except OSError as error:
            self.send_frame(b"\x01" + f"pod {pod}: {error.strerror}".encode())
            return
        with upstream:
            threading.Thread(target=self.carry_up, args=(upstream,), daemon=True).start()
            with suppress(OSError):
                while data := upstream.recv(32 * 1024):
                    self.send_frame(b"\x00" + data)
                if self.cluster.ends_with is None:
                    self.connection.shutdown(SHUT_RDWR)
                    return
                self.send_frame(self.cluster.ends_with, ABNF.OPCODE_CLOSE)
                self.cluster.ended.append(pod)

    def carry_up(self, upstream: socket.socket) -> None:
        """Carry what the client sends to the pod, until it closes the WebSocket."""
        frames = frame_buffer(self.read_some, skip_utf8_validation=True)
        with suppress(OSError, EOFError, ValueError):
            while (frame := frames.recv_frame()).opcode != ABNF.OPCODE_CLOSE:
                if frame.opcode == ABNF.OPCODE_PONG:
                    self.cluster.forwarded.append((frame.data.decode(), 0))
                else:
                    upstream.sendall(frame.data[1:])
        with suppress(OSError):
            upstream.shutdown(SHUT_WR)

    def read_some(self, size: int) -> bytes:
        """Read from the client."""
        if not (data := self.rfile.read1(size)):  # type: ignore[attr-defined] # a buffered reader
            raise EOFError
        return cast("bytes", data)

    def send_frame(self, data: bytes, opcode: int = ABNF.OPCODE_BINARY) -> None:
        """Send a frame; a server masks none."""
        self.wfile.write(ABNF(1, 0, 0, 0, opcode, 0, data).format())


class ApiServer(Server):
    """The server of a `Cluster`."""

    def __init__(self) -> None:
        """Listen; there is nothing in the cluster."""
        super().__init__(ApiHandler)
        self.cluster = Cluster()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Yield a cluster that the kubeconfig names; its port-forwards are closed after."""
    with serving(ApiServer()) as server:
        config = write_kubeconfig(tmp_path / "kubeconfig", server.url)
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))
        yield server.cluster
        port_forwards.close()


@pytest.fixture
def tcp_server() -> Iterator[TcpServer]:
    """Yield a function that serves each connection with a given function, on an address that it returns."""
    stack = ExitStack()

    def serve(connection: Callable[[socket.socket], None]) -> tuple[str, int]:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    connection(self.request)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        stack.enter_context(serving(server))
        return cast("tuple[str, int]", server.server_address)

    with stack:
        yield serve
