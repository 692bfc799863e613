"""The tests of a repository and their markers, read from syntax trees: nothing of it is imported."""

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from floe_testing import syntax
from floe_testing.cache import Cache, Form, digest
from floe_testing.collection import CollectionRules, find_python_files, read_collection_rules
from floe_testing.syntax import FunctionNode, Names, parse, statements

_FEW_FILES = 40
"""Up to here one process is done before a second has started."""


@dataclass(frozen=True)
class Expression:
    """A value that only running the code could tell."""

    code: str


Value: TypeAlias = "str | int | float | bool | Expression | tuple[Value, ...] | None"
"""An argument of a marker; lists and sets are tuples, and what JSON does not know is an expression."""


@dataclass(frozen=True)
class Marker:
    """One `pytest.mark.<name>(…)` that applies to a test."""

    name: str
    args: tuple[Value, ...] = ()
    kwargs: Mapping[str, Value] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class TestFunction:
    """A test, as pytest would collect it before parameters are filled in."""

    __test__: ClassVar = False

    node_id: str
    """As pytest writes it: `tests/test_orders.py::TestOrders::test_total`."""
    name: str
    class_name: str | None
    """The class that pytest runs it in, `Outer.Inner` if nested."""
    line: int
    """Where `def` stands."""
    markers: tuple[Marker, ...] = ()
    """Its own, then its class's, then its module's."""
    docstring: str | None = None


@dataclass(frozen=True)
class Problem:
    """A file that could not be read."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        """Return `path:line: message`."""
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class TestModule:
    """A file of tests."""

    __test__: ClassVar = False

    path: Path
    relative: str
    """From the root, with forward slashes."""
    tests: tuple[TestFunction, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ParsedModule:
    """A module beside its syntax tree, which is too large to keep for a whole suite."""

    module: TestModule
    tree: ast.Module
    source: bytes
    nodes: Mapping[FunctionNode, TestFunction]
    """The functions that are tests; one that is inherited has the first test that runs it."""


@dataclass(frozen=True)
class Suite:
    """The modules of tests, sorted by path."""

    modules: tuple[TestModule, ...]

    @property
    def tests(self) -> Iterator[TestFunction]:
        """Every test."""
        return (test for module in self.modules for test in module.tests)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every file that could not be read."""
        return tuple(problem for module in self.modules for problem in module.problems)


def read_suite(paths: Sequence[Path], root: Path, cache_folder: Path | None = None) -> Suite:
    """Return the tests under `paths`.

    Args:
        paths: Files and folders. A file is read whatever its name.
        root: The repository, whose pytest configuration is honoured, and which node ids start from.
        cache_folder: Where modules that were read before are; none: every file is read.

    Raises:
        NoSuchPathError: Names every path that is not there.
    """
    rules = read_collection_rules(root)
    named = {path.resolve() for path in paths if path.is_file()}
    files = [file for file in find_python_files(paths, rules) if file in named or rules.is_test_file(file)]
    read = partial(read_module, root=root.resolve(), rules=rules)
    if cache_folder is None:
        return Suite(tuple(_each(read, files)))
    cache = Cache(Form(dump_module, load_module), cache_folder, root.resolve(), _version(rules))
    keys = [(str(file), digest(file)) for file in files]
    return Suite(tuple(cache.complete(keys, lambda places: _each(read, [files[place] for place in places]))))


def _each(read: partial[TestModule], files: Sequence[Path]) -> list[TestModule]:
    if len(files) <= _FEW_FILES:
        return list(map(read, files))
    with ProcessPoolExecutor(max_workers=workers()) as pool:
        return list(pool.map(read, files, chunksize=20))


def _version(rules: CollectionRules) -> str:
    """Return a hash of all that a module's tests depend on, but the file."""
    return " ".join([sys.version, str(rules), *(digest(Path(each)) for each in (syntax.__file__, __file__))])


def dump_module(module: TestModule) -> str:
    """Return a module as JSON."""
    return json.dumps(asdict(module), default=str)


def load_module(text: str) -> TestModule:
    """Return the module that was written as JSON."""
    content = json.loads(text)
    return TestModule(
        path=Path(content["path"]),
        relative=content["relative"],
        tests=tuple(_load_test(each) for each in content["tests"]),
        problems=tuple(Problem(**each) for each in content["problems"]),
    )


def _load_test(content: dict[str, Any]) -> TestFunction:
    markers = (
        Marker(
            each["name"],
            tuple(map(_load_value, each["args"])),
            {name: _load_value(value) for name, value in each["kwargs"].items()},
            each["line"],
        )
        for each in content["markers"]
    )
    return TestFunction(**{**content, "markers": tuple(markers)})


def _load_value(value: Any) -> Value:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return tuple(map(_load_value, value))
    return Expression(value["code"]) if isinstance(value, dict) else value


def workers() -> int:
    """Return how many processes may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_module(path: Path, root: Path, rules: CollectionRules) -> TestModule:
    """Return a module's tests; one that can't be read has none, and a problem."""
    parsed = parse_module(path, root, rules)
    return parsed.module if isinstance(parsed, ParsedModule) else parsed


def parse_module(path: Path, root: Path, rules: CollectionRules) -> ParsedModule | TestModule:
    """Return a module and its syntax tree, or what is known of one that can't be read."""
    relative = Path(os.path.relpath(path, root)).as_posix()
    try:
        source = path.read_bytes()
        tree = parse(source, relative)
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        problem = Problem(relative, line, getattr(error, "msg", None) or str(error))
        return TestModule(path, relative, problems=(problem,))
    found = _Collector(relative, rules).collect(tree)
    nodes: dict[FunctionNode, TestFunction] = {}
    for node, test in found:
        nodes.setdefault(node, test)
    return ParsedModule(TestModule(path, relative, tuple(test for _, test in found)), tree, source, nodes)


