"""What stands in several modules, and should in one."""

import ast
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from floe_testing.audit.look import is_mock_library, keyword, names_in
from floe_testing.audit.manifests import Setting, is_telling, kind_of, read_settings_of
from floe_testing.audit.model import Example, Fact, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.project import Project
from floe_testing.audit.rule import Rule

_SCHEMES: Final = frozenset(
    {"postgres", "postgresql", "mysql", "mongodb", "redis", "rediss", "amqp", "amqps", "kafka", "nats", "clickhouse"}
    | {"bolt", "neo4j", "cassandra", "memcached", "pulsar", "mqtt", "ldap", "sftp", "ftp", "mssql", "oracle", "valkey"}
)
_ENVIRONMENT: Final = frozenset({"os.environ.get", "os.getenv", "os.environ.setdefault"})
_SERVICE_WORDS: Final = (
    "HOST",
    "PORT",
    "URL",
    "URI",
    "DSN",
    "ENDPOINT",
    "ADDRESS",
    "BROKER",
    "USER",
    "PASSWORD",
    "KEY",
)
_HOSTS: Final = ("host", "hostname", "server")
_REAL: Final = frozenset({"integration", "e2e"})
_ASYNC: Final = ("asyncio", "asynchronous")
_SHOWN: Final = 3
_SMALL: Final = 25
_LONG: Final = 40
_FEW: Final = 3
"""Statements that make a short body one that somebody has copied."""
_SETUP: Final = 70
"""Nodes below which the set-ups of two classes are alike by chance, or not worth a base for both."""
_LARGE: Final = 120
"""Nodes of a body, from which on two that differ in literals only are copies."""


