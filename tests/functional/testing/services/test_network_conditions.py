"""Conditions of the network, against sockets of this machine."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from floe_testing import Unmet
from floe_testing.conditions import dns_resolves, http_ok, tcp_open
from floe_testing.waiting.polling import HopelessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.testing.answering import Answers

pytestmark = pytest.mark.requirement("REQ-643")


@pytest.fixture
def free_port() -> int:
    """Return a port on which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def one_connection(greeting: bytes, *, hang_up: bool) -> Iterator[int]:
    """Yield a port whose one connection is greeted, and then reset or left open."""
    over = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with closing(connection):
                connection.sendall(greeting)
                if hang_up:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    over.wait(5)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


@pytest.mark.requirement("REQ-642.3")
def test_open_port(server: Answers) -> None:
    """A port on which somebody listens is open."""
    assert tcp_open("127.0.0.1", server.port)() is True


def test_port_without_a_listener(free_port: int) -> None:
    """A port on which nobody listens is not open, and the state says how the connection failed."""
    assert "ConnectionRefusedError" in repr(tcp_open("127.0.0.1", free_port)())


def test_port_of_a_host_that_is_unknown() -> None:
    """A host that has no address has no open port, and may have one later."""
    assert "gaierror" in repr(tcp_open("nobody.invalid", 80)())


@pytest.mark.parametrize(
    ("greeting", "hang_up", "is_open"), [(b"", True, False), (b"", False, True), (b"220 hello", False, True)]
)
def test_connection_that_must_last(greeting: bytes, hang_up: bool, is_open: bool) -> None:  # noqa: FBT001 - parameters
    """Where a connection must last, a port that takes it only to close it is not open."""
    with one_connection(greeting, hang_up=hang_up) as port:
        assert bool(tcp_open("127.0.0.1", port, settle=5.0 if hang_up else 0.3)()) is is_open


def test_name_that_resolves() -> None:
    """A name that has addresses resolves, and gives each of them once."""
    found = dns_resolves("localhost")()
    assert isinstance(found, tuple)
    assert "127.0.0.1" in found
    assert len(set(found)) == len(found)


def test_name_that_does_not_resolve() -> None:
    """A name that has no address doesn't resolve, and the state says why."""
    assert "gaierror" in repr(dns_resolves("nobody.invalid")())


@pytest.mark.requirement("REQ-642.3")
def test_url_that_answers(server: Answers) -> None:
    """A URL that answers with success is well, and gives its status."""
    server.objects["/health"] = "well"
    assert http_ok(f"{server.url}/health")() == 200


def test_url_that_fails(server: Answers) -> None:
    """A URL that answers with another status is not well; the state has the status and what was said."""
    server.objects["/health"] = HTTPStatus.SERVICE_UNAVAILABLE
    assert repr(http_ok(f"{server.url}/health")()) == 'HTTP 503 Service Unavailable: {"kind": "Status"}'


def test_url_with_another_status(server: Answers) -> None:
    """Which statuses are well is the caller's to say."""
    assert http_ok(f"{server.url}/nothing", statuses=range(400, 500))() == 404


def test_url_that_redirects(server: Answers) -> None:
    """A redirect is an answer like any other, and is not followed."""
    server.objects |= {"/old": HTTPStatus.FOUND, "/elsewhere": "well"}
    assert repr(http_ok(f"{server.url}/old")()).startswith("HTTP 302 Found")
    assert server.asked == ["/old"]


def test_url_nobody_listens_to(free_port: int) -> None:
    """A URL to which nobody listens doesn't answer yet."""
    assert "Connection refused" in repr(http_ok(f"http://127.0.0.1:{free_port}/")())


def test_url_that_hangs() -> None:
    """A server that takes the request and says nothing is given up when the look's time is over."""
    with one_connection(b"", hang_up=False) as port:
        seen = http_ok(f"http://127.0.0.1:{port}/", probe=0.3)()
    assert isinstance(seen, Unmet)
    assert "timed out" in seen.state.lower()


@pytest.mark.parametrize("wrong", ["localhost:80/health", "ftp://localhost/", "http://"])
def test_url_that_is_none(wrong: str) -> None:
    """What can't be asked at all is hopeless, and the message shows it."""
    with pytest.raises(HopelessError, match="is no URL that can be asked"):
        http_ok(wrong)()
