"""The tests of a repository and their markers, read from syntax trees: nothing of it is imported."""

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from floe_testing.suite import definitions, markers, syntax
from floe_testing.suite.cache import Cache, Form, digest, freshness
from floe_testing.suite.collection import CollectionRules, find_python_files, read_collection_rules
from floe_testing.suite.definitions import Definitions, Modules, definitions_in
from floe_testing.suite.markers import Case, Expression, Marker, Scope, Unread, Value, module_scope
from floe_testing.suite.processes import read_each
from floe_testing.suite.syntax import FunctionNode, Names, describe, parse, statements

_PYTESTMARK: Final = "pytestmark"
_NO_METHODS: Final = frozenset({"object", "Generic", "Protocol", "ABC"})
"""Base classes that bring no method."""
_PARAMETRIZE: Final = "pytest.mark.parametrize"
_NO_MARKERS: Final = ("pytest.", "unittest.", "staticmethod", "classmethod", "property", "functools.", "contextlib.")


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
    parameters: tuple[tuple[Case, ...], ...] = ()
    """The sets of parameters of each `parametrize`, that written first coming first; none where they can't be read."""
    unread: tuple[Unread, ...] = ()
    """What stands where its markers do, and can't be read as one."""


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
    unread: tuple[Unread, ...] = ()
    """Statements that put markers on something, in a way that can't be read."""
    others: Mapping[str, str] = field(default_factory=dict)
    """The other modules that its markers lead to, each with the hash of what is in it."""


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
    read = partial(read_module, root=root.resolve(), rules=rules, modules=Modules(root.resolve()))
    if cache_folder is None:
        return Suite(tuple(read_each(read, files)))
    are_current = freshness()
    form = Form(dump_module, load_module, lambda module: are_current(module.others))
    cache = Cache(form, cache_folder, root.resolve(), _version(rules))
    keys = [(str(file), digest(file)) for file in files]
    return Suite(tuple(cache.complete(keys, lambda places: read_each(read, [files[place] for place in places]))))


def _version(rules: CollectionRules) -> str:
    """Return a hash of all that a module's tests depend on, but the file."""
    sources = (syntax.__file__, definitions.__file__, markers.__file__, __file__)
    return " ".join([sys.version, str(rules), *(digest(Path(each)) for each in sources)])


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
        unread=tuple(Unread(**each) for each in content["unread"]),
        others=content["others"],
    )


def _load_test(content: dict[str, Any]) -> TestFunction:
    parameters = tuple(tuple(map(_load_case, cases)) for cases in content["parameters"])
    return TestFunction(**{**content, **_load_read(content), "parameters": parameters})


def _load_case(content: dict[str, Any]) -> Case:
    return Case(tuple(content["ids"]), **_load_read(content))


def _load_read(content: dict[str, Any]) -> dict[str, Any]:
    found = (
        Marker(
            each["name"],
            tuple(map(_load_value, each["args"])),
            {name: _load_value(value) for name, value in each["kwargs"].items()},
            each["line"],
        )
        for each in content["markers"]
    )
    return {"markers": tuple(found), "unread": tuple(Unread(**each) for each in content["unread"])}


def _load_value(value: Any) -> Value:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return tuple(map(_load_value, value))
    return Expression(value["code"]) if isinstance(value, dict) else value


def read_module(path: Path, root: Path, rules: CollectionRules, modules: Modules) -> TestModule:
    """Return a module's tests; one that can't be read has none, and a problem."""
    parsed = parse_module(path, root, rules, modules)
    return parsed.module if isinstance(parsed, ParsedModule) else parsed


def parse_module(
    path: Path, root: Path, rules: CollectionRules, modules: Modules | None = None, *, explains: bool = True
) -> ParsedModule | TestModule:
    """Return a module and its syntax tree, or what is known of one that can't be read.

    Args:
        path: The file.
        root: The repository.
        rules: What pytest takes for a test.
        modules: The modules of the repository that others of its modules have led to already.
        explains: Whether to tell what stands where markers do, and can't be read as one.
    """
    modules = modules or Modules(root)
    relative = Path(os.path.relpath(path, root)).as_posix()
    try:
        source = path.read_bytes()
        tree = parse(source, relative)
        collector = _Collector(path, relative, rules, modules, explains=explains)
        found = collector.collect(tree)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = Problem(relative, getattr(error, "lineno", None) or 1, describe(error))
        return TestModule(path, relative, problems=(problem,))
    nodes: dict[FunctionNode, TestFunction] = {}
    for node, test in found:
        nodes.setdefault(node, test)
    module = TestModule(
        path,
        relative,
        tuple(test for _, test in found),
        unread=tuple(collector.unread),
        others={str(file): modules.digest(file) for file in sorted(collector.others)},
    )
    return ParsedModule(module, tree, source, nodes)


