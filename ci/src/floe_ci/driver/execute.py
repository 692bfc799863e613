"""A command in a container: what it prints as it comes, binary, and how it ended.

The Kubernetes client has this too, but knows no time limit for the connection, exchanges the request function of a
client that others use at the same time, and waits in vain for what TLS has decrypted already.
"""

from __future__ import annotations

import json
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import websocket
from requests.utils import should_bypass_proxies

from floe_ci.driver.apis import message_of
from floe_ci.driver.poll import Stopped

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from kubernetes.client import ApiClient

    from floe_ci.driver.apis import Apis

PROTOCOL: Final = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
"""The channels of a connection; each message begins with its channel's number."""
CONNECT: Final = 10.0
"""Seconds until the command must have begun."""
SILENCE: Final = 60.0
"""Seconds without a byte after which a connection counts as lost."""
GLANCE: Final = 0.25
"""Seconds between two glances at whether to stop."""
FRAME: Final = 32 * 1024
"""Bytes of a command's input that are sent at once."""
MOST_SAID: Final = 64 * 1024
"""Bytes of its errors that are kept."""


class Broken(Exception):  # noqa: N818 - whoever runs the command may try again
    """The connection could not be made, or ended before the command had."""


class NotBegun(Broken):
    """The command could not be begun, which may be otherwise in a moment."""


@dataclass(frozen=True)
class Container:
    """A container of a pod, in which commands can be run."""

    apis: Apis
    namespace: str
    pod: str
    name: str


class Execution:
    """A command that runs in a container for as long as this is open."""

    def __init__(self, container: Container) -> None:
        """Prepare; nothing runs yet."""
        self._container = container
        self._stderr = bytearray()
        self._status: bytes | None = None
        self.received = 0
        """Bytes of its output that came."""

    def open(self, command: Sequence[str], given: bytes = b"") -> Self:
        """Begin the command.

        Args:
            command: The command, which has to know where what it is given ends: its input stays open.
            given: What comes on its standard input.

        Raises:
            NotBegun: The cluster refuses, or does not answer.
            Broken: There is no such container, or it did not take what it was given.
        """
        url, options = connection(self._container, command, stdin=bool(given))
        self._socket = websocket.WebSocket(sslopt=options.pop("sslopt"), skip_utf8_validation=True)
        try:
            self._socket.connect(url, timeout=CONNECT, **options)  # type: ignore[no-untyped-call]  # the library's
        except websocket.WebSocketBadStatusException as error:
            said = message_of(getattr(error, "resp_body", None)) or str(error)
            msg = f"the cluster refused to run a command: {said}"
            raise (Broken if error.status_code == HTTPStatus.NOT_FOUND else NotBegun)(msg) from error
        except (websocket.WebSocketException, OSError) as error:
            msg = f"no connection for a command: {error}"
            raise NotBegun(msg) from error
        try:
            for begin in range(0, len(given), FRAME):
                self._socket.send_binary(bytes((STDIN,)) + given[begin : begin + FRAME])
        except (websocket.WebSocketException, OSError) as error:
            msg = f"the connection was lost: {error}"
            raise Broken(msg) from error
        self._socket.settimeout(GLANCE)
        return self

    def __enter__(self) -> Self:
        """Leave the end to a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection; the command is ended by the cluster, if it still runs."""
        with suppress(websocket.WebSocketException, OSError):
            self._socket.shutdown()  # type: ignore[no-untyped-call]  # the library's

    def output(self, *, until: float, stop: threading.Event | None = None) -> Iterator[bytes]:
        """Yield what the command prints, to its end.

        Args:
            until: The time of `time.monotonic` at which it must have ended.
            stop: Ends it when it is set.

        Raises:
            Broken: The connection was lost, was silent for too long, or the command took too long.
            Stopped: It was told to stop.
        """
        heard = time.monotonic()
        while self._status is None:
            if stop and stop.is_set():
                raise Stopped
            now = time.monotonic()
            if now >= until or now - heard >= SILENCE:
                msg = "it took too long" if now >= until else f"not a byte came for {SILENCE:g} s"
                raise Broken(msg)
            try:
                code, frame = self._socket.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                continue
            except (websocket.WebSocketException, OSError) as error:
                msg = f"the connection was lost: {error}"
                raise Broken(msg) from error
            heard = time.monotonic()
            if code == websocket.ABNF.OPCODE_CLOSE:
                msg = "the connection was closed before the command had ended"
                raise Broken(msg)
            if code in {websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT} and frame.data:
                yield from self._take(frame.data)

    @property
    def errors(self) -> str:
        """What the command said on its standard error, the first of it."""
        return self._stderr.decode(errors="replace").strip()

    @property
    def exit_code(self) -> int:
        """How the command ended.

        Raises:
            Broken: It didn't: the cluster could not run it, or says nothing of its end.
        """
        try:
            status = json.loads(self._status or "")
        except ValueError as error:
            msg = "the cluster does not say how the command ended"
            raise Broken(msg) from error
        if status.get("status") == "Success":
            return 0
        causes = (status.get("details") or {}).get("causes") or ()
        codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
        if not codes:
            msg = f"the cluster could not run the command: {status.get('message')}"
            raise Broken(msg)
        return int(codes[0])

    def _take(self, data: bytes) -> Iterator[bytes]:
        channel, payload = data[0], data[1:]
        if channel == STATUS:
            self._status = (self._status or b"") + payload
        elif channel == STDERR:
            self._stderr += payload[: MOST_SAID - len(self._stderr)]
        elif channel == STDOUT and payload:
            self.received += len(payload)
            yield payload


