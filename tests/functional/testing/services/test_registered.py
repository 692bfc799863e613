"""A suite registers services of its own in a conftest.py, without a package and its entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.services import registry
from floe_testing.services.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFTEST = """
import contextlib
from typing import ClassVar
import floe_testing
from floe_testing import Service, ServiceConfig

events = []

class OrdersConfig(ServiceConfig):
    service: ClassVar[str] = "orders"
    port: int = 8080

@contextlib.{decorator}
{asynchronous}def connect(config):
    events.append("opened " + config.address)
    yield events
    events.append("closed")

@contextlib.{decorator}
{asynchronous}def isolate(client, name):
    events.append("made " + name.partition("-")[0])
    yield name
    events.append("removed")

{asynchronous}def answers(client):
    events.append("asked")
    return client

floe_testing.register(Service(config=OrdersConfig, connect=connect, answers=answers, isolate=isolate{more}))
"""


def conftest(*, asynchronous: bool = False, more: str = "") -> str:
    """Return a conftest with a service, whose client notes what is done with it."""
    return CONFTEST.format(
        decorator="asynccontextmanager" if asynchronous else "contextmanager",
        asynchronous="async " if asynchronous else "",
        more=f", {more}" if more else "",
    )


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return the folder of a suite whose service is described."""
    monkeypatch.setenv("FLOE_ORDERS_HOST", "shop")
    for name in ("FLOE_NAMESPACE", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def outcomes(result: pytest.RunResult) -> Mapping[str, int]:
    """Return how many tests ended how."""
    return result.parseoutcomes()


def test_fixtures(suite: pytest.Pytester) -> None:
    """A registered service has all of its fixtures: a client for the session, something per module and per test."""
    suite.makeconftest(conftest())
    suite.makepyfile(
        """
        def test_first(orders, orders_module, orders_client, orders_config):
            assert orders_config.address == "shop:8080"
            assert orders.startswith("test-") and orders_module.startswith("module-")
            test_first.names = orders, orders_module

        def test_second(orders, orders_module, orders_client):
            assert orders != test_first.names[0]
            assert orders_module == test_first.names[1]
            assert orders_client.count("opened shop:8080") == orders_client.count("made module") == 1
            assert orders_client.count("made test") == 2
        """
    )
    suite.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("scope", "opened"), [("session", 1), ("package", 1), ("module", 2), ("class", 3), ("function", 4)]
)
def test_scope(suite: pytest.Pytester, scope: str, opened: int) -> None:
    """A client lives as long as its scope says."""
    suite.makeconftest(
        conftest(more=f"scope='{scope}'")
        + "\ndef pytest_unconfigure(): print('opened', events.count('opened shop:8080'))"
    )
    suite.makepyfile(
        test_one="""
            class TestOne:
                def test_a(self, orders): pass
                def test_b(self, orders): pass

            def test_c(orders): pass
        """,
        test_two="def test_d(orders_client): pass",
    )
    result = suite.runpytest_subprocess("-s")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([f"opened {opened}"])