@dataclass(frozen=True)
class _Read:
    """What was read where markers stand."""

    markers: tuple[Marker, ...] = ()
    unread: tuple[Unread, ...] = ()
    parameters: tuple[tuple[Case, ...], ...] = ()

    def __add__(self, other: "_Read") -> "_Read":
        return _Read(self.markers + other.markers, self.unread + other.unread, self.parameters + other.parameters)


_Placed: TypeAlias = "tuple[ast.stmt, Scope]"
"""A statement, and where the names in it are looked up."""


@dataclass(frozen=True)
class _Class:
    """A class, of this module or of another one of the repository."""

    node: ast.ClassDef
    scope: Scope


class _Collector:
    """Finds one module's tests."""

    def __init__(self, path: Path, relative: str, rules: CollectionRules, modules: Modules, *, explains: bool) -> None:
        self._path = path
        self._modules = modules
        self._explains = explains
        self._relative = relative
        self._rules = rules
        self._names = Names()
        self._module = Scope(path, modules, self._names, Definitions())

    @property
    def others(self) -> set[Path]:
        """The other modules that were read."""
        return self._module.others

    def collect(self, tree: ast.Module) -> list[tuple[FunctionNode, TestFunction]]:
        body = list(statements(tree.body))
        for statement in body:
            self._names.see(statement)
        self._module = module_scope(self._path, self._modules, self._names, body, explains=self._explains)
        self.unread = list(_put_on(body, self._module)) if self._explains else []
        if _constant(body, "__test__") is False:
            return []
        here = [(statement, self._module) for statement in body]
        return list(self._scope(here, (), self._read(self._module, [], marked=True), in_unittest=False))

    def _scope(
        self, body: Iterable[_Placed], classes: tuple[str, ...], outer: _Read, *, in_unittest: bool, line: int = 0
    ) -> Iterator[tuple[FunctionNode, TestFunction]]:
        # As at run time, the last definition of a name is the one there is.
        defined = {
            statement.name: (statement, scope)
            for statement, scope in body
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        for name, (node, scope) in defined.items():
            if isinstance(node, ast.ClassDef):
                yield from self._class(node, classes, outer, scope)
            elif self._is_test(name, node, scope, in_unittest=in_unittest):
                read = self._read(scope, node.decorator_list) + outer
                yield (
                    node,
                    TestFunction(
                        node_id="::".join([self._relative, *classes, name]),
                        name=name,
                        class_name=".".join(classes) or None,
                        line=node.lineno if scope.file == self._module.file else line,
                        markers=read.markers,
                        docstring=ast.get_docstring(node),
                        parameters=read.parameters,
                        unread=read.unread,
                    ),
                )

    def _class(
        self, node: ast.ClassDef, classes: tuple[str, ...], outer: _Read, scope: Scope
    ) -> Iterator[tuple[FunctionNode, TestFunction]]:
        line = _lineage(node, scope)
        in_unittest = any(map(_is_unittest, line))
        # Bases first, so that what a class redefines is its own.
        placed = [(self._modules.of_class(each.node).statements, each.scope) for each in reversed(line)]
        body = [statement for own, _ in placed for statement in own]
        wanted = _constant(body, "__test__")
        if wanted is False or not (in_unittest or wanted or self._rules.is_test_class(node.name)):
            return
        if not in_unittest and any(getattr(statement, "name", None) in {"__init__", "__new__"} for statement in body):
            return
        read = _Read()
        for each in line:
            inside = each.scope.inner(self._modules.of_class(each.node).definitions)
            read += self._read(inside, each.node.decorator_list, marked=True)
        defined = definitions_in(body)
        inner = [(own, place.inner(defined)) for own, place in placed]
        here = [(statement, scope) for own, scope in inner for statement in own]
        yield from self._scope(here, (*classes, node.name), read + outer, in_unittest=in_unittest, line=node.lineno)

    def _is_test(self, name: str, node: FunctionNode, scope: Scope, *, in_unittest: bool) -> bool:
        if not (name.startswith("test") if in_unittest else self._rules.is_test_function(name)):
            return False
        return not any(_is_fixture(decorator, scope) for decorator in node.decorator_list)

    def _read(self, scope: Scope, decorators: Sequence[ast.expr], *, marked: bool = False) -> _Read:
        found: list[Marker | Unread] = []
        cases: list[tuple[Case, ...]] = []
        for expression in decorators:
            if isinstance(expression, ast.Call) and scope.names.resolve(expression.func) == _PARAMETRIZE:
                cases.append(scope.cases(expression) or ())
                if not cases[-1]:
                    found.append(scope.unread(expression))
            if not _is_known(expression, scope):
                found += scope.markers(expression)
        for expression in _pytestmark(scope) if marked else ():
            found += scope.markers(expression)
            calls = [each for each in ast.walk(expression) if isinstance(each, ast.Call)]
            cases += [scope.cases(each) or () for each in calls if scope.names.resolve(each.func) == _PARAMETRIZE]
        return _Read(
            tuple(each for each in found if isinstance(each, Marker)),
            tuple(each for each in found if isinstance(each, Unread) and _may_name(each)),
            tuple(cases),
        )


def _is_fixture(decorator: ast.expr, scope: Scope) -> bool:
    return _called(decorator, scope).rpartition(".")[2] in {"fixture", "yield_fixture"}


def _is_known(decorator: ast.expr, scope: Scope) -> bool:
    """Tell whether a decorator is one of Python's or pytest's own that is no marker."""
    name = _called(decorator, scope)
    return name.startswith(_NO_MARKERS) and not name.startswith("pytest.mark")


def _called(decorator: ast.expr, scope: Scope) -> str:
    """Return the whole name of a decorator, by the imports of the module where it is written."""
    return scope.names.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator) or ""


