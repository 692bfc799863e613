"""One connection to a port of a pod: a WebSocket of the Kubernetes API, which is never waited for alone.

The API client's own `PortForward` is not used: it blocks in sending, and so stops for good where both sides send more
than the buffers hold (of 100 MB to a server that echoes them, 4 MB come back); and it drops the rest of an answer when
the client says that it will send no more.
"""

from __future__ import annotations

import selectors
from ssl import SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, Any, Final, TypeVar

from websocket import ABNF, WebSocketConnectionClosedException

from floe_testing.errors import FloeTestingError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from websocket import WebSocket

T = TypeVar("T")
U = TypeVar("U")

_DATA: Final = 0
_ERROR: Final = 1
"""The channels of the one port: the first byte of each frame."""
_CHUNK: Final = 64 * 1024
_LIMIT: Final = 1024 * 1024
"""Bytes on their way to the client at most; beyond, the pod has to wait."""
LINGER: Final = 5.0
"""Seconds of silence after which a client that sends no more is taken to be gone.

The protocol can't tell the pod that the client sends no more, so the pod's own end may never come.
"""
_WOULD_BLOCK: Final = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class PodRefusedError(FloeTestingError):
    """The pod's port can't be reached: the message is the cluster's own."""


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
            PodRefusedError: The cluster says why the pod's port can't be reached.
        """
        try:
            frame = self._websocket.recv_frame()
        except _WOULD_BLOCK:
            return None
        except WebSocketConnectionClosedException:
            raise EOFError from None
        if frame.opcode == ABNF.OPCODE_CLOSE:
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


def pump(client: socket.socket, pod: PodStream) -> None:
    """Carry bytes both ways until one side has ended and the other has all that was on its way.

    Raises:
        OSError: A side was lost.
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
            LINGER if client_ended else None,
        ):
            return


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