def run(
    container: Container,
    command: Sequence[str],
    given: bytes = b"",
    *,
    timeout: float,
    stop: threading.Event | None = None,
) -> None:
    """Run a command whose output is of no interest; it may be given something on its standard input.

    Raises:
        Broken: It could not be run to its end, or failed.
        Stopped: It was told to stop.
    """
    with Execution(container).open(command, given) as running:
        for _ in running.output(until=time.monotonic() + timeout, stop=stop):
            pass
        if running.exit_code:
            msg = f"it ended with exit code {running.exit_code}: {running.errors}"
            raise Broken(msg)


def output_of(
    container: Container, command: Sequence[str], *, timeout: float, stop: threading.Event | None = None
) -> bytes:
    """Return what a command prints.

    Raises:
        Broken: It could not be run to its end, or failed.
        Stopped: It was told to stop.
    """
    with Execution(container).open(command) as running:
        said = b"".join(running.output(until=time.monotonic() + timeout, stop=stop))
        if running.exit_code:
            msg = f"it ended with exit code {running.exit_code}: {running.errors}"
            raise Broken(msg)
        return said


def connection(container: Container, command: Sequence[str], *, stdin: bool = False) -> tuple[str, dict[str, Any]]:
    """Return the address of a command's connection, and how to connect: credentials, certificates and proxy."""
    api_client = container.apis.api_client
    settings = api_client.configuration
    headers: dict[str, str] = {}
    query = [("container", container.name), ("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if stdin else []
    query += [("command", each) for each in command]
    path = f"/api/v1/namespaces/{container.namespace}/pods/{container.pod}/exec"
    api_client.update_params_for_auth(headers, query, ["BearerToken"])
    address = urlsplit(settings.host + path)
    scheme = "wss" if address.scheme == "https" else "ws"
    url = urlunsplit(address._replace(scheme=scheme, query=urlencode(query)))
    options: dict[str, Any] = {
        "header": {**headers, "Sec-WebSocket-Protocol": PROTOCOL},
        "sslopt": tls(api_client) if scheme == "wss" else {},
        "http_no_proxy": ["*"],
    }
    if settings.proxy and not should_bypass_proxies(settings.host, no_proxy=settings.no_proxy or ""):
        proxy = urlsplit(settings.proxy)
        auth = (proxy.username, proxy.password) if proxy.username else None
        del options["http_no_proxy"]
        options |= {
            "http_proxy_host": proxy.hostname,
            "http_proxy_port": proxy.port or (443 if proxy.scheme == "https" else 80),
            "http_proxy_auth": auth,
            "proxy_type": "http",
        }
    return url, options


def tls(api_client: ApiClient) -> dict[str, Any]:
    """Return how the cluster proves who it is, and how we do."""
    settings = api_client.configuration
    options = {
        "cert_reqs": ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE,
        "check_hostname": settings.verify_ssl and settings.assert_hostname is not False,
        "ca_certs": settings.ssl_ca_cert,
        "certfile": settings.cert_file,
        "keyfile": settings.key_file,
        "server_hostname": settings.tls_server_name,
    }
    return {name: value for name, value in options.items() if value is not None}
