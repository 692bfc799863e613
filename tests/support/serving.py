"""Servers of tests on the loopback: real HTTP, of which a test says what is answered; as a Kubernetes API too."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socketserver
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOST = "127.0.0.1"
S = TypeVar("S", bound="socketserver.BaseServer")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What RFC 6455 has a server add to the client's key."""


class Handler(BaseHTTPRequestHandler):
    """Answers requests; a subclass has the methods `do_GET` and so on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait until the client has acknowledged the headers

    def body(self) -> bytes:
        """Return what was sent with the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(
        self, body: bytes | str = b"", status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer."""
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_json(self, what: object, status: int = HTTPStatus.OK) -> None:
        """Send data as JSON."""
        self.send(json.dumps(what), status, {"Content-Type": "application/json"})

    def send_object(self, what: object) -> None:
        """Send what a Kubernetes API would: an object as JSON, a text as it is, and a status as its refusal."""
        from kubernetes.client import ApiClient  # noqa: PLC0415 - most servers are none

        if isinstance(what, str):
            self.send(what, headers={"Content-Type": "text/plain"})
        elif isinstance(what, HTTPStatus):
            self.send_json({"kind": "Status", **self.reason(what)}, what)
        else:
            self.send_json(ApiClient().sanitize_for_serialization(what))

    def reason(self, status: HTTPStatus) -> Mapping[str, object]:
        """Return what a refusal says besides, as fields of its object."""
        return {"code": status, "message": f"{status.phrase}, says the API"}

    def become_websocket(self, headers: Mapping[str, str] | None = None) -> None:
        """Agree to speak the protocol of WebSockets from now on, to the end of the connection."""
        key = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + _MAGIC).digest()  # noqa: S324 - as RFC 6455 has it
        agreed = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(key).decode(),
        }
        self.close_connection = True
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        for name, value in {**agreed, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


class Server(ThreadingHTTPServer):
    """A server on a free port, or on the one that is named, each connection in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        """Listen."""
        super().__init__((HOST, port), handler)

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://{HOST}:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of an answer that a client breaks off."""


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Run a server while the block lasts."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=10)


def write_kubeconfig(file: Path, url: str) -> Path:
    """Write a kubeconfig whose cluster is this server, and return where it is."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "users": [{"name": "fake", "user": {}}],
        "current-context": "fake",
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    return file
