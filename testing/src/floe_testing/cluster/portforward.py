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
from urllib3.exceptions import HTTPError
from websocket import WebSocketException, WebSocketTimeoutException

from floe_testing.cluster import kube
from floe_testing.cluster.api_errors import REQUEST_TIMEOUT, explain
from floe_testing.cluster.podstream import LINGER, PodRefusedError, PodStream, open_websocket, pump
from floe_testing.errors import FloeTestingError, NoClusterError
from floe_testing.unpatched import clock

if TYPE_CHECKING:
    from kubernetes.client import V1Pod, V1ServicePort
    from websocket import WebSocket

LOCALHOST: Final = "127.0.0.1"
CONNECT_TIMEOUT: Final = 10.0
"""Seconds for each step of a connection to a pod, unless told otherwise."""
FRESH: Final = 1.0
"""Seconds for which a pod is taken to be ready that was."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing is a reset, which no client takes for the end of an answer."""


class PortForwardError(FloeTestingError):
    """A port-forward can't be made: the message tells what the cluster lacks or refused."""


@dataclass(frozen=True)
class Route:
    """A port of a pod that was ready when it was looked for."""

    pod: str
    port: int
    seen: float

    @property
    def is_fresh(self) -> bool:
        """Whether it was looked for only just now: a cluster itself takes a second to learn of a pod's end."""
        return clock.perf_counter() - self.seen < FRESH


@dataclass
class Backend:
    """A port of a Kubernetes Service, and the API that leads to its pods."""

    api: CoreV1Api
    namespace: str
    service: str
    port: int
    timeout: float = CONNECT_TIMEOUT
    """Seconds for each step of a connection."""
    _route: Route | None = None

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
        """Open a connection to a pod that is ready, or was a second ago.

        Raises:
            PortForwardError: There is none, or the cluster refuses or does not answer.
        """
        if self._route and self._route.is_fresh:
            with suppress(PortForwardError):
                return self._connect(self._route)
        try:
            self._route = self._find_route()
        except (ApiException, HTTPError) as error:
            message = f"{self}: {explain(error)}"
            raise PortForwardError(message) from error
        return self._connect(self._route)

    def forget(self) -> None:
        """Look for a pod anew, for the next connection: something is wrong with this one."""
        self._route = None

    def _connect(self, route: Route) -> PodStream:
        # What opens the WebSocket stands in the client's place of what sends requests: each thread needs its own.
        api = CoreV1Api(ApiClient(self.api.api_client.configuration))

        def upgrade(_: str, url: str, *, query_params: Any, headers: Any, **__: object) -> WebSocket:  # noqa: ANN401 - the client's own
            settings = api.api_client.configuration
            return open_websocket(settings, url, query_params, headers.get("authorization"), self.timeout)

        api.api_client.request = upgrade
        try:
            opened = api.connect_get_namespaced_pod_portforward(
                route.pod, self.namespace, ports=route.port, _preload_content=False
            )
        except WebSocketTimeoutException as error:
            message = f"{self}: the API did not answer for {self.timeout:g} s"
            raise PortForwardError(message) from error
        except (ApiException, HTTPError, WebSocketException, OSError) as error:
            message = f"{self}: {explain(error)}"
            raise PortForwardError(message) from error
        return PodStream(opened)

    def _find_route(self) -> Route:
        selector, port = self._find_port()
        pod = self._ready_pod(selector)
        return Route(pod.metadata.name, _target(pod, port), clock.perf_counter())

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

    def __init__(self, backend: Backend, linger: float = LINGER) -> None:
        """Listen on a free port.

        Args:
            backend: Where connections lead.
            linger: Seconds of silence after which a client that sends no more is given up.

        Raises:
            PortForwardError: There is no such port of such a Service, or the cluster can't be asked.
        """
        backend.check()
        self.backend = backend
        self.linger = linger
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
                pump(client, pod, self.linger)
        except (PortForwardError, PodRefusedError, WebSocketException, OSError) as error:
            self.problem = str(error) or type(error).__name__
            self.backend.forget()
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
            except NoClusterError as error:
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
