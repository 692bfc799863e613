"""Services that a test needs are looked at before it starts; what is missing fails it, in one message."""

from __future__ import annotations

import re
import socket
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from floe_testing.services import ServiceHealth, ServiceRequirement, check_service_health, require_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functional.testing.forwarding import Cluster, TcpServer

pytestmark = [pytest.mark.requirement("REQ-642", "T014", "T015")]


def say_nothing(connection: socket.socket) -> None:
    """Serve a connection until its client ends it."""
    connection.recv(1)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch, tcp_server: TcpServer) -> ServiceRequirement:
    """Return a service that takes connections, and that the environment describes."""
    host, port = tcp_server(say_nothing)
    monkeypatch.setenv("FLOE_ORDERS_HOST", host)
    monkeypatch.setenv("FLOE_ORDERS_PORT", str(port))
    return ServiceRequirement(name="orders", port=8080)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceRequirement]:
    """Yield a service that the environment describes, on a port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FLOE_SILENT_HOST", "127.0.0.1")
        monkeypatch.setenv("FLOE_SILENT_PORT", str(unused.getsockname()[1]))
        yield ServiceRequirement(name="silent", port=80)


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch, silent: ServiceRequirement) -> str:
    """Return the address of a PostgreSQL that the environment describes, where nobody listens."""
    assert silent
    port = str(check_service_health(silent).address).split(":")[1].split(" ")[0]
    for end, value in {"HOST": "127.0.0.1", "PORT": port, "USER": "a", "PASSWORD": "b", "DATABASE": "c"}.items():
        monkeypatch.setenv(f"FLOE_POSTGRES_{end}", value)
    return f"127.0.0.1:{port}"


def refused(*requirements: ServiceRequirement | str, timeout: float = 1.0) -> list[str]:
    """Return the lines with which a test fails that requires these services."""
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as raised:
        require_services(*requirements, timeout=timeout)
    assert isinstance(raised.value, pytest.fail.Exception), "a missing service is no reason to skip"
    assert raised.value.pytrace is False
    return str(raised.value).splitlines()


def test_service_that_takes_connections(orders: ServiceRequirement) -> None:
    """A service that takes connections is healthy, and it is told where and how it was found."""
    health = check_service_health(orders)
    assert health.healthy
    assert str(health.address).endswith("(environment)")
    assert health.state == "it takes connections"


def test_service_that_refuses_connections(silent: ServiceRequirement) -> None:
    """A service where nobody listens is unhealthy, which is an answer and no exception."""
    health = check_service_health(silent)
    assert not health.healthy
    assert "Connection refused" in health.state


def test_registered_service_is_asked_in_its_language(postgres: str) -> None:
    """A registered service is asked by its own client, whose words are the state."""
    health = check_service_health("postgres")
    assert (health.healthy, health.address) == (False, postgres)
    assert health.state.startswith("OperationalError: ")
    assert "\n" not in health.state


def test_server_that_speaks_something_else(
    monkeypatch: pytest.MonkeyPatch, tcp_server: TcpServer, postgres: str
) -> None:
    """An open port is not enough for a registered service: what listens has to speak its language."""
    assert postgres
    _, port = tcp_server(lambda connection: connection.sendall(b"hello, I am no database\n"))
    monkeypatch.setenv("FLOE_POSTGRES_PORT", str(port))
    assert not check_service_health("postgres").healthy
    assert check_service_health(ServiceRequirement(name="postgres", port=1)).healthy, "another port is only opened"


def test_service_that_nobody_describes() -> None:
    """A service that nobody describes is unhealthy, with all that is lacking, and without an address to wait for."""
    health = check_service_health("minio")
    assert (health.healthy, health.address) == (False, None)
    assert "FLOE_MINIO_HOST is not set" in health.state
    assert "FLOE_MINIO_SECRET_KEY is not set" in health.state


def test_service_that_nobody_knows() -> None:
    """A name that no package has is unhealthy, and the nearest one is proposed."""
    assert str(check_service_health("postgre")) == "postgre: unknown service 'postgre'; did you mean 'postgres'?"


def test_all_services_are_there(orders: ServiceRequirement) -> None:
    """A test whose services all answer goes on."""
    require_services(orders, orders)
    require_services()


def test_all_that_is_missing_is_told_at_once(orders: ServiceRequirement, silent: ServiceRequirement) -> None:
    """One message, without a traceback, tells of each service that is missing, and what to do; not of those there."""
    lines = refused(orders, silent, "minio", "postgre")
    assert lines[0] == "3 of 4 services that this test needs are missing:"
    assert [line.split(":")[0].split(" at ")[0] for line in lines[1:-1]] == ["- silent", "- minio", "- postgre"]
    assert re.search(r"Connection refused \(looked for \d+ s\)$", lines[1])
    assert "floe-ci up --on local" in lines[-1]


def test_missing_services_are_waited_for_together(silent: ServiceRequirement) -> None:
    """Ten services that are missing take no longer than one."""
    timer = threading.Timer(4.0, lambda: None)
    timer.start()
    assert len(refused(*[silent] * 10)) == 12
    assert timer.is_alive(), "they were waited for one after the other"
    timer.cancel()


def test_nothing_to_wait_for() -> None:
    """A service whose address is not known fails the test at once, since waiting would not help."""
    timer = threading.Timer(5.0, lambda: None)
    timer.start()
    refused("minio", timeout=30)
    assert timer.is_alive()
    timer.cancel()


def test_service_that_comes_late(silent: ServiceRequirement, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that starts to answer in time is not missing."""
    looks: list[ServiceHealth] = []

    def look(requirement: ServiceRequirement | str) -> ServiceHealth:
        if looks:
            server.listen()
        looks.append(check_service_health(requirement))
        return looks[-1]

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FLOE_SILENT_PORT", str(server.getsockname()[1]))
        monkeypatch.setattr("floe_testing.services.health.check_service_health", look)
        require_services(silent, timeout=20)
    assert [health.healthy for health in looks] == [False, True]


