"""A port-forward carries bytes as a plain connection would, whatever happens to the pods behind it."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from floe_testing.cluster import podstream
from floe_testing.cluster.portforward import PortForward, PortForwardError, port_forwards
from floe_testing.waiting.polling import PollingConfig, wait_for_condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functional.testing.forwarding import Cluster, TcpServer

MEGABYTE = 1024 * 1024
PORT = 5432


def echo(connection: socket.socket) -> None:
    """Send back what comes, until no more comes."""
    while data := connection.recv(64 * 1024):
        connection.sendall(data)


def name_yourself(name: str) -> Callable[[socket.socket], None]:
    """Return a server's function that says a name and ends."""
    return lambda connection: connection.sendall(name.encode())


def open_forward() -> PortForward:
    """Return the port-forward to the test's Service."""
    return port_forwards.open("shop", "db", PORT)


def connect(forward: PortForward) -> socket.socket:
    """Return a connection through a port-forward that waits 20 s at most."""
    return socket.create_connection((forward.host, forward.port), timeout=20)


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side ends."""
    parts = []
    while data := connection.recv(MEGABYTE):
        parts.append(data)
    return b"".join(parts)


def send_until_stuck(connection: socket.socket) -> int:
    """Send until nothing was taken for a second, or a hundred megabytes were; return how many megabytes were."""
    connection.settimeout(1.0)
    for sent in range(100):
        try:
            connection.sendall(bytes(MEGABYTE))
        except TimeoutError:
            return sent
    return 100


@pytest.fixture
def db(cluster: Cluster) -> Cluster:
    """Return a cluster with a Service that has no pods yet."""
    cluster.add_service("db", PORT)
    return cluster


def test_bytes_come_back(db: Cluster, tcp_server: TcpServer) -> None:
    """What is sent to a server that echoes comes back, again and again."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    with connect(open_forward()) as connection:
        for message in (b"\x00\xff", b"one more"):
            connection.sendall(message)
            assert connection.recv(100) == message


def test_both_sides_send_more_than_buffers_hold(db: Cluster, tcp_server: TcpServer) -> None:
    """A client that sends all it has while the answer fills every buffer is not stuck, and gets it whole."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    sent = bytes(range(256)) * (40 * MEGABYTE // 256)
    with connect(open_forward()) as connection, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(connection.sendall, sent)
        received = bytearray()
        while len(received) < len(sent):
            received += connection.recv(MEGABYTE)
        sending.result(timeout=20)
    assert received == sent


def test_connections_are_apart(db: Cluster, tcp_server: TcpServer) -> None:
    """Sixty connections at once each get back what is theirs."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    forward = open_forward()
    together = threading.Barrier(60)

    def exchange(number: int) -> bool:
        message = f"{number:06}".encode() * 5000
        with connect(forward) as connection:
            together.wait(timeout=30)
            connection.sendall(message)
            received = bytearray()
            while len(received) < len(message):
                received += connection.recv(MEGABYTE)
        return received == message

    with ThreadPoolExecutor(60) as pool:
        assert all(pool.map(exchange, range(60)))


def test_answer_after_the_last_question(db: Cluster, tcp_server: TcpServer) -> None:
    """A client that has said that it sends no more still gets the whole answer."""
    ended = threading.Event()

    def answer_late(connection: socket.socket) -> None:
        connection.recv(100)
        ended.wait(timeout=20)
        connection.sendall(b"x" * 5 * MEGABYTE)

    db.add_pod("db", "db-0", {PORT: tcp_server(answer_late)})
    with connect(open_forward()) as connection:
        connection.sendall(b"question")
        connection.shutdown(socket.SHUT_WR)
        ended.set()
        assert len(read_all(connection)) == 5 * MEGABYTE