class _Collector:
    """Finds one module's tests."""

    def __init__(self, relative: str, rules: CollectionRules) -> None:
        self._relative = relative
        self._rules = rules
        self._names = Names()
        self._constants: dict[str, ast.expr] = {}
        self._classes: dict[str, ast.ClassDef] = {}

    def collect(self, tree: ast.Module) -> list[tuple[FunctionNode, TestFunction]]:
        body = list(statements(tree.body))
        for statement in body:
            self._names.see(statement)
            if isinstance(statement, ast.ClassDef):
                self._classes[statement.name] = statement
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self._constants[statement.targets[0].id] = statement.value
        if _constant(body, "__test__") is False:
            return []
        return list(self._scope(body, (), self._own_markers([], body), in_unittest=False))

    def _scope(
        self, body: Iterable[ast.stmt], classes: tuple[str, ...], outer: tuple[Marker, ...], *, in_unittest: bool
    ) -> Iterator[tuple[FunctionNode, TestFunction]]:
        # As at run time, the last definition of a name is the one there is.
        defined = {
            statement.name: statement
            for statement in body
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        for name, node in defined.items():
            if isinstance(node, ast.ClassDef):
                yield from self._class(node, classes, outer)
            elif self._is_test(name, node, in_unittest=in_unittest):
                yield (
                    node,
                    TestFunction(
                        node_id="::".join([self._relative, *classes, name]),
                        name=name,
                        class_name=".".join(classes) or None,
                        line=node.lineno,
                        markers=(*self._own_markers(node.decorator_list, ()), *outer),
                        docstring=ast.get_docstring(node),
                    ),
                )

    def _class(
        self, node: ast.ClassDef, classes: tuple[str, ...], outer: tuple[Marker, ...]
    ) -> Iterator[tuple[FunctionNode, TestFunction]]:
        line = self._lineage(node)
        in_unittest = any(self._is_unittest_base(base) for ancestor in line for base in ancestor.bases)
        # Bases first, so that what a class redefines is its own.
        body = [statement for ancestor in reversed(line) for statement in statements(ancestor.body)]
        wanted = _constant(body, "__test__")
        if wanted is False or not (in_unittest or wanted or self._rules.is_test_class(node.name)):
            return
        if not in_unittest and any(getattr(statement, "name", None) in {"__init__", "__new__"} for statement in body):
            return
        markers = tuple(
            marker
            for ancestor in line
            for marker in self._own_markers(ancestor.decorator_list, statements(ancestor.body))
        )
        yield from self._scope(body, (*classes, node.name), (*markers, *outer), in_unittest=in_unittest)

    def _lineage(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """Return the class and those bases of it that this module defines, nearest first."""
        line: list[ast.ClassDef] = []
        waiting = [node]
        while waiting:
            this = waiting.pop(0)
            if this in line:
                continue
            line.append(this)
            bases = (self._classes.get(base.id) for base in this.bases if isinstance(base, ast.Name))
            waiting += [base for base in bases if base is not None]
        return line

    def _is_unittest_base(self, base: ast.expr) -> bool:
        # A base from elsewhere is known by its name only.
        return (self._names.resolve(base) or "").endswith("TestCase")

    def _is_test(self, name: str, node: FunctionNode, *, in_unittest: bool) -> bool:
        if not (name.startswith("test") if in_unittest else self._rules.is_test_function(name)):
            return False
        return not any(self._is_fixture(decorator) for decorator in node.decorator_list)

    def _is_fixture(self, decorator: ast.expr) -> bool:
        name = self._names.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator)
        return name is not None and name.rpartition(".")[2] in {"fixture", "yield_fixture"}

    def _own_markers(self, decorators: Iterable[ast.expr], body: Iterable[ast.stmt]) -> tuple[Marker, ...]:
        return tuple(
            marker
            for expression in [*decorators, *_pytestmark(body)]
            if (marker := self._marker(expression)) is not None
        )

    def _marker(self, expression: ast.expr) -> Marker | None:
        call = expression if isinstance(expression, ast.Call) else None
        name = self._names.resolve(call.func if call else expression) or ""
        if not name.startswith("pytest.mark."):
            # `needs_orders = pytest.mark.requirement("REQ-1")`, used by its name
            aliased = self._constants.get(name) if call is None else None
            return self._marker(aliased) if isinstance(aliased, ast.Call) else None
        name = name.removeprefix("pytest.mark.")
        if call is None:
            return Marker(name, line=expression.lineno)
        kwargs = {keyword.arg: self._value(keyword.value) for keyword in call.keywords if keyword.arg}
        return Marker(name, tuple(self._value(value) for value in call.args), kwargs, expression.lineno)

    def _value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Name) and isinstance(self._constants.get(node.id), ast.Constant):
            node = self._constants[node.id]
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return tuple(self._value(element) for element in node.elts)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
            return node.value
        return Expression(ast.unparse(node))


def _constant(body: Iterable[ast.stmt], name: str) -> object:
    """Return the constant that a scope gives a name, None if it gives it none."""
    found = None
    for statement in body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            found = statement.value.value if name in map(_target, statement.targets) else found
    return found


def _pytestmark(body: Iterable[ast.stmt]) -> list[ast.expr]:
    found: list[ast.expr] = []
    for statement in body:
        values = getattr(statement, "value", None)
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if values is None or "pytestmark" not in map(_target, targets):
            continue
        elements = values.elts if isinstance(values, ast.List | ast.Tuple) else [values]
        found = [*found, *elements] if isinstance(statement, ast.AugAssign) else elements
    return found


def _target(node: ast.expr | None) -> str | None:
    return node.id if isinstance(node, ast.Name) else None
