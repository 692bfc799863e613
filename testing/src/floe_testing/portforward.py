"""A port of this machine that leads to a Service of the cluster: `kubectl port-forward` without kubectl.

Each connection is a WebSocket of the API client to a pod that is ready when the connection is made, so a pod may be
replaced in between. Imported on demand, since the Kubernetes client takes half a second to load.
"""

from __future__ import annotations

import atexit
import socket
import socketserver
import struct
import threading
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from kubernetes.client import ApiClient, ApiException, CoreV1Api
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError
from websocket import WebSocketException

from floe_testing.api_errors import REQUEST_TIMEOUT, explain
from floe_testing.clients import kube
from floe_testing.errors import FloeTestingError
from floe_testing.podstream import PodRefusedError, PodStream, pump

if TYPE_CHECKING:
    from kubernetes.client import V1Pod, V1ServicePort

LOCALHOST: Final = "127.0.0.1"
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing is a reset, which no client takes for the end of an answer."""


class PortForwardError(FloeTestingError):
    """A port-forward can't be made: the message tells what the cluster lacks or refused."""


@dataclass(frozen=True)
class Backend:
    """A port of a Kubernetes Service, and the API that leads to its pods."""

    api: CoreV1Api
    namespace: str
    service: str
    port: int

    def __str__(self) -> str:
        """Return Service, port and namespace, for messages."""
        return f"port {self.port} of Service {self.service} in namespace {self.namespace}"

    def check(self) -> None:
        """Make sure that there is such a port; whether a pod is ready is asked for each connection.

        Raises:
            PortForwardError: There is none, or the cluster can't be asked.
        """
        try:
            self._find_port()
        except (ApiException, HTTPError) as error:
            message = f"{self}: {explain(error)}"
            raise PortForwardError(message) from error

    def connect(self) -> PodStream:
        """Open a connection to a pod that is ready.

        Raises:
            PortForwardError: There is none, or the cluster refuses.
        """
        try:
            selector, port = self._find_port()
            pod = self._ready_pod(selector)
            # The function that opens WebSockets changes its client for a moment: each thread needs its own.
            api = CoreV1Api(ApiClient(self.api.api_client.configuration))
            opened = stream(
                api.connect_get_namespaced_pod_portforward,
                pod.metadata.name,
                self.namespace,
                ports=_target(pod, port),
                _preload_content=False,
            )
        except (ApiException, HTTPError) as error:
            message = f"{self}: {explain(error)}"
            raise PortForwardError(message) from error
        return PodStream(opened.sock)

    def _find_port(self) -> tuple[str, V1ServicePort]:
        """Return the Service's label selector, and its port."""
        spec = self.api.read_namespaced_service(self.service, self.namespace, _request_timeout=REQUEST_TIMEOUT).spec
        found = [port for port in spec.ports or () if port.port == self.port]
        if not found:
            message = f"{self}: it has no such port, but {[port.port for port in spec.ports or ()]}"
            raise PortForwardError(message)
        if not spec.selector:
            message = f"{self}: it selects no pods"
            raise PortForwardError(message)
        return ",".join(f"{key}={value}" for key, value in spec.selector.items()), found[0]

    def _ready_pod(self, selector: str) -> V1Pod:
        pods = self.api.list_namespaced_pod(
            self.namespace, label_selector=selector, _request_timeout=REQUEST_TIMEOUT
        ).items
        for pod in pods:
            conditions = {each.type: each.status for each in pod.status.conditions or ()}
            if conditions.get("Ready") == "True" and not pod.metadata.deletion_timestamp:
                return pod
        states = ", ".join(f"{pod.metadata.name} is {pod.status.phase}" for pod in pods) or "there are none"
        message = f"{self}: none of its pods is ready ({states})"
        raise PortForwardError(message)


def _target(pod: V1Pod, port: V1ServicePort) -> int:
    """Return the number of the pod's port, which the Service may call by name."""
    target = port.target_port or port.port
    if str(target).isdecimal():
        return int(target)
    for container in pod.spec.containers:
        for each in container.ports or ():
            if each.name == target:
                return int(each.container_port)
    message = f"pod {pod.metadata.name} has no port called {target}"
    raise PortForwardError(message)


class PortForward:
    """A listening socket of this machine, each of whose connections leads to a ready pod of a Service."""

    def __init__(self, backend: Backend) -> None:
        """Listen on a free port.

        Raises:
            PortForwardError: There is no such port of such a Service, or the cluster can't be asked.
        """
        backend.check()
        self.backend = backend
        self.problem: str | None = None
        """Why the last connection failed that did."""
        self._open: set[socket.socket] = set()
        self._server = _Server(self)
        self.host, self.port = LOCALHOST, int(self._server.server_address[1])
        name = f"port-forward to {backend}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name=name, daemon=True).start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop listening, and end the connections that are open."""
        self._server.shutdown()
        self._server.server_close()
        for client in tuple(self._open):
            # Its thread sees the end, and closes it.
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def serve(self, client: socket.socket) -> None:
        """Forward one connection until it ends; one that can't be is reset, and the reason kept in `problem`."""
        self._open.add(client)
        try:
            with closing(self.backend.connect()) as pod:
                pump(client, pod)
        except (PortForwardError, PodRefusedError, WebSocketException, OSError) as error:
            self.problem = str(error) or type(error).__name__
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        finally:
            self._open.discard(client)
            client.close()


class PortForwards:
    """The port-forwards of this process: one for each port that was asked for, open until the session ends."""

    def __init__(self) -> None:
        """Open none yet."""
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._api: CoreV1Api | None = None
        self._open: dict[tuple[str, str, int], PortForward] = {}

    def open(self, namespace: str, service: str, port: int) -> PortForward:
        """Return the port-forward to a port of a Service, opened when it is asked for first.

        Raises:
            PortForwardError: There is no such port of such a Service, or the cluster can't be asked.
        """
        with self._lock:
            key = (namespace, service, port)
            if key not in self._open:
                backend = Backend(self._connect(), *key)
                self._open[key] = self._stack.enter_context(PortForward(backend))
            return self._open[key]

    def close(self) -> None:
        """Close them all, and forget the cluster."""
        with self._lock:
            self._stack.close()
            self._api = None
            self._open.clear()

    def _connect(self) -> CoreV1Api:
        if self._api is None:
            try:
                self._api = self._stack.enter_context(kube.connect())
            except kube.NoClusterError as error:
                raise PortForwardError(str(error)) from error
        return self._api


port_forwards: Final = PortForwards()
atexit.register(port_forwards.close)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, forward: PortForward) -> None:
        super().__init__((LOCALHOST, 0), socketserver.BaseRequestHandler)
        self._forward = forward

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as in the base class
        self._forward.serve(request)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as in the base class
        """Do nothing: the connection is closed already, by a reset where need be."""
