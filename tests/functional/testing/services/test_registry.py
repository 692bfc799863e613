"""Packages add services by an entry point; one that is broken, or clashes, is told by the package's name."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from floe_testing.services import (
    PostgresConfig,
    Service,
    ServiceConfig,
    ServiceFixture,
    ServicePluginError,
    check_service_health,
    opening,
    registry,
)

if TYPE_CHECKING:
    from tests.functional.testing.services.conftest import AddPackage

MODULE = """
import contextlib
from typing import ClassVar
from floe_testing.services import Service, ServiceConfig

events = []

class QueueConfig(ServiceConfig):
    service: ClassVar[str] = "queue"
    port: int = 5672

@contextlib.contextmanager
def connect(config):
    events.append("opened " + config.address)
    yield events
    events.append("closed")

@contextlib.contextmanager
def isolate(client, name):
    client.append("made " + name[:5])
    yield name
    client.append("removed")

queue = Service(config=QueueConfig, connect=connect, answers=len, isolate=isolate)
other = Service(config=type("OtherConfig", (QueueConfig,), {"service": "other"}), connect=connect)
not_a_service = "queue"
"""
BROKEN = {
    "is missing": ("nowhere:queue", "ModuleNotFoundError: No module named 'nowhere'"),
    "has no such name": ("floe_queue:nothing", "AttributeError: module 'floe_queue' has no attribute 'nothing'"),
    "raises": ("floe_broken:queue", "ZeroDivisionError: division by zero"),
    "adds no service": ("floe_queue:not_a_service", "is no floe_testing.services.Service, but 'queue'"),
    "adds another": ("floe_queue:other", "calls itself 'other'; its entry point must have the same name"),
}


@pytest.fixture
def package(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a folder with the modules of a package that adds a service."""
    pytester.makepyfile(floe_queue=MODULE, floe_broken="1 / 0")
    return pytester


@pytest.fixture
def queue(package: pytest.Pytester, add_package: AddPackage, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return the folder of a package that adds the service `queue`, is installed, and whose service is described."""
    add_package("floe-queue", package.path, {"queue": "floe_queue:queue"})
    monkeypatch.setenv("FLOE_QUEUE_HOST", "mq")
    return package


@pytest.mark.parametrize("name", ["postgres", "minio", "polaris", "dagster"])
def test_services_of_this_package(name: str) -> None:
    """The services of this package are registered as another package's would be."""
    service = registry.load_service(name)
    assert (service.service_name, service.service_port) == (name, registry.requirement_of(name).port)
    assert isinstance(service, ServiceFixture)
    assert name not in registry.added_services()


def test_service_is_a_fixture() -> None:
    """Called, a service yields a client, and closes it when the generator ends."""
    seen = []

    class Config(PostgresConfig):
        @classmethod
        def from_environment(cls, *_: object) -> Config:
            return cls(password="x")  # type: ignore[arg-type] # noqa: S106 - of no server

    class Client:
        def close(self) -> None:
            seen.append("closed")

    fixture: ServiceFixture = Service(config=Config, connect=lambda _: closing(Client()))
    generator = fixture()
    assert isinstance(next(generator), Client)
    assert not seen
    assert next(generator, "ended") == "ended"
    assert seen == ["closed"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"config": str}, "config"),
        ({"connect": "mq"}, "connect"),
        ({"names": list}, "'names' and 'remove' belong together"),
        ({"config": type("C", (ServiceConfig,), {"service": "queue"})}, "C gives its port no default"),
        ({"config": type("C", (PostgresConfig,), {"service": "No Label"})}, "should match pattern"),
        ({"health": len}, "health"),
    ],
)
def test_wrong_service(wrong: dict[str, object], message: str) -> None:
    """A service that can't work is refused where it is made."""
    with pytest.raises(ValidationError, match=message):
        Service.model_validate({"config": PostgresConfig, "connect": closing, **wrong})


def test_fixtures_of_an_added_service(queue: pytest.Pytester) -> None:
    """A test gets something of its own, made before and removed after it; the client is one for the session."""
    queue.makepyfile(
        """
        import floe_queue

        def test_first(queue, queue_config):
            assert queue.startswith("test-")
            assert queue_config.address == "mq:5672"
            test_first.name = queue

        def test_second(queue, queue_client):
            assert queue != test_first.name
            assert queue_client == ["opened mq:5672", "made test-", "removed", "made test-"]
        """
    )
    queue.runpytest().assert_outcomes(passed=2)


def test_end_of_an_added_service(queue: pytest.Pytester) -> None:
    """The client is closed at the end of the session."""
    queue.makepyfile("def test(queue): pass")
    queue.makeconftest(
        """
        def pytest_unconfigure():
            import floe_queue
            print("seen:", floe_queue.events)
        """
    )
    queue.runpytest("-s").stdout.fnmatch_lines(["seen: *'removed', 'closed'?"])