def _lineage(node: ast.ClassDef, scope: Scope) -> list[_Class]:
    """Return a class and those bases of it that the repository defines, nearest first."""
    line: list[_Class] = []
    waiting = [_Class(node, scope)]
    while waiting:
        this = waiting.pop(0)
        if any(each.node is this.node for each in line):
            continue
        line.append(this)
        bases = (this.scope.find(base) for base in this.node.bases)
        waiting += [
            _Class(base[0], base[1]) for base in bases if base is not None and isinstance(base[0], ast.ClassDef)
        ]
    return line


def _is_unittest(this: _Class) -> bool:
    """Tell whether a class has a base that is a test case by its name, or is one by how it asserts."""
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in this.node.bases]
    names = [this.scope.names.resolve(base) or "" for base in bases]
    if any(name.endswith("TestCase") for name in names):
        return True
    brings = [base for base, name in zip(bases, names, strict=True) if name.rpartition(".")[2] not in _NO_METHODS]
    unknown = [base for base in brings if this.scope.find(base) is None]
    return bool(unknown) and this.scope.modules.of_class(this.node).asserts_as_test_case


def _may_name(unread: Unread) -> bool:
    """Tell whether something that can't be read may be a marker: most decorators have nothing to do with any."""
    return "mark" in unread.behind or any(sign in unread.code for sign in ("mark", "'", '"'))


def _put_on(body: Iterable[ast.stmt], scope: Scope) -> Iterator[Unread]:
    """Yield the statements of a module or class that put a marker on something as they run."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from _put_on(statements(statement.body), scope)
        match statement:
            case (
                ast.Expr(value=ast.Call(func=ast.Call() as marker) as call)
                | ast.Assign(value=ast.Call(func=ast.Call() as marker) as call)
            ):
                if (scope.names.resolve(marker.func) or "").startswith("pytest.mark."):
                    yield scope.unread(call)
            case ast.Assign(targets=[ast.Attribute(attr="pytestmark")], value=value):
                yield scope.unread(value)
            case ast.Expr(
                value=ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value="pytestmark"), value])
            ):
                yield scope.unread(value)
            case ast.For(body=inner) | ast.While(body=inner):
                found = (scope.unread(call) for each in inner for call in _applied_in(each))
                yield from (each for each in found if "mark" in f"{each.code}{each.behind}")


def _applied_in(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield what may put a marker on something in a loop: the decorators of a definition, the first call of others."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from statement.decorator_list
    else:
        yield from islice(_calls_in(statement), 1)


def _calls_in(statement: ast.stmt) -> Iterator[ast.Call]:
    return (each for each in ast.walk(statement) if isinstance(each, ast.Call))


def _constant(body: Iterable[ast.stmt], name: str) -> object:
    """Return the constant that a scope gives a name, None if it gives it none."""
    found = None
    for statement in body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            found = statement.value.value if name in map(_target, statement.targets) else found
    return found


def _pytestmark(scope: Scope) -> list[ast.expr]:
    found = scope.definitions
    value = found.constants.get(_PYTESTMARK)
    return [*([] if value is None else [value]), *found.added.get(_PYTESTMARK, ())]


def _target(node: ast.expr | None) -> str | None:
    return node.id if isinstance(node, ast.Name) else None
