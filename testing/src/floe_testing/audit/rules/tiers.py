"""Tests that are not in the tier that they are of, by what they touch."""

import ast
import builtins
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.look import is_inside, is_patch, keyword, names_in, parametrized, strings_in, withs
from floe_testing.audit.model import TIERS, Example, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule

_NETWORK: Final = frozenset(
    {
        *(f"requests.{verb}" for verb in ("get", "post", "put", "delete", "head", "request")),
        *(f"httpx.{verb}" for verb in ("get", "post", "put", "delete", "head", "request")),
        *("urllib.request.urlopen", "socket.create_connection"),
        *("psycopg.connect", "psycopg2.connect", "pymysql.connect", "asyncpg.connect", "asyncpg.create_pool"),
        *("mysql.connector.connect", "aiomysql.connect", "MySQLdb.connect", "redis.Redis", "redis.StrictRedis"),
        *("redis.Redis.from_url", "redis.from_url", "pymongo.MongoClient", "smtplib.SMTP", "ftplib.FTP"),
        *("http.client.HTTPConnection", "http.client.HTTPSConnection", "paramiko.SSHClient"),
        "kubernetes.config.load_kube_config",
        *("docker.from_env", "docker.DockerClient", "minio.Minio", "grpc.insecure_channel"),
    }
)
_ALWAYS_FAR: Final = frozenset({"docker.from_env", "kubernetes.config.load_kube_config"})
"""What goes to a machine that is named elsewhere."""
_VERBS: Final = frozenset({"get", "post", "put", "delete", "head", "patch", "request", "stream", "ws_connect"})
_SESSIONS: Final = frozenset(
    {"aiohttp.ClientSession", "httpx.Client", "httpx.AsyncClient", "requests.Session", "requests.session"}
    | {"niquests.Session", "urllib3.PoolManager"}
)
_LOCAL: Final = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - an address to look for
_CONTAINERS: Final = ("testcontainers.", "pytest_docker.")
_PROGRAMS: Final = frozenset({"docker", "kubectl", "helm", "kind", "docker-compose", "podman"})
_RUN: Final = frozenset({"subprocess.run", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen"})
_STANDS_IN: Final = (
    *("responses", "requests_mock", "respx", "httpx_mock", "httpserver", "aioresponses", "vcr", "moto", "mock", "fake"),
    *("stub", "local_server", "unused_tcp_port", "patch"),
)
_WRITING_CALLS: Final = frozenset(
    {"os.mkdir", "os.makedirs", "os.remove", "os.unlink", "os.rename", "os.replace", "os.rmdir", "shutil.rmtree"}
    | {"shutil.copy", "shutil.copyfile", "shutil.copytree", "shutil.move", "os.symlink", "os.link"}
)
_WRITING_METHODS: Final = frozenset({"write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir", "symlink_to"})
_TEMPORARY: Final = ("tmp", "temp", "isolat", "chdir", "cwd", "workdir", "pytester", "testdir", "runner", "fs")
_NOWHERE: Final = ("/dev/", "/proc/", "memory:", "")
_HERE: Final = frozenset({"os.getcwd", "pathlib.Path.cwd", "pathlib.Path.home", "os.path.expanduser"})
_OF_ANOTHER: Final = frozenset(
    {"pathlib.Path", "os.path.join", "os.path.dirname", "os.path.abspath", "os.path.realpath"}
)
"""What gives a path that is as fixed as the one that it is given."""
_PLAIN: Final = frozenset(
    {"pytest", "math", "json", "re", "itertools", "functools", "collections", "textwrap", "datetime", "decimal", "copy"}
    | {"dataclasses", "typing", "string", "operator", "enum", "uuid", "__future__", "unittest", "random", "base64"}
)
"""Modules that reach nothing outside of the process."""
_WITHIN: Final = frozenset({"tmp_path", "tmpdir", "capsys", "caplog", "subtests"})
"""Fixtures that reach nothing outside of the test."""


class NetworkInUnit(Rule):
    """A unit test that leaves the process."""

    id = "FT501"
    name = "network-in-unit"
    severity = Severity.NOTE
    reason = (
        "A unit test that opens a connection, or starts a container, fails when somebody else's machine does. Hand "
        "the code under test what it would have got, or move the test to the integration tier."
    )
    bad = (
        Example("""
            import requests

            def test_rates():
                rates = requests.get("https://rates.example.com/today").json()
                assert convert(7, rates) == 6.3
        """),
        Example("""
            import subprocess

            def test_deploy():
                subprocess.run(["kubectl", "apply", "-f", "orders.yaml"], check=True)
        """),
    )
    good = (
        Example("""
            import requests

            def test_rates(requests_mock):
                requests_mock.get("https://rates.example.com/today", json={"EUR": 0.9})
                rates = requests.get("https://rates.example.com/today").json()
                assert convert(7, rates) == 6.3
        """),
        Example(
            """
            import requests

            def test_rates(rates_service):
                assert requests.get(rates_service.url).json() == {"EUR": 0.9}
            """,
            path="tests/integration/test_rates.py",
        ),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at the calls of unit tests and their fixtures."""
        for function in module.functions:
            if module.tier_of(function) != "unit" or _has_stand_in(module, function):
                continue
            for call in function.calls:
                goes = _is_network(call) or _is_of_session(call, module, function)
                if not call.nested and goes and _goes_far(call, module, function):
                    yield self.finding(module, call.node, f"{call.name} leaves the process in a unit test", function)


class FileInUnit(Rule):
    """A unit test that writes where it should not."""

    id = "FT502"
    name = "file-in-unit"
    severity = Severity.NOTE
    reason = (
        "A file in the working folder or the sources outlives the test: two runs meet in it, and the next test "
        "finds it. Write below `tmp_path`, which pytest makes and clears."
    )
    bad = (
        Example("""
            def test_export():
                with open("orders.csv", "w") as file:
                    export(Order(7), file)
                assert read("orders.csv") == [["7"]]
        """),
        Example("""
            from pathlib import Path

            def test_export():
                target = Path("out") / "orders.csv"
                target.write_text("7")
                assert read(target) == [["7"]]
        """),
    )
    good = (
        Example("""
            def test_export(tmp_path):
                target = tmp_path / "orders.csv"
                target.write_text("7")
                assert read(target) == [["7"]]
        """),
        Example("""
            def test_read():
                with open("tests/data/orders.csv") as file:
                    assert read(file) == [["7"]]
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at what unit tests and their fixtures write."""
        for function in module.functions:
            if module.tier_of(function) != "unit" or function.kind == "helper" or _is_temporary(module, function):
                continue
            for call in function.calls:
                path = None if call.nested else _written(call)
                if path is not None and _is_fixed(path, module, function):
                    message = "changes a file that is not in a temporary folder"
                    yield self.finding(module, call.node, message, function)
                    break


_REAL: Final = frozenset({"integration", "e2e"})


class TierContradiction(Rule):
    """A test whose marker and folder disagree."""

    id = "FT503"
    name = "marker-contradicts-folder"
    severity = Severity.NOTE
    reason = (
        "The folder says one tier and the marker another: `-m` and a path select different tests, and one of the "
        "two runs without what it needs."
    )
    bad = (
        Example("""
            import pytest

            @pytest.mark.integration
            def test_order_is_stored(postgres):
                assert place_order(7, postgres).number == 7
        """),
    )
    good = (
        Example(
            """
            import pytest

            @pytest.mark.integration
            def test_order_is_stored(postgres):
                assert place_order(7, postgres).number == 7
            """,
            path="tests/integration/test_orders.py",
        ),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Compare the markers of tests with their folder."""
        for function in module.functions:
            marks = {marker.name for marker in function.test.markers} & set(TIERS) if function.test else set()
            # The other way round, a marker may well tell what a test needs, and its folder what it is about.
            needs_more = bool(marks) and marks <= _REAL and module.tier not in {"", *_REAL}
            if needs_more:
                message = f"marked {', '.join(sorted(marks))} in a folder of the {module.tier} tier"
                yield self.finding(module, function.node, message, function)


class NothingReal(Rule):
    """A test of an upper tier that needs none of it."""

    id = "FT504"
    name = "nothing-real"
    severity = Severity.NOTE
    reason = (
        "A test of the integration or end-to-end tier that asks for no service and calls nothing but plain "
        "functions needs none: in the unit tier it runs on every save, without a cluster."
    )
    bad = (
        Example(
            """
            def test_total():
                lines = [3, 4]
                assert sum(lines) == 7
            """,
            path="tests/integration/test_orders.py",
        ),
    )
    good = (
        Example(
            """
            def test_order_is_stored(postgres):
                assert place_order(7, postgres).number == 7
            """,
            path="tests/integration/test_orders.py",
        ),
        Example(
            """
            from orders import place_order

            def test_order_is_stored():
                assert place_order(7).number == 7
            """,
            path="tests/integration/test_orders.py",
        ),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for tests of the upper tiers that can't reach anything."""
        for function in module.functions:
            tier = module.tier_of(function)
            if function.test is None or tier not in {"integration", "e2e"} or function.class_node is not None:
                continue
            if any(marker.name == "skip" for marker in function.test.markers):
                continue
            if set(function.parameters) <= parametrized(function) | _WITHIN and not _reaches_out(module, function):
                message = f"of the {tier} tier, and touches nothing real"
                yield self.finding(module, function.node, message, function)


def _is_of_session(call: Call, module: Module, function: Function) -> bool:
    """Tell whether a call is a request by a session: `session.get(…)`, or `aiohttp.ClientSession().get(…)`."""
    of = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
    if call.last not in _VERBS or of is None:
        return False
    opened: list[ast.expr] = [of] if isinstance(of, ast.Call) else []
    if isinstance(of, ast.Name):
        opened += [each.value for each in function.own(ast.Assign) if of.id in names_in(each.targets[0])]
        opened += [
            item.context_expr
            for block in withs(function)
            for item in block.items
            if item.optional_vars is not None and of.id in names_in(item.optional_vars)
        ]
    return any(
        isinstance(each, ast.Call)
        and module.resolve(each.func, function) in _SESSIONS
        and not {"transport", "app", "connector"} & {given.arg for given in each.keywords}
        for each in opened
    )


def _goes_far(call: Call, module: Module, function: Function) -> bool:
    """Tell whether a call names the machine that it goes to, and that is another one."""
    if call.name in _RUN | _ALWAYS_FAR or call.name.startswith(_CONTAINERS):
        return True
    if is_inside(function, call.node, "raises"):
        return False
    named = [value for name in ("url", "host", "dsn") if (value := keyword(call, name)) is not None]
    words = [word for each in [*call.node.args[:1], *named] for word in _texts(each, module, function)]
    hosts = [word for word in words if "://" in word or "." in word]
    host = keyword(call, "host")
    hosts += list(_texts(host, module, function)) if host is not None else []
    return any(hosts) and not any(home in word for word in words for home in _LOCAL)


def _texts(value: ast.expr, module: Module, function: Function) -> Iterator[str]:
    """Yield the text that an expression is, or that the name it is was given."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.Tuple) and value.elts:
        yield from _texts(value.elts[0], module, function)
    elif isinstance(value, ast.Name):
        for each in [*function.own(ast.Assign), *module.top.own(ast.Assign)]:
            if isinstance(each.value, ast.Constant) and value.id in names_in(each.targets[0]):
                yield str(each.value.value)


def _is_network(call: Call) -> bool:
    if call.name in _NETWORK or call.name.startswith(_CONTAINERS):
        return True
    first = call.node.args[0] if call.node.args else None
    command = first.elts[0] if isinstance(first, ast.List | ast.Tuple) and first.elts else first
    if call.name not in _RUN or not isinstance(command, ast.Constant) or not isinstance(command.value, str):
        return False
    return command.value.partition(" ")[0] in _PROGRAMS


def _has_stand_in(module: Module, function: Function) -> bool:
    words = [*function.parameters, *(call.name for call in function.calls), *map(ast.unparse, function.all_decorators)]
    return any(stand_in in word.lower() for word in words for stand_in in _STANDS_IN) or any(
        is_patch(call.name) for each in module.functions if each.kind in {"fixture", "setup"} for call in each.calls
    )


def _written(call: Call) -> ast.expr | None:
    """Return the expression of the path that a call writes to, None if it writes to none."""
    args = call.node.args
    if call.name in {"open", "io.open", "builtins.open"} and args:
        mode = args[1] if len(args) > 1 else keyword(call, "mode")
        return args[0] if _is_to_write(mode) else None
    if call.last == "open" and isinstance(call.node.func, ast.Attribute) and isinstance(call.node.func.value, ast.Call):
        mode = args[0] if args else keyword(call, "mode")
        return call.node.func.value if _is_to_write(mode) and call.node.func.value.args else None
    if call.name in _WRITING_CALLS and args:
        return args[-1] if call.last.startswith(("copy", "move", "rename", "replace", "symlink")) else args[0]
    if call.last in _WRITING_METHODS and isinstance(call.node.func, ast.Attribute):
        return call.node.func.value
    return None


def _is_to_write(mode: ast.expr | None) -> bool:
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and bool(set(mode.value) & set("wax+"))


def _is_fixed(path: ast.expr, module: Module, function: Function, depth: int = 3) -> bool:
    """Tell whether a path is the same in every run: a text, below the working folder, the home or the sources."""
    match path:
        case ast.Constant(value=str(text)):
            return not text.startswith(_NOWHERE[:-1]) and text != ""
        case (
            ast.BinOp(left=inner, op=ast.Div())
            | ast.Attribute(value=inner, attr="parent")
            | ast.Call(func=ast.Attribute(value=inner, attr="resolve" | "absolute" | "joinpath"))
        ):
            return _is_fixed(inner, module, function, depth)
        case ast.Call(func=func, args=[first, *_]) if module.resolve(func, function) in _OF_ANOTHER:
            return _is_fixed(first, module, function, depth)
        case ast.Call(func=func):
            return module.resolve(func, function) in _HERE
        case ast.Name(id=name) if depth and name != "__file__":
            values = [each.value for each in function.own(ast.Assign) if name in names_in(each.targets[0])]
            if name not in function.parameters:
                values = values or [
                    each.value for each in module.top.own(ast.Assign) if name in names_in(each.targets[0])
                ]
            return len(values) == 1 and _is_fixed(values[0], module, function, depth - 1)
    return isinstance(path, ast.Name) and path.id == "__file__"


def _is_temporary(module: Module, function: Function) -> bool:
    words = [*function.parameters, *(call.name for call in function.calls if "." in call.name)]
    words += [name for marker in (function.test.markers if function.test else ()) for name in map(str, marker.args)]
    words += [word for block in withs(function) for item in block.items for word in strings_in(item)]
    fixtures = [each for each in module.functions if each.kind in {"fixture", "setup"}]
    words += [call.name for each in fixtures for call in each.calls if call.last in {"chdir", "mkdtemp"}]
    return any(part in word.lower() for word in words for part in _TEMPORARY)


def _reaches_out(module: Module, function: Function) -> bool:
    """Tell whether a test may reach something outside: by what it imports, by a fixture for all, by a class."""
    if function.test is None or any(marker.name == "usefixtures" for marker in function.test.markers):
        return True
    if any(each.kind in {"fixture", "setup"} for each in module.functions):
        return True
    used = names_in(function.node) - set(function.parameters) - set(dir(builtins)) | names_in(function.node) & {"open"}
    stored = {
        node.id for node in ast.walk(function.node) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    whole = [module.names.resolve(ast.Name(name)) or name for name in used - stored - _pure(function)]
    return any(name.split(".")[0] not in _PLAIN for name in whole)


def _pure(function: Function) -> set[str]:
    """Return the functions that are given numbers alone, and whose result is compared with one."""
    found: set[str] = set()
    for node in function.own(ast.Assert):
        match node.test:
            case ast.Compare(left=ast.Call(func=ast.Name(id=name), args=args, keywords=[]), comparators=[result]):
                data = any(isinstance(each, ast.List | ast.Tuple | ast.Dict | ast.Set) for each in args)
                if data and all(_is_numeric(each) for each in [*args, result]):
                    found.add(name)
    return found


def _is_numeric(node: ast.expr) -> bool:
    leaves = [each for each in ast.walk(node) if isinstance(each, ast.Constant | ast.Name | ast.Call | ast.Attribute)]
    return all(isinstance(each, ast.Constant) and isinstance(each.value, int | float) for each in leaves)