class DuplicatedConfiguration(Rule):
    """Where a service is, written down several times."""

    id = "FT601"
    name = "duplicated-configuration"
    severity = Severity.NOTE
    reason = (
        "Where a service is, and how to log in, stands in several modules: change it in one, and the others test "
        "the old place, or nothing. Keep it in one fixture, or read it from the environment in one place."
    )
    bad = (
        Example(
            """
            import psycopg

            def test_orders():
                with psycopg.connect(host="localhost", port=5433) as db:
                    assert db.execute("select 1").fetchone() == (1,)
            """,
            path="tests/integration/test_orders.py",
            others={
                "tests/integration/test_invoices.py": """
                    import psycopg

                    def test_invoices():
                        with psycopg.connect(host="localhost", port=5433) as db:
                            assert db.execute("select 2").fetchone() == (2,)
                """
            },
        ),
        Example(
            """
            URL = "postgresql://orders:secret@localhost:5433/orders"
            """,
            path="tests/integration/test_orders.py",
            others={
                "tests/integration/test_invoices.py": """
                    INVOICES = "postgresql://orders:secret@localhost:5433/invoices"
                """
            },
        ),
    )
    good = (
        Example(
            """
            def test_orders(postgres):
                assert postgres.execute("select 1").fetchone() == (1,)
            """,
            path="tests/integration/test_orders.py",
            others={
                "tests/integration/conftest.py": """
                    import psycopg
                    import pytest

                    @pytest.fixture
                    def postgres():
                        with psycopg.connect(host="localhost", port=5433) as db:
                            yield db
                """
            },
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:  # noqa: ARG002 - the rule's signature
        """Note the literals that say where a service is."""
        if module.tier not in _REAL and not module.path.endswith("conftest.py"):
            return
        for function in [module.top, *module.functions]:
            for call in function.calls:
                for value in [] if "assert" in call.last else _from_call(call):
                    yield self.fact(module, call.node, function, key=value, label=value)
        for node in module.urls:
            function = module.function_at(node.lineno)
            url = _split(node)
            if url is not None and _is_service(url) and _is_used(node, function):
                yield self.fact(
                    module, node, function, key=f"{url.scheme}://{url.netloc}", label=_without_password(url)
                )

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:  # noqa: ARG002 - as above
        """Report what several modules state."""
        for places in _in_several_modules(facts):
            for place in places[1:]:
                message = f"{place.label} is written here, and in {_listed(places, place)}"
                yield self.finding_at(place, message)


class CopiedInfrastructure(Rule):
    """A fixture or helper that was copied."""

    id = "FT602"
    name = "copied-infrastructure"
    severity = Severity.NOTE
    reason = (
        "A fixture or helper stands in several modules, word for word or nearly: what is mended in one stays broken "
        "in the others. Move it to a `conftest.py`, or to a module that both import."
    )
    bad = (
        Example(
            """
            import pytest

            @pytest.fixture
            def bucket(store):
                name = store.unique_name("orders")
                store.create(name, region="eu")
                yield store.open(name)
                for key in store.keys(name):
                    store.delete(name, key)
                store.remove(name)
            """,
            path="tests/integration/test_orders.py",
            others={
                "tests/integration/test_invoices.py": """
                    import pytest

                    @pytest.fixture
                    def invoices(store):
                        bucket = store.unique_name("orders")
                        store.create(bucket, region="eu")
                        yield store.open(bucket)
                        for each in store.keys(bucket):
                            store.delete(bucket, each)
                        store.remove(bucket)
                """
            },
        ),
    )
    good = (
        Example(
            """
            import pytest

            @pytest.fixture
            def orders(bucket):
                return bucket("orders")
            """,
            path="tests/integration/test_orders.py",
            others={
                "tests/integration/test_invoices.py": """
                    import pytest

                    @pytest.fixture
                    def invoices(bucket):
                        return bucket("invoices")
                """
            },
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:  # noqa: ARG002 - the rule's signature
        """Note the shape of each fixture and helper."""
        if module.is_generated or not _is_of_suite(module):
            return
        for function in module.functions:
            if function.kind != "test" and not function.name.startswith("test") and not _is_own_copy(function, module):
                shape = _shape(function)
                if shape is not None:
                    yield self.fact(module, function.node, function, key=shape, label=function.symbol)

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:
        """Report shapes that several modules have."""
        made = {path for path in {each.path for each in facts} if _is_made_of_asynchronous(path, project)}
        written = [each for each in facts if each.path not in made]
        for places in _in_several_modules(_by_project(written, project)):
            twins = [_without_side(each.path) for each in places]
            for place, own in zip(places[1:], twins[1:], strict=True):
                others = [each for each, twin in zip(places, twins, strict=True) if twin != own]
                if others:
                    yield self.finding_at(place, f"{place.label} is a copy of what is in {_listed(others, place)}")


class RepeatedSetting(Rule):
    """A value of a manifest, written again in a test."""

    id = "FT603"
    name = "repeated-setting"
    severity = Severity.NOTE
    reason = (
        "A manifest says what the service's port, user or bucket is, and the test says it again: change one, and the "
        "other is wrong. Take it from the service's fixture, or from the environment that the manifest fills."
    )
    bad = (
        Example(
            """
            import psycopg

            def test_orders():
                with psycopg.connect(host="orders-db", port=5433, user="clerk") as db:
                    assert db.execute("select 1").fetchone() == (1,)
            """,
            path="tests/integration/test_orders.py",
            others={
                "k8s/postgres.yaml": """
                    kind: Service
                    metadata:
                      name: orders-db
                    spec:
                      ports:
                        - port: 5433
                """
            },
        ),
    )
    good = (
        Example(
            """
            def test_orders(postgres):
                assert postgres.execute("select 1").fetchone() == (1,)
            """,
            path="tests/integration/test_orders.py",
            others={
                "k8s/postgres.yaml": """
                    kind: Service
                    metadata:
                      name: orders-db
                    spec:
                      ports:
                        - port: 5433
                """
            },
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:  # noqa: ARG002 - the rule's signature
        """Note the values that calls and constants give to what looks like a service's setting."""
        if module.tier not in _REAL and not module.path.endswith("conftest.py"):
            return
        for function in [module.top, *module.functions]:
            for call in function.calls:
                for kind, value in [] if "assert" in call.last else _settings_of(call):
                    yield self.fact(module, call.node, function, key=kind, label=value)
        for statement in module.top.own(ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            for kind, value in _told([(name, statement.value) for name in names]):
                yield self.fact(module, statement, key=kind, label=value)
        for node in module.urls:
            function = module.function_at(node.lineno)
            url = _split(node)
            if url is not None and url.hostname and url.port and _is_used(node, function):
                yield self.fact(module, node, function, key="address", label=f"{url.hostname}:{url.port}")

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:
        """Report the values that a manifest has too, once for each line."""
        if not facts or project.root is None:
            return
        known: dict[tuple[str, str], Setting] = {}
        for each in read_settings_of(project.config.manifests, project.root):
            known.setdefault((each.kind, each.value), each)
        hosts = {value for kind, value in known if kind == "host"}
        seen: set[tuple[str, int]] = set()
        for fact in facts:
            host, _, port = fact.label.rpartition(":") if fact.key == "address" else ("", "", fact.label)
            same = known.get(("port" if fact.key == "address" else fact.key, port))
            if host and host.partition(".")[0] not in hosts:
                continue  # another machine's port, which is the same by chance
            if same is not None and (fact.path, fact.line) not in seen:
                seen.add((fact.path, fact.line))
                shown = "a password" if fact.key == "password" else f"the {fact.key} {fact.label}"
                yield self.finding_at(fact, f"{shown} stands in {same.place} already")


def _settings_of(call: Call) -> Iterator[tuple[str, str]]:
    given = [(each.arg, each.value) for each in call.node.keywords if each.arg]
    if call.name in _ENVIRONMENT and len(call.node.args) > 1 and isinstance(call.node.args[0], ast.Constant):
        given.append((str(call.node.args[0].value), call.node.args[1]))
    return _told(given)


def _told(given: Iterable[tuple[str, ast.expr]]) -> Iterator[tuple[str, str]]:
    for name, expression in given:
        kind, value = kind_of(name), _literal(expression)
        if kind is not None and value is not None and is_telling(kind, value):
            yield kind, value


def _literal(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int) and not isinstance(node.value, bool):
        return str(node.value)
    return None


def _by_project(facts: Sequence[Fact], project: Project) -> list[Fact]:
    """Return the facts with keys of the project that each file is of: what is in two of them can't be shared."""
    known: dict[tuple[str, bool], str] = {}

    def project_of(folder: str, *, deployed: bool) -> str:
        if (folder, deployed) not in known:
            here = project.root / folder if project.root is not None else None
            names = (*_PROJECTS, "Dockerfile") if deployed else _PROJECTS
            own = here is not None and any((here / name).is_file() for name in names)
            above = folder.rpartition("/")[0]
            known[folder, deployed] = folder if own or not folder else project_of(above, deployed=deployed)
        return known[folder, deployed]

    def project_of_file(path: str) -> str:
        folder, _, name = path.rpartition("/")
        return project_of(folder, deployed=not name.startswith(("test", "conftest")))  # an application, of an image

    return [replace(fact, key=f"{fact.key} {project_of_file(fact.path)}") for fact in facts]


_PROJECTS: Final = ("pyproject.toml", "setup.py", "setup.cfg")


def _in_several_modules(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """Yield the first place of each module, for keys that several modules have."""
    by_key: dict[str, dict[str, Fact]] = defaultdict(dict)
    for fact in facts:
        by_key[fact.key].setdefault(fact.path, fact)
    for places in by_key.values():
        if len(places) > 1:
            yield list(places.values())


def _without_side(path: str) -> str:
    """Return a module's path without what tells that it is for asynchronous code, or for which version of something.

    A module for synchronous and one for asynchronous code have the same, and are alike by design; so are those of an
    old version and a new one, which go apart.
    """
    parts = [part.removeprefix("test_") for part in path.split("/")]
    kept = [part.removeprefix("async_") for part in parts if not part.startswith(_ASYNC)]
    return "/".join(_VERSION.sub("", part) for part in kept)


_VERSION: Final = re.compile(r"(?<![A-Za-z])v\d+(?:_\d+)*(?![A-Za-z])")


def _listed(places: Sequence[Fact], but: Fact) -> str:
    others = [f"{place.path}:{place.line}" for place in places if place is not but]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return ", ".join(others[:_SHOWN]) + more


def _from_call(call: Call) -> Iterator[str]:
    if call.name in _ENVIRONMENT:
        match call.node.args:
            case [ast.Constant(value=str(name)), ast.Constant(value=str(value))] if value:
                if name.upper().endswith(_SERVICE_WORDS):
                    yield f"{name}={value}"
    port = keyword(call, "port")
    host = next((given for each in _HOSTS if (given := keyword(call, each)) is not None), None)
    match host, port:
        case ast.Constant(value=str(place)), ast.Constant(value=int(number) | str(number)) if number:
            yield f"{place}:{number}"


def _is_used(node: ast.Constant, function: Function) -> bool:
    """Tell whether an address is one to go to: in a test, an address that nothing is called with is data."""
    calls = [each for each in function.ancestors(node) if isinstance(each, ast.Call)]
    if any("assert" in ast.unparse(call.func) or ast.unparse(call.func) in _ENVIRONMENT for call in calls):
        return False
    return bool(calls) or function.kind != "test"


def _split(node: ast.Constant) -> SplitResult | None:
    try:
        url = urlsplit(str(node.value))
        port = url.port
    except ValueError:
        return None  # no URL, or one with a port that is none
    return None if port == 0 else url


def _is_service(url: SplitResult) -> bool:
    return bool(url.hostname) and (url.scheme.partition("+")[0] in _SCHEMES or url.port is not None)


def _without_password(url: SplitResult) -> str:
    return f"{url.scheme}://{url.hostname}" + (f":{url.port}" if url.port else "")


def _is_of_suite(module: Module) -> bool:
    """Tell whether a module is one of tests, or sets them up: others may be data, or programs that share nothing."""
    name = module.path.rpartition("/")[2]
    return bool(module.tests) or name.startswith(("test", "conftest")) or name.endswith(("_test.py", "_tests.py"))


def _is_made_of_asynchronous(path: str, project: Project) -> bool:
    """Tell whether a module is the synchronous twin of an asynchronous one: a program makes it, or both go together.

    Only once all is read: what is noted of a module is kept for as long as it is the same, whatever comes beside it.
    """
    twin = re.sub(r"(?<!a)sync", "async", path)
    return twin != path and project.root is not None and (project.root / twin).is_file()


_COPY_MEANT: Final = re.compile(
    r"\b(?:overrid\w+|overwrit\w+|cop(?:y|ied) (?:of|from)|vendored|taken from|duplicat\w+|in sync)\b"
)
"""How comments and docstrings say that something stands elsewhere too, and that its author knows."""


def _is_own_copy(function: Function, module: Module) -> bool:
    """Tell whether a function is its module's own: a sample's method, a small set-up, or what says why it is there."""
    if function.name.startswith("__") and function.name != "__init__":
        return True
    if function.kind == "setup" and function.class_node is not None and _size(function) < _SETUP:
        return True
    if _uses_own_things(function, module) or _only_mocks(function) or function.all(ast.ClassDef):
        return True  # a model that a fixture defines is that of the tests beside it
    return _COPY_MEANT.search(module.reasons(function).lower()) is not None


def _only_mocks(function: Function) -> bool:
    """Tell whether all that a function calls makes mocks, which say what the tests beside it need."""
    calls = function.calls
    return bool(calls) and all("mock" in call.last.lower() or is_mock_library(call.name) for call in calls)


def _uses_own_things(function: Function, module: Module) -> bool:
    """Tell whether a function works with what its module makes: a class, an engine; it can't move without that."""
    made = {
        name
        for each in module.top.own(ast.Assign)
        if isinstance(each.value, ast.Call)
        for target in each.targets
        for name in names_in(target)
    }
    given = set(function.parameters) | ({function.class_node.name} if function.class_node else set())
    return bool((({*module.classes} | made) & names_in(function.node)) - given)


def _size(function: Function) -> int:
    return sum(1 for _ in ast.walk(function.node))


def _shape(function: Function) -> str | None:
    """Return a hash of a function's body, whatever its own names are called; None of a small one."""
    if isinstance(function.node, ast.Module):
        return None
    body = function.node.body
    if ast.get_docstring(function.node, clean=False) is not None:
        body = body[1:]
    own = {name: str(place) for place, name in enumerate(function.parameters)}
    size = sum(sum(1 for _ in ast.walk(statement)) for statement in body)
    if size < _SMALL or len(body) < (_FEW if size < _LONG else 2):
        return None  # a statement or two are alike by chance
    words: list[str] = []
    for statement in body:
        _spell(statement, own, words, literals=size < _LARGE)
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _spell(node: ast.AST, own: dict[str, str], words: list[str], *, literals: bool) -> None:
    """Write a tree down, in words: names that the function gives are numbered in their order."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store):
            own.setdefault(node.id, str(len(own)))
        words.append(own.get(node.id, node.id))
        return
    if isinstance(node, ast.Constant):
        words.append(repr(node.value) if literals else type(node.value).__name__)
        return
    words.append(type(node).__name__)
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "type_comment", "ctx"}:
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                _spell(each, own, words, literals=literals)
            elif each is not None:
                words.append(str(each))
