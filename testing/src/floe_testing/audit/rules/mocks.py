"""Mocks where the real thing should be."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.look import MOCK_CLASSES, is_described, is_mock_library, is_patch, keyword, names_in, strings_in
from floe_testing.audit.model import Example, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule

_FAKE_WORDS: Final = ("Mock", "Fake", "Stub", "Dummy")
_FAKE_SERVICES: Final = (
    *("responses.", "respx.", "requests_mock.", "httpretty.", "aioresponses.", "moto.", "fakeredis."),
    *("mongomock.", "vcr.", "pytest_httpx."),
)
_FAKE_HTTP: Final = ("responses.", "respx.", "requests_mock.", "httpretty.", "aioresponses.", "vcr.", "pytest_httpx.")
_FAKE_FIXTURES: Final = frozenset(
    {"requests_mock", "responses", "respx_mock", "httpx_mock", "aioresponses", "fakeredis", "mocked_responses", "vcr"}
)
_SERVICE_WORDS: Final = (
    *("connect", "client", "session", "request", "http", "socket", "send", "publish", "upload", "download", "execute"),
    *("query", "producer", "consumer", "redis", "sql", "s3", "bucket", "queue", "broker", "fetch", "store", "cursor"),
)
"""What is in the names of functions that speak with a service; a class may well be one of its client's."""
_PRESENCE: Final = (
    *("reach", "avail", "has", "have", "canconnect", "connectable", "install", "online", "alive", "isup", "ping"),
    *("which", "findspec", "environ", "getenv", "ready", "running", "isopen", "listen", "missing", "offline"),
    *("importerror", "healthy", "exists", "probe", "servicesup", "docker"),
)
"""What is in the names that tell whether something is there."""
_LISTENERS: Final = (
    *("callback", "handler", "listener", "hook", "observer", "subscriber", "progress", "logger", "log", "cb", "func"),
    *("console", "reporter", "clock", "metric", "tracer", "notifier", "on_", "warn", "args", "event", "config"),
)
"""What is in the names of mocks that are told something, and are no service."""
_LOOKUPS: Final = frozenset({"KeyError", "IndexError", "LookupError", "AttributeError", "StopIteration"})
_SPIES: Final = ("spy", "wrap", "record", "count", "track")
_STILL_REAL: Final = ("wraps", "side_effect")
"""Arguments by which the real part runs all the same, or fails as it otherwise does, but not on demand."""
_NO_SERVICES: Final = ("os.", "sys.", "time.", "datetime.", "random.", "hashlib.", "environ", "argv", "stdin", "logg")
"""What a mock may well replace in an integration test: none of it is a service."""
_WATCHED: Final = (
    "log",
    "print",
    "echo",
    "console",
    "sleep",
    "uuid",
    "random",
    "metric",
    "telemetry",
    "version",
    "warn",
)
"""What is in the names of functions that only tell something: a test that watches them leaves the service real."""
_CLIENTS: Final = (
    "requests",
    "httpx",
    "urllib",
    "urllib3",
    "aiohttp",
    "boto3",
    "botocore",
    "socket",
    "smtplib",
    "psycopg",
)
_CLIENTS_TOO: Final = ("psycopg2", "asyncpg", "redis", "pymongo", "kafka", "grpc", "minio", "pika", "confluent_kafka")
"""Packages whose functions speak with a service."""


