"""One connection to a port of a pod: a WebSocket of the Kubernetes API, which is never waited for alone.

The API client's own `PortForward` is not used: it blocks in sending, and so stops for good where both sides send more
than the buffers hold (of 100 MB to a server that echoes them, 4 MB come back); and it drops the rest of an answer when
the client says that it will send no more.
"""

from __future__ import annotations

import selectors
import ssl
from ssl import SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, Any, Final, TypeVar

import certifi
from kubernetes.stream.ws_client import get_websocket_url, websocket_proxycare
from websocket import ABNF, WebSocket, WebSocketConnectionClosedException

from floe_testing.errors import FloeTestingError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from kubernetes.client import Configuration

T = TypeVar("T")
U = TypeVar("U")

_DATA: Final = 0
_ERROR: Final = 1
"""The channels of the one port: the first byte of each frame."""
_CHUNK: Final = 64 * 1024
_LIMIT: Final = 1024 * 1024
"""Bytes on their way to the client at most; beyond, the pod has to wait."""
_NORMAL: Final = 1000
"""The status of a WebSocket whose both sides have said what they had to."""
LINGER: Final = 30.0
"""Seconds of silence after which a client that sends no more is given up.

The protocol can't tell the pod that the client sends no more, so the pod's own end may never come; and whether the
client is gone or waits for an answer can't be seen from here.
"""
_WOULD_BLOCK: Final = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class PodRefusedError(FloeTestingError):
    """The pod's port can't be reached: the message is the cluster's own."""


def open_websocket(
    settings: Configuration, url: str, query: Sequence[tuple[str, object]], credential: str | None, timeout: float
) -> WebSocket:
    """Open a WebSocket of the Kubernetes API.

    The API client's own function for it waits for ever where nobody answers.

    Args:
        settings: What the API client was made with.
        url: The address, as for HTTP.
        query: Its query, as pairs.
        credential: What goes into the header `authorization`.
        timeout: Seconds for each step of the way there.

    Raises:
        websocket.WebSocketException: The server refuses, or does not answer in time.
        OSError: It can't be reached.
    """
    options: dict[str, Any] = {"timeout": timeout, "header": ["sec-websocket-protocol: v4.channel.k8s.io"]}
    if credential:
        options["header"].append(f"authorization: {credential}")
    if settings.proxy or settings.proxy_headers:
        options = websocket_proxycare(options, settings, url, None)
    # Untyped methods, as the library has them.
    websocket: Any = WebSocket(sslopt=_tls(settings), skip_utf8_validation=True)
    websocket.connect(get_websocket_url(url, query), **options)
    opened: WebSocket = websocket
    return opened


def _tls(settings: Configuration) -> dict[str, Any]:
    """Return what the API client would do for TLS, as the WebSocket library takes it."""
    if not settings.verify_ssl:
        options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    else:
        options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": settings.ssl_ca_cert or certifi.where()}
        if settings.assert_hostname is not None:
            options["check_hostname"] = settings.assert_hostname
    given = {"certfile": settings.cert_file, "keyfile": settings.key_file, "server_hostname": settings.tls_server_name}
    return options | {name: value for name, value in given.items() if value}