def test_silence_after_the_last_question(db: Cluster, tcp_server: TcpServer) -> None:
    """A connection whose client sends no more, and whose pod is silent, is reset: it is not kept, nor looks whole."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    with PortForward(open_forward().backend, linger=1.0) as forward, connect(forward) as connection:
        connection.sendall(b"question")
        assert connection.recv(100) == b"question"
        connection.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
        assert forward.problem == "the client sends no more, and the pod has been silent for 1 s"


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (None, "the connection to the API was lost in the middle"),
        ((1011).to_bytes(2, "big") + b"oh no", "the API closed the connection with status 1011 oh no"),
        ((1001).to_bytes(2, "big"), "the API closed the connection with status 1001"),
    ],
)
def test_answer_that_is_cut(db: Cluster, tcp_server: TcpServer, end: bytes | None, problem: str) -> None:
    """An answer that is lost on its way ends in a reset, so that nobody takes it for the whole, and with a reason."""
    db.ends_with = end
    db.add_pod("db", "db-0", {PORT: tcp_server(lambda connection: connection.sendall(b"half"))})
    forward = open_forward()
    with connect(forward) as connection:
        with pytest.raises(ConnectionResetError):
            read_all(connection)
        assert forward.problem == problem


@pytest.mark.parametrize("end", [b"", (1000).to_bytes(2, "big"), (1000).to_bytes(2, "big") + b"bye"])
def test_answer_that_is_whole(db: Cluster, tcp_server: TcpServer, end: bytes) -> None:
    """An answer whose end the cluster calls normal ends as that of a plain connection."""
    db.ends_with = end
    db.add_pod("db", "db-0", {PORT: tcp_server(lambda connection: connection.sendall(b"whole"))})
    with connect(open_forward()) as connection:
        assert read_all(connection) == b"whole"


def test_api_that_does_not_answer(db: Cluster, tcp_server: TcpServer) -> None:
    """A connection is reset, with a reason, where the API takes the request for it and never answers."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    db.silent = threading.Event()
    backend = dataclasses.replace(open_forward().backend, timeout=1.0)
    with PortForward(backend) as forward, connect(forward) as connection:
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        assert forward.problem == "port 5432 of Service db in namespace shop: the API did not answer for 1 s"
    db.silent.set()


def test_many_connections_ask_little(db: Cluster, tcp_server: TcpServer) -> None:
    """The Service and its pods are not asked for with each connection of many."""
    db.add_pod("db", "db-0", {PORT: tcp_server(name_yourself("db"))})
    forward = open_forward()
    begun, before = time.monotonic(), len(db.asked)
    for _ in range(50):
        with connect(forward) as connection:
            assert read_all(connection) == b"db"
    seconds = time.monotonic() - begun
    assert len(db.forwarded) == 50
    assert len(db.asked) - before <= 50 + 2 * (1 + seconds)


def test_pod_that_ends_first(db: Cluster, tcp_server: TcpServer) -> None:
    """A server that answers and closes is read to its end."""
    db.add_pod("db", "db-0", {PORT: tcp_server(lambda connection: connection.sendall(b"y" * 5 * MEGABYTE))})
    with connect(open_forward()) as connection:
        assert len(read_all(connection)) == 5 * MEGABYTE


def test_client_that_reads_late(db: Cluster, tcp_server: TcpServer) -> None:
    """What the pod sent before it ended is kept for a client that has not read it yet."""
    db.add_pod("db", "db-0", {PORT: tcp_server(lambda connection: connection.sendall(b"z" * 900_000))})
    # A pair whose buffers hold less than that, as those of TCP need not.
    mine, theirs = socket.socketpair()
    mine.settimeout(20)
    with mine, theirs, closing(open_forward().backend.connect()) as pod, ThreadPoolExecutor(1) as pool:
        pumping = pool.submit(podstream.pump, theirs, pod)
        wait_for_condition(lambda: db.ended == ["db-0"], PollingConfig(timeout=10, interval=0.1))
        received = bytearray()
        while len(received) < 900_000 and (data := mine.recv(MEGABYTE)):
            received += data
            if pumping.done():
                theirs.close()
        assert len(received) == 900_000
        pumping.result(timeout=10)


def test_pod_that_does_not_read(db: Cluster, tcp_server: TcpServer) -> None:
    """A client that sends to a pod that doesn't read has to wait in the end: nothing piles up here."""
    done = threading.Event()
    db.add_pod("db", "db-0", {PORT: tcp_server(lambda _: bool(done.wait(timeout=30)))})
    with connect(open_forward()) as connection:
        assert send_until_stuck(connection) < 100
    done.set()


def test_client_that_does_not_read(db: Cluster, tcp_server: TcpServer) -> None:
    """A pod that sends to a client that doesn't read has to wait in the end: nothing piles up here."""
    stuck: Queue[int] = Queue()
    db.add_pod("db", "db-0", {PORT: tcp_server(lambda connection: stuck.put(send_until_stuck(connection)))})
    with connect(open_forward()):
        assert stuck.get(timeout=30) < 100


def test_pod_is_replaced(db: Cluster, tcp_server: TcpServer) -> None:
    """The next connection after a pod was replaced leads to its successor, through the same port."""
    db.add_pod("db", "db-0", {PORT: tcp_server(name_yourself("first"))})
    forward = open_forward()
    with connect(forward) as connection:
        assert read_all(connection) == b"first"
    db.remove_pod("db-0")
    db.add_pod("db", "db-1", {PORT: tcp_server(name_yourself("second"))})
    with connect(forward) as connection:
        assert read_all(connection) == b"second"
    assert [pod for pod, _ in db.forwarded] == ["db-0", "db-1"]