def test_without_isolation(package: pytest.Pytester, add_package: AddPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a service has nothing for a test alone, the fixture of its name is the client."""
    add_package("floe-other", package.path, {"other": "floe_queue:other"})
    monkeypatch.setenv("FLOE_OTHER_HOST", "mq")
    package.makepyfile("def test(other, other_client): assert other is other_client")
    package.runpytest().assert_outcomes(passed=1)


def test_dash_in_a_name(package: pytest.Pytester, add_package: AddPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixtures of a service with a dash in its name have an underscore there."""
    module = package.path / "floe_queue.py"
    module.write_text(module.read_text().replace('"queue"', '"job-queue"'))
    add_package("floe-queue", package.path, {"job-queue": "floe_queue:queue"})
    monkeypatch.setenv("FLOE_JOB_QUEUE_HOST", "mq")
    package.makepyfile("def test(job_queue, job_queue_config): assert job_queue")
    package.runpytest().assert_outcomes(passed=1)


def test_service_that_does_not_answer(queue: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is waited for until its service answers; one that does not fails the test without a traceback."""
    monkeypatch.setattr(opening, "ANSWER_TIMEOUT", 1.0)
    module = queue.path / "floe_queue.py"
    module.write_text(module.read_text().replace("answers=len", "answers=lambda client: 1 / 0"))
    queue.makepyfile("def test(queue): pass")
    result = queue.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["queue at mq:5672 answers: not so after*Last state seen: ZeroDivisionError*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.usefixtures("queue")
def test_health_of_an_added_service() -> None:
    """A service that another package adds is asked as that package says."""
    health = check_service_health("queue")
    assert (health.healthy, health.address, health.state) == (True, "mq:5672", "it answers")


@pytest.mark.parametrize("how", BROKEN)
def test_broken_package(package: pytest.Pytester, add_package: AddPackage, how: str) -> None:
    """A package whose service can't be loaded is named, with its version, entry point and what is wrong."""
    value, problem = BROKEN[how]
    add_package("floe-broken", package.path, {"queue": value})
    with pytest.raises(ServicePluginError) as raised:
        registry.load_service("queue")
    assert str(raised.value).startswith(f"service queue of floe-broken 1.0 can't be used: {value}")
    assert problem in str(raised.value)


def test_wrong_service_of_a_package(package: pytest.Pytester, add_package: AddPackage) -> None:
    """A package that makes a service wrongly is named, with all that is wrong."""
    module = package.path / "floe_queue.py"
    module.write_text(module.read_text().replace("answers=len", "answers=1, isolates=2"))
    add_package("floe-broken", package.path, {"queue": "floe_queue:queue"})
    with pytest.raises(ServicePluginError) as raised:
        registry.load_service("queue")
    text = str(raised.value)
    assert text.startswith("service queue of floe-broken 1.0 can't be used")
    assert "answers: Input should be callable" in text
    assert "isolate: Input should be callable" not in text
    assert "isolates: Extra inputs are not permitted" in text


def test_broken_package_spoils_its_own_tests_only(package: pytest.Pytester, add_package: AddPackage) -> None:
    """A package that can't be imported fails the tests that use its service, without a traceback, and no others."""
    add_package("floe-broken", package.path, {"queue": "nowhere:queue"})
    package.makepyfile("def test_queue(queue): pass\ndef test_other(): pass")
    result = package.runpytest()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["service queue of floe-broken 1.0 can't be used: nowhere:queue: ModuleNotFoundError:*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_two_packages_of_one_service(package: pytest.Pytester, add_package: AddPackage) -> None:
    """Two packages that add a service of one name end the session before it starts, in one line that names both."""
    for name in ("floe-queue", "floe-rival"):
        add_package(name, package.path, {"queue": "floe_queue:queue"})
    result = package.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: service queue: floe-* 1.0 and floe-* 1.0 both add one of this name.*"])
    assert {"floe-queue", "floe-rival"} <= set(result.stderr.str().split())


def test_service_of_this_package_again(package: pytest.Pytester, add_package: AddPackage) -> None:
    """A package can't add a service that this one has."""
    add_package("floe-rival", package.path, {"minio": "floe_queue:queue"})
    result = package.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: service minio: *floe-*both add one of this name.*"])


@pytest.mark.parametrize("name", ["kube", "run-id", "tmp-path"])
def test_service_named_as_a_fixture(package: pytest.Pytester, add_package: AddPackage, name: str) -> None:
    """A service whose fixtures would hide another plugin's ends the session before it starts."""
    add_package("floe-rival", package.path, {name: "floe_queue:queue"})
    result = package.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    problem = f"adds a service '{name}', and there is a fixture '{name.replace('-', '_')}' already: rename the service."
    result.stderr.fnmatch_lines([f"ERROR: floe-rival 1.0 {problem}"])


def test_suite_overrides_a_fixture(queue: pytest.Pytester) -> None:
    """A suite may have its own idea of a service's fixture, as of any plugin's."""
    queue.makeconftest("import pytest\n\n@pytest.fixture\ndef queue(queue_config): return queue_config.address")
    queue.makepyfile("def test(queue): assert queue == 'mq:5672'")
    queue.runpytest().assert_outcomes(passed=1)


def test_workers_share_nothing(queue: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With pytest-xdist each worker has a client of its own, and each test something of its own."""
    queue.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test(queue, number, queue_client):
            assert queue_client[0] == "opened mq:5672"
            assert queue_client[-1] == "made test-"
        """
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    queue.runpytest_subprocess("-p", "floe_testing.plugin", "-p", "xdist", "-n", "2").assert_outcomes(passed=8)