class PodStream:
    """The bytes of one connection, in frames."""

    def __init__(self, websocket: WebSocket) -> None:
        """Take over an open WebSocket."""
        # Untyped methods, as the library has them.
        self._websocket: Any = websocket
        self._websocket.settimeout(0)
        self._socket: Any = websocket.sock
        self._announced: set[int] = set()
        self.outgoing = bytearray()
        """Frames on their way to the pod."""

    def fileno(self) -> int:
        """Return the socket's number, to wait for."""
        return int(self._socket.fileno())

    def put(self, data: bytes) -> None:
        """Take bytes for the pod; `flush` sends them."""
        self.outgoing += ABNF.create_frame(bytes([_DATA]) + data, ABNF.OPCODE_BINARY).format()

    def flush(self) -> int:
        """Send what can be sent now, and return how many bytes that were."""
        sent = _unless_blocked(self._socket.send, self.outgoing) or 0 if self.outgoing else 0
        del self.outgoing[:sent]
        return sent

    def receive(self) -> bytes | None:
        """Return the data of the next frame, empty if it has none; `None` when no frame is there yet.

        Raises:
            EOFError: The pod sends no more.
            ConnectionResetError: The connection was lost, or closed for another reason: more might have come.
            PodRefusedError: The cluster says why the pod's port can't be reached.
        """
        try:
            frame = self._websocket.recv_frame()
        except _WOULD_BLOCK:
            return None
        except WebSocketConnectionClosedException:
            message = "the connection to the API was lost in the middle"
            raise ConnectionResetError(message) from None
        if frame.opcode == ABNF.OPCODE_CLOSE:
            status = int.from_bytes(frame.data[:2], "big") if frame.data else _NORMAL
            if status != _NORMAL:
                message = (
                    f"the API closed the connection with status {status} {frame.data[2:].decode(errors='replace')}"
                )
                raise ConnectionResetError(message.rstrip())
            raise EOFError
        if frame.opcode == ABNF.OPCODE_PING:
            self.outgoing += ABNF.create_frame(frame.data, ABNF.OPCODE_PONG).format()
        if frame.opcode != ABNF.OPCODE_BINARY or not frame.data:
            return b""
        channel = frame.data[0]
        if channel not in self._announced:
            # A channel's first frame is the number of its port.
            self._announced.add(channel)
            return b""
        if channel == _ERROR:
            raise PodRefusedError(frame.data[1:].decode(errors="replace").strip())
        return bytes(frame.data[1:])

    def close(self) -> None:
        """Close the WebSocket."""
        self._websocket.shutdown()


def pump(client: socket.socket, pod: PodStream, linger: float = LINGER) -> None:
    """Carry bytes both ways until the pod has ended and the client has all that was on its way.

    Args:
        client: The other end.
        pod: The connection to the pod.
        linger: Seconds of silence after which a client that sends no more is given up.

    Raises:
        OSError: A side was lost, or the client was given up: what it has read may be less than the pod's answer.
        PodRefusedError: The cluster says why the pod's port can't be reached.
    """
    client.settimeout(0)
    incoming = bytearray()
    client_ended = pod_ended = False
    while incoming or not pod_ended:
        moved = 0
        if not pod_ended and len(incoming) < _LIMIT:
            try:
                frame = pod.receive()
            except EOFError:
                pod_ended = True
                continue
            moved += frame is not None
            incoming += frame or b""
        if incoming:
            sent = _unless_blocked(client.send, incoming) or 0
            del incoming[:sent]
            moved += sent
        if not client_ended and not pod.outgoing:
            data = _unless_blocked(client.recv, _CHUNK)
            client_ended = data == b""
            moved += data is not None
            if data:
                pod.put(data)
        moved += pod.flush()
        if not moved and not _wait(
            {
                pod: selectors.EVENT_READ * (not pod_ended and len(incoming) < _LIMIT)
                | selectors.EVENT_WRITE * bool(pod.outgoing),
                client: selectors.EVENT_READ * (not client_ended and not pod.outgoing)
                | selectors.EVENT_WRITE * bool(incoming),
            },
            linger if client_ended else None,
        ):
            message = f"the client sends no more, and the pod has been silent for {linger:g} s"
            raise TimeoutError(message)


def _unless_blocked(call: Callable[[U], T], argument: U) -> T | None:
    """Return what a call of a socket that never waits returns; `None` where it would have to wait."""
    try:
        return call(argument)
    except _WOULD_BLOCK:
        return None


def _wait(wanted: Mapping[socket.socket | PodStream, int], timeout: float | None) -> bool:
    """Wait until a side can read or write as wanted; tell whether one can."""
    with selectors.DefaultSelector() as selector:
        for side, events in wanted.items():
            if events:
                selector.register(side, events)
        return bool(selector.select(timeout))