def test_no_pod_for_a_while(db: Cluster, tcp_server: TcpServer) -> None:
    """Where no pod is ready the connection is reset and the reason kept; the next one finds the pod that is."""
    db.add_pod("db", "db-0", {PORT: tcp_server(name_yourself("too early"))}, ready=False)
    forward = open_forward()
    with connect(forward) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert forward.problem == ("port 5432 of Service db in namespace shop: none of its pods is ready (db-0 is Running)")
    db.add_pod("db", "db-1", {PORT: tcp_server(name_yourself("ready"))})
    with connect(forward) as connection:
        assert read_all(connection) == b"ready"


def test_pod_that_is_going_away(db: Cluster, tcp_server: TcpServer) -> None:
    """A pod that is being deleted gets no connection, though it still says that it is ready."""
    db.add_pod("db", "db-0", {PORT: tcp_server(name_yourself("going"))})
    db.objects["pods"]["items"][0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    db.add_pod("db", "db-1", {PORT: tcp_server(name_yourself("staying"))})
    with connect(open_forward()) as connection:
        assert read_all(connection) == b"staying"


def test_port_called_by_name(db: Cluster, tcp_server: TcpServer) -> None:
    """A Service that names its pods' port leads to the number that each pod gives the name."""
    db.add_service("db", PORT, target="main")
    db.add_pod("db", "db-0", {6000: tcp_server(name_yourself("named"))})
    with connect(open_forward()) as connection:
        assert read_all(connection) == b"named"
    assert db.forwarded == [("db-0", 6000)]


def test_nobody_listens_in_the_pod(db: Cluster) -> None:
    """A pod on whose port nobody listens resets the connection, and the cluster's own words are kept."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        db.add_pod("db", "db-0", {PORT: unused.getsockname()})
        forward = open_forward()
        with connect(forward) as connection, pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert forward.problem == "pod db-0: Connection refused"


def test_cluster_refuses(db: Cluster, tcp_server: TcpServer) -> None:
    """A port-forward that the API forbids says so in the API's own words."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    db.objects["pods/db-0/portforward"] = HTTPStatus.FORBIDDEN
    forward = open_forward()
    with connect(forward) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert forward.problem == "port 5432 of Service db in namespace shop: Forbidden, says the API"


def test_ping_is_answered(db: Cluster, tcp_server: TcpServer) -> None:
    """A ping of the API server is answered with its own text, and is no data."""
    db.pings = b"still there?"
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    with connect(open_forward()) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        wait_for_condition(lambda: ("still there?", 0) in db.forwarded, PollingConfig(timeout=10, interval=0.1))


@pytest.mark.usefixtures("cluster")
def test_service_that_is_not_there() -> None:
    """A Service that is not there is told before anything listens."""
    with pytest.raises(PortForwardError, match=r"^port 5432 of Service db in namespace shop: Not Found, says the API$"):
        open_forward()


def test_port_that_the_service_lacks(cluster: Cluster) -> None:
    """A port that the Service lacks is answered with those that it has."""
    cluster.add_service("db", 5433)
    with pytest.raises(PortForwardError, match=r"it has no such port, but \[5433\]"):
        open_forward()


def test_service_without_pods_of_its_own(db: Cluster) -> None:
    """A Service that selects no pods can't be forwarded to."""
    db.objects["services/db"]["spec"]["selector"] = None
    with pytest.raises(PortForwardError, match="it selects no pods"):
        open_forward()


@pytest.mark.usefixtures("db")
def test_one_port_for_all_who_ask() -> None:
    """Whoever asks for a port of a Service gets the same port-forward, also when they ask at once."""
    with ThreadPoolExecutor(8) as pool:
        assert len({forward.port for forward in pool.map(lambda _: open_forward(), range(8))}) == 1


def test_end_of_the_session(db: Cluster, tcp_server: TcpServer) -> None:
    """Closing ends what is open and what listens; who asks afterwards gets a new one."""
    db.add_pod("db", "db-0", {PORT: tcp_server(echo)})
    forward = open_forward()
    with connect(forward) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        port_forwards.close()
        assert connection.recv(100) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(forward)
    with connect(open_forward()) as connection:
        connection.sendall(b"again")
        assert connection.recv(100) == b"again"
