"""The base classes find what is wrong: each of their tests fails for each of its reasons, and never skips."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.metadata import EntryPoint, EntryPoints
from types import ModuleType

import pytest

from floe_testing.base_classes import IntegrationTestBase
from floe_testing.base_classes import plugin as plugin_tests

INTERFACE = """
from abc import ABC, abstractmethod

class Metadata:
    def __init__(self, name, version):
        self.name, self.version = name, version

class Engine(ABC):
    metadata: Metadata

    @abstractmethod
    def run(self, query, *, limit): ...

    @property
    @abstractmethod
    def dialect(self): ...

class Good(Engine):
    metadata = Metadata("good", "1.2.3")
    dialect = "sql"

    def run(self, query, *, limit, retries=0): ...
"""


def registered(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    """Have these entry points be all that there are in the group of engines."""
    there = EntryPoints(entries)
    monkeypatch.setattr(plugin_tests, "entry_points", lambda group: there.select(group=group))


def engines(monkeypatch: pytest.MonkeyPatch, plugin: str) -> None:
    """Register an engine called `good`, in a module that can be imported."""
    module = ModuleType("engines")
    exec(INTERFACE + plugin, vars(module))  # noqa: S102 - the source above
    monkeypatch.setitem(sys.modules, "engines", module)
    registered(monkeypatch, EntryPoint("good", "engines:Plugin", "floe.engines"))


SUITE = """
from engines import Engine
from floe_testing.base_classes import PluginTestBase

class TestEngine(PluginTestBase):
    plugin_type = "floe.engines"
    plugin_name = "good"
    plugin_interface = Engine
"""


@pytest.mark.requirement("T030")
@pytest.mark.parametrize(
    ("plugin", "failed", "message"),
    [
        ("Plugin = Good", 0, ""),
        ("Plugin = Good()", 0, ""),
        (
            "class Plugin(Good): metadata = Metadata('other', '1.0')",
            1,
            "calls itself 'other'; its entry point is 'good'",
        ),
        ("class Plugin(Good): metadata = Metadata('good', 'soon')", 1, "'soon' is no version"),
        ("class Plugin(Engine): metadata = Good.metadata", 1, "dialect is abstract still; run is abstract still"),
        ("class Plugin:\n  metadata = Good.metadata\n  dialect = 1", 1, "it lacks run"),
        (
            "class Plugin:\n  metadata = Good.metadata\n  dialect = 1\n  def run(self, query, *, limit): ...",
            1,
            "it is no Engine",
        ),
        ("class Plugin(Good):\n  def run(self, query): ...", 1, "run takes (self, query), not (self, query, *, limit)"),
        (
            "class Plugin(Good):\n  def run(self, query, day, *, limit): ...",
            1,
            "run takes (self, query, day, *, limit)",
        ),
        ("class Plugin(Good):\n  def run(self, *args, **kwargs): ...", 0, ""),
        ("Other = Good", 3, "engines:Plugin can't be imported: AttributeError"),
    ],
)
def test_plugin(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, plugin: str, failed: int, message: str
) -> None:
    """A plugin passes that does all its interface asks for; what another lacks is said in a line."""
    engines(monkeypatch, plugin)
    pytester.makepyfile(SUITE)
    result = pytester.runpytest()
    result.assert_outcomes(passed=3 - failed, failed=failed)
    if message:
        result.stdout.fnmatch_lines([f"*{message.replace('[', '[[]')}*"])


def test_plugin_that_is_not_registered(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that is not registered fails each test, and the message names those that are."""
    engines(monkeypatch, "Plugin = Good")
    registered(monkeypatch, EntryPoint("fast", "engines:Good", "floe.engines"))
    pytester.makepyfile(SUITE)
    result = pytester.runpytest()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*one entry point 'good' is expected*there are 0*has: fast = engines:Good*"])


def test_plugin_of_a_class_that_declares_too_little(pytester: pytest.Pytester) -> None:
    """A class without its declarations fails, and the message names all of them at once."""
    pytester.makepyfile("""
        from floe_testing.base_classes import PluginTestBase

        class TestNothing(PluginTestBase):
            plugin_name = "good"
    """)
    result = pytester.runpytest()
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*TestNothing must declare plugin_type, plugin_interface*"])


