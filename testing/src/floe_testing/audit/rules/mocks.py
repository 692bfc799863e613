"""Mocks where the real thing should be."""

import ast
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.look import MOCK_CLASSES, is_mock_library, is_patch, keyword, names_in, strings_in
from floe_testing.audit.model import Example, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule

_FAKE_WORDS: Final = ("Mock", "Fake", "Stub", "Dummy")
_FAKE_SERVICES: Final = (
    *("responses.", "respx.", "requests_mock.", "httpretty.", "aioresponses.", "moto.", "fakeredis."),
    *("mongomock.", "vcr.", "pytest_httpx."),
)
_FAKE_FIXTURES: Final = frozenset(
    {"requests_mock", "responses", "respx_mock", "httpx_mock", "aioresponses", "fakeredis", "mocked_responses", "vcr"}
)
_SERVICE_WORDS: Final = (
    *("connect", "client", "session", "request", "http", "socket", "send", "publish", "upload", "download", "execute"),
    *("query", "producer", "consumer", "redis", "sql", "s3", "bucket", "queue", "broker", "fetch", "store", "cursor"),
)
"""What is in the names of functions that speak with a service; a class may well be one of its client's."""
_LOOKUPS: Final = frozenset({"KeyError", "IndexError", "LookupError", "AttributeError", "StopIteration"})
_SPIES: Final = ("spy", "wrap", "record", "count", "track")
_STILL_REAL: Final = ("wraps", "side_effect")
"""Arguments by which the real part runs all the same, or fails as it otherwise does, but not on demand."""
_NO_SERVICES: Final = ("os.", "sys.", "time.", "datetime.", "random.", "hashlib.", "environ", "argv", "stdin", "logg")
"""What a mock may well replace in an integration test: none of it is a service."""


class MockFallback(Rule):
    """A mock for what could not be had."""

    id = "FT101"
    name = "mock-fallback"
    severity = Severity.ERROR
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
        for function in [module.top, *module.functions]:
            tried = [node for node in function.all(ast.Try) if not _imports_mocks(node)]
            handlers = [each for node in tried for each in node.handlers if not (_is_lookup(each) or _notes(each))]
            for statement in (each for handler in handlers for each in handler.body):
                if _puts_fake(statement, module, function):
                    message = "a mock takes the place of what could not be had"
                    yield self.finding(module, statement, message, function)


class MockedService(Rule):
    """A mock in a test of the real thing."""

    id = "FT102"
    name = "mock-in-integration"
    severity = Severity.WARNING
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
            if module.tier_of(function) not in {"integration", "e2e"}:
                continue
            mocks = [call.node for call in function.calls if _replaces_service(call, module, function)]
            if mocks:
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
        value = statement.value.func if isinstance(statement.value, ast.Call) else statement.value
        last = module.resolve(value, function).rpartition(".")[2]
        return last in MOCK_CLASSES or last.startswith(_FAKE_WORDS)
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


def _replaces_service(call: Call, module: Module, function: Function) -> bool:
    if call.name.startswith(_FAKE_SERVICES):
        return module.names.imported(call.name) or module.names.imported(ast.unparse(call.node.func))
    if not is_mock_library(call.name) or not is_patch(call.name) or _is_harmless(call):
        return False
    replaced = [
        *(word for arg in call.node.args[:2] for word in strings_in(arg)),
        *(module.resolve(arg, function) for arg in call.node.args[:1]),
    ]
    if any(word.startswith(_NO_SERVICES) or ".environ" in word for word in replaced):
        return False
    ends = [word.split(".")[-2:] for word in replaced]
    if any(part[:1].isupper() for end in ends for part in end):
        return True
    return any(word in end[-1].lower() for end in ends for word in _SERVICE_WORDS)
