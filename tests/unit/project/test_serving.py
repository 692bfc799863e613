"""The servers that tests of many files answer from."""

from __future__ import annotations

import socket
from http import HTTPStatus
from pathlib import Path

import pytest
import urllib3

from serving import Handler, Server, serving

TESTS = Path(__file__).parents[2]


class Answering(Handler):
    """Answers with the connection's own options, and with what it was sent."""

    def do_GET(self) -> None:
        """Tell whether what is small is held back on this connection."""
        self.send_json(self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)

    def do_POST(self) -> None:
        """Give back what was sent."""
        self.send(self.body())

    def do_DELETE(self) -> None:
        """Refuse, as a Kubernetes API does."""
        self.send_object(HTTPStatus.FORBIDDEN)


def test_answers_are_sent_at_once() -> None:
    """An answer's body does not wait until the client has acknowledged its headers (Nagle's algorithm)."""
    with serving(Server(Answering)) as server, urllib3.PoolManager() as http:
        assert http.request("GET", server.url).json() is True


def test_one_connection_takes_many_requests() -> None:
    """What is sent with a request is read, so that the next request of its connection is understood."""
    with serving(Server(Answering)) as server, urllib3.PoolManager(maxsize=1, block=True) as http:
        said = [http.request("POST", server.url, body=text).data for text in ("one", "two")]
        refused = http.request("DELETE", server.url)
    assert said == [b"one", b"two"]
    assert (refused.status, refused.json()["message"]) == (403, "Forbidden, says the API")


def test_a_server_ends_with_its_block() -> None:
    """Nobody listens any more when the block has ended."""
    with serving(Server(Answering)) as server:
        port = server.server_port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_no_file_makes_a_server_of_its_own() -> None:
    """No other file of tests makes an HTTP server by hand."""
    by_hand = "http.server" + " import"
    found = {path.name for path in TESTS.rglob("*.py") if by_hand in path.read_text(encoding="utf-8")}
    assert found == {"serving.py"}