@pytest.mark.requirement("T029")
@pytest.mark.requirement("T032")
def test_missing_service_is_a_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test whose services don't answer fails before it starts, with each of them named; it is not skipped."""
    for name in ("FLOE_NAMESPACE", "KUBERNETES_SERVICE_HOST", "FLOE_POSTGRES_HOST", "FLOE_MINIO_HOST"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile("""
        from floe_testing.base_classes import IntegrationTestBase

        class TestShop(IntegrationTestBase):
            required_services = ("postgres", "minio")

            def test_sells(self):
                print("it ran")
    """)
    result = pytester.runpytest("-s")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*2 of 2 services*", "*postgres*", "*minio*"])
    result.stdout.no_fnmatch_line("it ran")


OVERRIDES = {
    "setup_method": "def setup_method(self): print('it was set up')",
    "setup_method with the method": "def setup_method(self, method): print('it was set up')",
    "setup_class": "@classmethod\n    def setup_class(cls): print('class')",
    "a fixture": "@pytest.fixture(autouse=True)\n    def own(self): print('it was set up')",
    "teardown_method": "def teardown_method(self): print('torn down')",
    "with super": "def setup_method(self):\n        super().setup_method()\n        print('it was set up')",
    "__init_subclass__": "def __init_subclass__(cls): pass",
}


@pytest.mark.parametrize("override", OVERRIDES.values(), ids=OVERRIDES)
def test_override_does_not_lose_the_services(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    """Whatever a class makes of its set-up, a missing service fails the test before it, and nothing else does."""
    for name in ("FLOE_NAMESPACE", "KUBERNETES_SERVICE_HOST", "FLOE_POSTGRES_HOST"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(f"""
import pytest
from floe_testing.base_classes import IntegrationTestBase

class TestShop(IntegrationTestBase):
    required_services = ("postgres",)

    {override}

    def test_sells(self):
        print("it ran")
""")
    result = pytester.runpytest("-s")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*1 of 1 services*", "*postgres*"])
    result.stdout.no_fnmatch_line("*it ran*")
    result.stdout.no_fnmatch_line("*it was set up*")
    result.stdout.no_fnmatch_line("*AttributeError*")


def test_override_can_use_what_a_test_has(pytester: pytest.Pytester) -> None:
    """A set-up without `super()` finds the test's namespace and may enter contexts, which outlive its tear-down."""
    pytester.makepyfile("""
        from contextlib import contextmanager
        from floe_testing.base_classes import IntegrationTestBase

        events = []

        @contextmanager
        def resource(name):
            yield name
            events.append(f"left {name}")

        class TestShop(IntegrationTestBase):
            def setup_method(self):
                self.name = self.namespace
                self.using(resource("shop"))

            def teardown_method(self):
                assert events == []
                events.append("torn down")

            def test_sells(self):
                assert self.namespace == self.name

        def test_after():
            assert events == ["torn down", "left shop"]
    """)
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


def test_set_up_by_hand() -> None:
    """The two methods do the same where they are called without pytest, and a second call does nothing more."""
    left: list[str] = []

    class Shop(IntegrationTestBase):
        """Needs nothing."""

    shop = Shop()
    shop.setup_method()
    with ExitStack() as resource:
        resource.callback(left.append, "left")
        shop.using(resource.pop_all())
    name = shop.namespace
    shop.setup_method()
    assert shop.namespace == name
    shop.teardown_method()
    shop.teardown_method()
    assert left == ["left"]
    shop.setup_method()
    assert shop.namespace != name


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ('[("postgres", 5432)]', "*- postgres: *FLOE_POSTGRES_HOST is not set*"),
        ('(["postgres", 5432],)', "*- postgres: *FLOE_POSTGRES_HOST is not set*"),
        ('"postgres"', "*- postgres: *FLOE_POSTGRES_HOST is not set*"),
        ('[("postgres",)]', '(\'postgres\',) names no service: write "postgres", ("postgres", 5432), or *'),
        ('[(5432, "postgres")]', "(5432, 'postgres') names no service (name: *; port: *): write *"),
        ('[("No Label", 1)]', "('No Label', 1) names no service (name: *): write *"),
        ('[("postgres", 0)]', "('postgres', 0) names no service (port: *): write *"),
        ("[None]", "None names no service: write *"),
        ("[5432]", "5432 names no service: write *"),
        ('[{"name": "postgres"}]', "{'name': 'postgres'} names no service: write *"),
        ('["postgrse"]', "- postgrse: unknown service 'postgrse'; did you mean 'postgres'?"),
    ],
)
def test_ways_to_require(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, services: str, message: str
) -> None:
    """A requirement may be a name, a name and a port, or a model; of anything else the message says how to write it."""
    for name in ("FLOE_NAMESPACE", "KUBERNETES_SERVICE_HOST", "FLOE_POSTGRES_HOST"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(f"""
        from floe_testing.base_classes import IntegrationTestBase

        class TestShop(IntegrationTestBase):
            required_services = {services}

            def test_sells(self): pass
    """)
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    assert len(result.outlines) < 25


@pytest.mark.requirement("T027")
def test_infrastructure_that_is_not_there(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is checked for and isn't there fails the test."""
    for name in ("FLOE_NAMESPACE", "KUBERNETES_SERVICE_HOST", "FLOE_SHOP_HOST"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile("""
        from floe_testing.base_classes import IntegrationTestBase

        class TestShop(IntegrationTestBase):
            def test_sells(self):
                self.check_infrastructure("shop", 8080)
    """)
    pytester.runpytest().assert_outcomes(failed=1)


@pytest.mark.requirement("T028")
@pytest.mark.requirement("T029")
def test_each_test_has_its_own(pytester: pytest.Pytester) -> None:
    """A test's namespace is its own, and what it entered is left after it, the last first, though it failed."""
    pytester.makepyfile("""
        from contextlib import contextmanager
        from floe_testing.base_classes import IntegrationTestBase

        events = []

        @contextmanager
        def resource(name):
            events.append(f"make {name}")
            yield name
            events.append(f"remove {name}")

        class TestShop(IntegrationTestBase):
            def test_fails(self):
                events.append(self.namespace)
                assert self.namespace == self.namespace
                assert self.using(resource("shop")) == "shop"
                self.using(resource("till"))
                raise ZeroDivisionError

            def test_after(self):
                assert events[1:] == ["make shop", "make till", "remove till", "remove shop"]
                assert self.namespace != events[0]
                assert self.namespace.startswith("test-")
    """)
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=1, failed=1)


ADAPTER = """
import pytest
from floe_testing.base_classes import AdapterTestBase

class TestPipe(AdapterTestBase):
    source_component = "left"
    target_component = "right"
    sample = (1, 2, 3)

    @pytest.fixture
    def adapter(self):
        return {adapter}

    def send(self, adapter, data):
        adapter.extend(data)

    def receive(self, adapter):
        return tuple(adapter)
"""


@pytest.mark.requirement("T031")
@pytest.mark.parametrize(
    ("adapter", "outcome", "message"),
    [
        ("[]", {"passed": 2}, ""),
        ("[0]", {"passed": 1, "failed": 1}, "from left to right: (1, 2, 3) was expected, (0, 1, 2, 3) arrived"),
        ("None", {"failed": 2}, "the fixture adapter of TestPipe gives None"),
    ],
)
def test_adapter(pytester: pytest.Pytester, adapter: str, outcome: dict[str, int], message: str) -> None:
    """An adapter passes that carries all the data over; of another one it is said what arrived."""
    pytester.makepyfile(ADAPTER.format(adapter=adapter))
    result = pytester.runpytest()
    result.assert_outcomes(**outcome)
    result.stdout.fnmatch_lines([f"*{message}*"])


def test_adapter_that_nobody_defined(pytester: pytest.Pytester) -> None:
    """A class without its fixture fails, and is told what it lacks."""
    pytester.makepyfile("""
        from floe_testing.base_classes import AdapterTestBase

        class TestPipe(AdapterTestBase):
            source_component = target_component = sample = "x"
    """)
    result = pytester.runpytest()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*TestPipe must define a fixture called adapter*"])