def test_module_of_a_narrow_client(suite: pytest.Pytester) -> None:
    """Where a client lives for a test alone, the tests of a module share one of the module's own."""
    suite.makeconftest(
        conftest(more="scope='function'").replace(", isolate=isolate", "").replace("yield events", "yield object()")
    )
    suite.makepyfile(
        """
        def test_first(orders, orders_client, orders_module):
            assert orders is orders_client is not orders_module
            test_first.seen = orders, orders_module

        def test_second(orders, orders_module):
            assert orders is not test_first.seen[0]
            assert orders_module is test_first.seen[1]
        """
    )
    suite.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_something_else_for_a_module(suite: pytest.Pytester) -> None:
    """What the tests of a module share may be made in another way than what each has for itself."""
    share = "contextlib.nullcontext"
    suite.makeconftest(conftest(more=f"share=lambda client, name: {share}((client, name))"))
    suite.makepyfile(
        """
        def test(orders, orders_client, orders_module):
            client, name = orders_module
            assert client is orders_client
            assert name.startswith("module-") and orders.startswith("test-")
        """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


FIXTURES_BY_NAME = """
import contextlib
import pytest
from typing import ClassVar
import floe_testing
from floe_testing import Service, ServiceConfig, check_service_health

class OrdersConfig(ServiceConfig):
    service: ClassVar[str] = "orders"
    port: int = 8080

@contextlib.contextmanager
def connect(config, *, currency="euro", nowhere="default"):
    yield currency, nowhere

@contextlib.contextmanager
def isolate(client, name, *, tmp_path):
    yield client, tmp_path

@pytest.fixture(scope="session")
def currency(): return "dollar"

floe_testing.register(Service(config=OrdersConfig, connect=connect, isolate=isolate, answers=lambda client: client))
"""


def test_fixtures_that_a_service_asks_for(suite: pytest.Pytester) -> None:
    """A service's functions get fixtures by the names of their keyword-only arguments, or else these have defaults."""
    suite.makeconftest(FIXTURES_BY_NAME)
    suite.makepyfile(
        """
        def test(orders, orders_client, tmp_path):
            assert orders_client == ("dollar", "default")
            assert orders == (orders_client, tmp_path)
        """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


def test_fixture_that_is_not_there(suite: pytest.Pytester) -> None:
    """A fixture that a service's function asks for, and nobody defines, is named."""
    suite.makeconftest(FIXTURES_BY_NAME.replace("tmp_path", "shelf"))
    suite.makepyfile("def test(orders): pass")
    result = suite.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'shelf' not found*"])


def test_each_look_has_a_client_of_its_own(suite: pytest.Pytester) -> None:
    """A client is waited for that can't be opened at first, or is never answered; those before it are closed."""
    suite.makeconftest(
        conftest()
        .replace(
            '    events.append("opened',
            '    if not events: events.append("refused"); raise OSError\n    events.append("opened',
        )
        .replace("    return client", "    return events.count('asked') > 1")
    )
    suite.makepyfile(
        """
        def test(orders_client):
            opened = ["opened shop:8080", "asked"]
            assert orders_client == ["refused", *opened, "closed", *opened]
        """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("way", ["asyncio", "asyncio-auto", "anyio"])
def test_asynchronous(suite: pytest.Pytester, way: str) -> None:
    """The fixtures of an asynchronous service are asynchronous, for either plugin that runs such tests."""
    suite.makeconftest(conftest(asynchronous=True))
    mark = {"asyncio": "@pytest.mark.asyncio", "asyncio-auto": "", "anyio": "@pytest.mark.anyio"}[way]
    suite.makepyfile(
        f"""
import asyncio
import pytest

@pytest.fixture
def anyio_backend(): return "asyncio"

{mark}
async def test_own(orders, orders_client):
    assert orders.startswith("test-")
    assert orders_client == ["opened shop:8080", "asked", "made test"]

{mark}
async def test_next(orders, orders_client):
    assert orders_client[3:5] == ["removed", "closed"]
    assert orders_client[5:] == ["opened shop:8080", "asked", "made test"]
"""
    )
    arguments = {"asyncio": [], "asyncio-auto": ["--asyncio-mode=auto"], "anyio": ["-p", "no:asyncio"]}[way]
    if way == "anyio":
        # As where pytest-asyncio is not installed.
        suite.makepyfile(pytest_asyncio="raise ImportError")
    suite.runpytest_subprocess("-p", "no:randomly", *arguments).assert_outcomes(passed=2)


def test_asynchronous_session(suite: pytest.Pytester) -> None:
    """An asynchronous client may live for the session, where its tests share the session's event loop."""
    suite.makeconftest(conftest(asynchronous=True, more="scope='session'"))
    suite.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.asyncio(loop_scope="session")

        async def test_first(orders_client, orders_module): pass
        async def test_second(orders_client):
            assert orders_client == ["opened shop:8080", "asked", "made module"]
        """
    )
    suite.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_nothing_runs_asynchronous_fixtures(suite: pytest.Pytester) -> None:
    """Where neither plugin is installed, the message names both."""
    suite.makeconftest(conftest(asynchronous=True))
    suite.makepyfile(pytest_asyncio="raise ImportError", anyio="raise ImportError", test_it="def test(orders): pass")
    result = suite.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*It is asynchronous: install pytest-asyncio, or anyio, which run such fixtures"])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_required_by_name(suite: pytest.Pytester, asynchronous: bool) -> None:  # noqa: FBT001 - a parameter
    """A registered service is required by its name alone, and asked in its own language."""
    suite.makeconftest(conftest(asynchronous=asynchronous))
    suite.makepyfile(
        """
        import asyncio
        import pytest
        from floe_testing import IntegrationTestBase, check_service_health, require_services
        from conftest import events

        @pytest.mark.services("orders")
        def test_marked():
            assert events[-3:] == ["opened shop:8080", "asked", "closed"]

        class TestShop(IntegrationTestBase):
            required_services = ("orders",)

            def test_asked(self):
                assert events[-3:] == ["opened shop:8080", "asked", "closed"]

        def test_in_a_loop():
            async def look():
                return check_service_health("orders")
            assert asyncio.run(look()).state == "it answers"

        def test_near_name():
            require_services("order")
        """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*unknown service 'order'; did you mean 'orders'?"])


def test_folder(suite: pytest.Pytester) -> None:
    """The fixtures are there for the tests below the conftest that registers the service, and for no others."""
    inner = suite.mkpydir("inner")
    (inner / "conftest.py").write_text(conftest(), encoding="utf-8")
    (inner / "test_in.py").write_text("def test_in(orders): pass", encoding="utf-8")
    suite.makepyfile(test_out="def test_out(orders): pass")
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'orders' not found*"])


def test_fixture_of_the_suites_own(suite: pytest.Pytester) -> None:
    """What a conftest defines under the name of one of the fixtures counts, before the registration or after it."""
    own = "\nimport pytest\n@pytest.fixture\ndef {}(): return 'own'\n"
    suite.makeconftest(own.format("orders") + conftest() + own.format("orders_client"))
    suite.makepyfile("def test(orders, orders_client): assert (orders, orders_client) == ('own', 'own')")
    suite.runpytest_subprocess().assert_outcomes(passed=1)


def test_two_of_one_name(suite: pytest.Pytester) -> None:
    """Two folders that register a service of one name are told, with both files."""
    for folder in ("one", "two"):
        place = suite.mkpydir(folder)
        (place / "conftest.py").write_text(conftest(), encoding="utf-8")
        (place / f"test_{folder}.py").write_text("def test(orders): pass", encoding="utf-8")
    result = suite.runpytest_subprocess()
    assert result.ret != pytest.ExitCode.OK
    text = result.stdout.str() + result.stderr.str()
    assert "service orders: " in text
    assert "both register one of this name. Rename one of the two." in text


def test_another_kind_of_context(suite: pytest.Pytester) -> None:
    """A `connect` that gives an asynchronous context without looking like it is told what to say."""
    suite.makeconftest(conftest(asynchronous=True).replace("connect=connect", "connect=lambda config: connect(config)"))
    suite.makepyfile("def test(orders): pass")
    result = suite.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["orders: connect gave * which `with` can't enter; say Service(asynchronous=True, …)"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_sessions_do_not_share(suite: pytest.Pytester) -> None:
    """What one session's suite registered is unknown to the next one in the same process."""
    suite.makeconftest(conftest())
    suite.makepyfile("def test(orders): pass")
    suite.runpytest_inprocess("-p", "no:asyncio").assert_outcomes(passed=1)
    assert "orders" not in registry.registered_services()
    assert "orders" not in registry.service_names()


def test_workers(suite: pytest.Pytester) -> None:
    """Each worker of pytest-xdist knows the services of the suite."""
    suite.makeconftest(conftest())
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.services("orders")
        def test(orders, number): pass
        """
    )
    suite.runpytest_subprocess("-n", "2").assert_outcomes(passed=6)


def test_public_surface() -> None:
    """Whatever a test's author writes comes from the package's root, and an unknown name is told as ever."""
    import floe_testing  # noqa: PLC0415 - the module itself

    for name in floe_testing.__all__:
        assert getattr(floe_testing, name).__name__ == name
    assert floe_testing.Service is Service
    with pytest.raises(AttributeError, match="module 'floe_testing' has no attribute 'Servise'"):
        floe_testing.Servise  # type: ignore[attr-defined] # noqa: B018 - it is not there