class MockFallback(Rule):
    """A mock for what could not be had."""

    id = "FT101"
    name = "mock-fallback"
    severity = Severity.NOTE
    reason = (
        "Where the real thing can't be had, a mock takes its place, and the test passes all the same: it is green "
        "exactly when it should warn. Let the import or the connection fail, or skip with a reason."
    )
    bad = (
        Example("""
            from unittest.mock import MagicMock

            import pytest

            @pytest.fixture
            def warehouse():
                try:
                    return connect("warehouse")
                except ConnectionError:
                    return MagicMock()
        """),
        Example("""
            try:
                from orders import Store
            except ImportError:
                class FakeStore:
                    def total(self):
                        return 0
                Store = FakeStore
        """),
    )
    good = (
        Example("""
            import pytest

            orders = pytest.importorskip("orders", reason="the warehouse client is an extra")

            @pytest.fixture
            def warehouse():
                return orders.connect("warehouse")
        """),
        Example("""
            try:
                from unittest import mock
            except ImportError:
                import mock

            Mock = mock.Mock
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at what `except` blocks put in place."""
        if "migrations" in module.path.split("/"):
            return  # what stands in for a type there is in no test's way: the tests of it skip
        message = "a mock takes the place of what could not be had"
        for function in [module.top, *module.functions]:
            tried = [node for node in function.all(ast.Try) if not _imports_mocks(node)]
            handlers = [each for node in tried for each in node.handlers if not (_is_lookup(each) or _notes(each))]
            for handler in handlers:
                fakes = [each for each in handler.body if _puts_fake(each, module, function)]
                if fakes:
                    yield self.finding(module, fakes[0], message, function)
            for node in _alternatives(module, function) if function.kind != "test" else ():
                yield self.finding(module, node, message, function)


class MockedService(Rule):
    """A mock in a test of the real thing."""

    id = "FT102"
    name = "mock-in-integration"
    severity = Severity.NOTE
    reason = (
        "An integration or end-to-end test is there to show that real parts fit together; with one of them mocked, "
        "it shows that the mock fits. Use the real service, or move the test to the unit tier."
    )
    bad = (
        Example(
            """
            from unittest.mock import patch

            def test_order_is_stored(postgres):
                with patch("orders.store.connect") as connect:
                    place_order(7)
                assert connect.call_count == 1
            """,
            path="tests/integration/test_orders.py",
        ),
        Example(
            """
            def test_order_is_announced(requests_mock):
                requests_mock.post("http://hooks/orders")
                assert place_order(7).announced
            """,
            path="tests/e2e/test_orders.py",
        ),
    )
    good = (
        Example(
            """
            from unittest.mock import patch

            def test_order_is_stored(postgres):
                with patch.dict("os.environ", {"ORDERS_DSN": postgres.dsn}):
                    place_order(7)
                assert postgres.rows("orders") == [(7,)]
            """,
            path="tests/integration/test_orders.py",
        ),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for the first mock of each test and fixture."""
        for function in module.functions:
            if module.tier_of(function) not in {"integration", "e2e"} or is_described(module, function):
                continue  # words say what is only watched, or can't be had
            mocks = [call.node for call in function.calls if _replaces_service(call, module, function)]
            handed = None if mocks else _handed_in(module, function)
            if handed is not None:
                message = f"a mock is handed in for {handed[1]} in a test of the {module.tier_of(function)} tier"
                yield self.finding(module, handed[0], message, function)
            elif mocks:
                message = (
                    f"{ast.unparse(mocks[0].func)} replaces a part in a test of the {module.tier_of(function)} tier"
                )
                yield self.finding(module, mocks[0], message, function)
            elif function.kind != "helper" and _FAKE_FIXTURES.intersection(function.parameters):
                message = f"a fixture replaces a service in a test of the {module.tier_of(function)} tier"
                yield self.finding(module, function.node, message, function)


def _imports_mocks(node: ast.Try) -> bool:
    imports = [each for each in node.body if isinstance(each, ast.Import | ast.ImportFrom)]
    names = [alias.name for each in imports for alias in each.names]
    names += [each.module or "" for each in imports if isinstance(each, ast.ImportFrom)]
    return any("mock" in name.lower() for name in names)


def _puts_fake(statement: ast.stmt, module: Module, function: Function) -> bool:
    if isinstance(statement, ast.Assign | ast.Return | ast.AnnAssign) and statement.value is not None:
        return _is_fake(statement.value, module, function)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield) and statement.value.value is not None:
        return _is_fake(statement.value.value, module, function)
    return False


def _is_fake(value: ast.expr, module: Module, function: Function) -> bool:
    named = value.func if isinstance(value, ast.Call) else value
    last = module.resolve(named, function).rpartition(".")[2]
    return last in MOCK_CLASSES or last.startswith(_FAKE_WORDS)


def _alternatives(module: Module, function: Function) -> Iterator[ast.stmt]:
    """Yield the statements that put a mock in place where an `if` finds that the real thing can't be had."""
    for node in function.all(ast.If):
        if not _asks_for_presence(node.test, module, function):
            continue
        for branch, other in ((node.body, node.orelse or _following(node, function)), (node.orelse, node.body)):
            fakes = [each for each in branch if _puts_fake(each, module, function)]
            skips = any("skip" in ast.unparse(each) for each in [*branch, *other])
            if fakes and not skips and _has_other(fakes[0], function):
                yield fakes[0]
                break
        else:
            # `if reachable(): return Database()`, and behind it the mock
            fakes = [each for each in _following(node, function) if _puts_fake(each, module, function)]
            if fakes and isinstance(node.body[-1], ast.Return):
                yield fakes[0]
    given_something: list[ast.Return | ast.Assign] = [*function.all(ast.Return), *function.all(ast.Assign)]
    for statement in given_something:
        if isinstance(statement.value, ast.IfExp) and _asks_for_presence(statement.value.test, module, function):
            given = [statement.value.body, statement.value.orelse]
            # A class of the test's own, named by a flag, may be all that an optional package is there for.
            if [_is_fake(each, module, function) and isinstance(each, ast.Call) for each in given].count(True) == 1:
                yield statement


def _has_other(fake: ast.stmt, function: Function) -> bool:
    """Tell whether what a mock is given to is also given the real thing; what is returned is one of two always."""
    if not isinstance(fake, ast.Assign):
        return True
    targets = {ast.unparse(target) for target in fake.targets}
    others = [each for each in function.all(ast.Assign) if each is not fake]
    imported = {
        alias.asname or alias.name
        for node in ast.walk(function.node)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return bool(targets & imported) or any(ast.unparse(target) in targets for each in others for target in each.targets)


def _following(node: ast.If, function: Function) -> list[ast.stmt]:
    around = next(function.ancestors(node), function.node)
    return [each for each in getattr(around, "body", []) if each.lineno > (node.end_lineno or 0)]


def _asks_for_presence(test: ast.expr, module: Module, function: Function) -> bool:
    """Tell whether a condition asks whether something is there, and not what a test or an option wants."""
    names = [module.resolve(each, function) for each in ast.walk(test) if isinstance(each, ast.Name | ast.Attribute)]
    if any(name.startswith(("$request", "$pytestconfig", "$mode", "$kind")) or ".param" in name for name in names):
        return False
    return any(word in name.lower().replace("_", "") for name in names for word in _PRESENCE)


def _handed_in(module: Module, function: Function) -> tuple[ast.expr, str] | None:
    """Return a mock that a function makes and gives to the code under test in a service's place, and its name."""
    for statement in function.own(ast.Assign):
        target, value = statement.targets[0], statement.value
        if not isinstance(target, ast.Name) or not isinstance(value, ast.Call):
            continue
        made = module.resolve(value.func, function)
        if not is_mock_library(made) or made.rpartition(".")[2] not in MOCK_CLASSES:
            continue
        name = target.id.lower()
        if any(word in name for word in _LISTENERS):
            continue
        speaks = any(word in name for word in _SERVICE_WORDS) or _is_spoken_to(target.id, function)
        if speaks and _is_given(target.id, function):
            return value, target.id
    return None


def _is_spoken_to(name: str, function: Function) -> bool:
    """Tell whether a mock has methods that are prepared or looked at: it stands for an object, and is no callback."""
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == name
        and (node.attr.startswith("assert_") or node.attr in {"return_value", "side_effect", "call_args", "call_count"})
        for node in ast.walk(function.node)
    )


def _is_given(name: str, function: Function) -> bool:
    for call in function.calls:
        given = [*call.node.args, *(each.value for each in call.node.keywords)]
        if any(isinstance(each, ast.Name) and each.id == name for each in given):
            return not is_mock_library(call.name) and "assert" not in call.last
    return False


def _notes(handler: ast.ExceptHandler) -> bool:
    """Tell whether an `except` notes down that something can't be had, for tests to be skipped by."""
    if any("skip" in ast.unparse(each) for each in handler.body):
        return True
    noted = [each.value for each in handler.body if isinstance(each, ast.Assign)]
    return any(isinstance(value, ast.Constant) and value.value is False for value in noted)


def _is_lookup(handler: ast.ExceptHandler) -> bool:
    """Tell whether an `except` is for what is not in a container, and no sign that something can't be had."""
    return isinstance(handler.type, ast.Name) and handler.type.id in _LOOKUPS


def _is_harmless(call: Call) -> bool:
    """Tell whether a patch leaves the part real, or changes a setting only."""
    if any(keyword(call, name) is not None for name in _STILL_REAL):
        return True
    if any(name.startswith(_SPIES) for arg in call.node.args for name in names_in(arg)):
        return True
    target = 2 if call.last == "object" else 1  # how many arguments say what is replaced
    return any(isinstance(value, ast.Constant) for value in [*call.node.args[target:], keyword(call, "new")])


def _replaces_service(call: Call, module: Module, function: Function) -> bool:  # noqa: PLR0911 - one for each way
    if call.name.startswith(_FAKE_SERVICES):
        if call.name.startswith(_FAKE_HTTP) and module.tier_of(function) == "integration":
            return False  # what many call integration: the whole of a client, without the network
        return module.names.imported(call.name) or module.names.imported(ast.unparse(call.node.func))
    if call.name == "$monkeypatch.setattr":
        return _sets_fake(call, module, function)
    if not is_mock_library(call.name) or not is_patch(call.name) or _is_harmless(call):
        return False
    replaced = [
        *(word for arg in call.node.args[:2] for word in strings_in(arg)),
        *(module.resolve(arg, function) for arg in call.node.args[:1]),
    ]
    if any(word.startswith(_NO_SERVICES) or ".environ" in word for word in replaced):
        return False
    ends = [word.split(".")[-2:] for word in replaced]
    named = [word for arg in call.node.args[:2] for word in strings_in(arg)]
    if any(word in each.rpartition(".")[2].lower() for each in named for word in _WATCHED):
        return False
    if any(part[:1].isupper() for end in ends for part in end) or any(word in _CLIENTS for end in ends for word in end):
        return True
    return any(word in end[-1].lower() for end in ends for word in _SERVICE_WORDS)


def _sets_fake(call: Call, module: Module, function: Function) -> bool:
    """Tell whether `monkeypatch.setattr` puts a function or an object of the test's own in a service's place."""
    args = call.node.args
    match args:
        case [ast.Constant(value=str(target)), value, *_]:
            replaced = target
        case [owner, ast.Constant(value=str(name)), value, *_]:
            replaced = f"{module.resolve(owner, function)}.{name}"
        case _:
            return False
    own = isinstance(value, ast.Lambda) or _is_fake(value, module, function) or _is_own(value, module, function)
    parts = replaced.split(".")
    watched = any(word in parts[-1].lower() for word in _WATCHED)
    if not own or watched or replaced.startswith(_NO_SERVICES) or ".environ" in replaced:
        return False
    return bool({*_CLIENTS, *_CLIENTS_TOO} & set(parts)) or any(word in parts[-1].lower() for word in _SERVICE_WORDS)


_KEPT: Final = re.compile(r"orig|real|wrapped|actual|unpatched", re.IGNORECASE)


def _is_own(value: ast.expr, module: Module, function: Function) -> bool:
    """Tell whether a value is a function or a class that the test, or its module, defines."""
    name = value.func if isinstance(value, ast.Call) else value
    if not isinstance(name, ast.Name) or name.id in function.parameters:
        return False
    own = [each for each in ast.walk(function.node) if getattr(each, "name", "") == name.id]
    if any(_KEPT.search(word) for each in own for word in names_in(each)):
        return False  # it counts, or looks, and calls what it stands before
    inside = {each.name for each in function.all(ast.FunctionDef)} | {
        each.name for each in function.all(ast.AsyncFunctionDef)
    }
    return name.id in inside or name.id in module.defined or name.id in module.classes