def test_service_that_cannot_be_here(silent: ServiceRequirement, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of which the run says that it can't be here skips the test, unless another one is missing too."""
    monkeypatch.setenv("FLOE_MINIO_ABSENT", "there is none on PyPI")
    with pytest.raises(pytest.skip.Exception, match=r"^minio: there is none on PyPI$"):
        require_services("minio")
    assert "2 of 2" in refused("minio", silent)[0]


def test_pods_and_logs_are_told(cluster: Cluster, silent: ServiceRequirement, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a cluster may be asked, the message shows the state of the service's pods and the end of their logs."""
    monkeypatch.setenv("FLOE_NAMESPACE", "shop")
    cluster.add_service("silent-web", 80)
    cluster.add_pod("silent-web", "web-0", {80: ("127.0.0.1", 1)}, ready=False)
    cluster.add_service("other", 80)
    cluster.add_pod("other", "other-0", {80: ("127.0.0.1", 1)})
    cluster.objects["pods/web-0/log"] = "starting\nno disk left"
    assert refused(silent)[2:-1] == [
        "    pod web-0: Running, no container yet",
        "      starting",
        "      no disk left",
    ]
    cluster.remove_pod("web-0")
    assert refused(silent)[2] == "    namespace shop has no pod of silent"
    cluster.objects["pods"] = HTTPStatus.FORBIDDEN
    assert refused(silent)[2] == "    the pods of namespace shop can't be read: Forbidden, says the API"


def test_pod_behind_a_port_forward_that_is_not_there(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port-forward takes a connection before it leads anywhere; a service without a ready pod is unhealthy still."""
    monkeypatch.setenv("FLOE_NAMESPACE", "shop")
    cluster.add_service("orders", 8080)
    health = check_service_health(ServiceRequirement(name="orders", port=8080))
    assert str(health.address).endswith("(port-forward)")
    assert not health.healthy


class TestMark:
    """The mark `services` looks before a test's fixtures do."""

    TEST = """
        import pytest

        @pytest.fixture
        def database():
            raise RuntimeError("too early")

        @pytest.mark.services("orders", "minio")
        def test_something(database):
            pass
    """

    def test_missing_service_fails_the_test(self, pytester: pytest.Pytester) -> None:
        """A service that is missing fails the test before its fixtures start, is no skip, and shows no traceback."""
        pytester.makepyfile(self.TEST)
        result = pytester.runpytest("--strict-markers")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["2 of 2 services that this test needs are missing:", "- orders:*", "- minio:*"])
        for word in ("too early", "Traceback", "health.py"):
            result.stdout.no_fnmatch_line(f"*{word}*")

    def test_marks_of_class_and_function_add_up(self, pytester: pytest.Pytester) -> None:
        """The services of a class's mark and of its function's are all looked at, each once."""
        pytester.makepyfile(
            """
            import pytest

            @pytest.mark.services("minio")
            class TestBoth:
                @pytest.mark.services("postgres", "minio")
                def test_something(self):
                    pass
            """
        )
        pytester.runpytest().stdout.fnmatch_lines(["2 of 2 services that this test needs are missing:"])

    def test_fixture_fails_as_the_mark_does(self, pytester: pytest.Pytester) -> None:
        """The fixture `require_services` is the function, for a test that knows late what it needs."""
        pytester.makepyfile("def test_something(require_services): require_services('minio')")
        result = pytester.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["1 of 1 services that this test needs is missing:"])
