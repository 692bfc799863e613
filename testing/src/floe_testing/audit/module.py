"""One module as rules see it: its functions, and what is in each, from one walk over the syntax tree."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType
from typing import Final, Literal, TypeAlias, TypeVar

from floe_testing.audit.model import TIERS, Check
from floe_testing.suite.comments import Comment, comments
from floe_testing.suite.reading import ParsedModule, TestFunction
from floe_testing.suite.syntax import FunctionNode, Names, dotted

Node = TypeVar("Node", bound=ast.AST)
Kind = Literal["test", "fixture", "setup", "helper", "module"]

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_WITH_TEXTS: Final = frozenset({ast.Constant, ast.arg})
_SKIPPED: Final = frozenset({*_WITH_TEXTS, ast.Name, ast.alias, str, int, bool, NoneType})
"""Leaves, which are most of a tree, and which no rule looks for but from their parents."""
_KEPT: Final = frozenset(
    {
        *_FUNCTIONS,
        *(ast.Assert, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Expr, ast.Global),
        *(ast.If, ast.Raise, ast.Return, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.ClassDef),
        *(ast.Yield, ast.YieldFrom),
    }
)
_LOOKED_AT: Final = frozenset({*_KEPT, *_IMPORTS, ast.Call, ast.Lambda})
"""What is kept, or has something of its own inside; of others only what stands in them counts."""
_WITHOUT_NODES: Final = frozenset({"ctx", "op", "ops", "id", "attr", "kind", "type_comment", "lineno", "level"})
"""Fields of nodes in which there are no others but operators, and whether a name is read or set."""
_DIRECTIVE: Final = re.compile(r"\b(?:(?:type|pyright|mypy): *ignore(?:\[[^]]*\])?|pylint: *disable\S*)")
"""What comments tell checkers to ignore, which says nothing of the test."""
_HEADER: Final = 20
"""Lines in which a module says what made it."""
_SETUPS: Final = frozenset(
    {"setup", "teardown", "setUp", "tearDown", "setUpClass", "tearDownClass", "asyncSetUp", "asyncTearDown"}
    | {f"{when}_{what}" for when in ("setup", "teardown") for what in ("method", "class", "module", "function")}
)


@dataclass(eq=False, slots=True)
class Call:
    """One call."""

    node: ast.Call
    name: str
    """The whole dotted name; one that starts with `$` belongs to a parameter, with `.` to some other value."""
    nested: bool
    """It is in a function inside the function, and so runs when that does."""
    last: str = field(init=False)
    """The last part of the name."""

    def __post_init__(self) -> None:
        """Take the name apart once, for many rules ask for its last part."""
        self.last = self.name.rpartition(".")[2].removeprefix("$")


_Place: TypeAlias = "tuple[ast.AST, tuple[ast.ClassDef, ...], Function, bool]"
"""A node that the walk has come to, the classes and the function it stands in, and whether in one inside that."""


@dataclass(eq=False)
class Function:
    """A function of a module or class, with everything in it; or, of kind `module`, what stands outside of them."""

    node: FunctionNode | ast.Module
    name: str
    symbol: str
    kind: Kind
    class_node: ast.ClassDef | None = None
    test: TestFunction | None = None
    calls: list[Call] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """The texts that stand in it, docstrings and those of functions inside it among them."""
    checks: list[Check] | None = None
    """What it checks, once `floe_testing.audit.checks` has looked."""
    _own: dict[type, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))
    _nested: dict[type, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))

    def own(self, kind: type[Node]) -> list[Node]:
        """Return the statements of a kind that run when the function does."""
        return self._own[kind]  # type: ignore[return-value]  # one list per type

    def all(self, kind: type[Node]) -> list[Node]:
        """Return the statements of a kind, those of functions inside the function too."""
        return [*self._own[kind], *self._nested[kind]]  # type: ignore[list-item]  # as above

    def keep(self, node: ast.AST, *, nested: bool) -> None:
        """Take in a statement."""
        (self._nested if nested else self._own)[type(node)].append(node)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the function's parameters: of a test and a fixture, the fixtures they ask for."""
        if isinstance(self.node, ast.Module):
            return ()
        given = self.node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        return tuple(each.arg for each in every if each is not None)

    @property
    def decorators(self) -> list[ast.expr]:
        """The function's own; those of its class are not among them."""
        return [] if isinstance(self.node, ast.Module) else self.node.decorator_list

    @property
    def all_decorators(self) -> list[ast.expr]:
        """The function's own, and then those of its class."""
        return [*self.decorators, *(self.class_node.decorator_list if self.class_node else ())]

    @cached_property
    def _parents(self) -> Mapping[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.node) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node stands in, the nearest first, up to the function."""
        while node in self._parents and node is not self.node:
            node = self._parents[node]
            yield node


_FIELDS: Final[dict[type[ast.AST], tuple[str, ...]]] = {
    kind: tuple(name for name in kind._fields if name not in _WITHOUT_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""Where other nodes stand in each kind of them."""


def _spaced(name: str) -> str:
    """Return a name in capitals as words: `Issue122Tests` is `Issue122 Tests`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)


class Module:
    """One module: `functions` in their order, and the meaning of names."""

    def __init__(self, parsed: ParsedModule, tier: str = "", default_tier: str = "") -> None:
        """Walk the tree.

        Args:
            parsed: The module.
            tier: The tier that its path says it is of; empty if none.
            default_tier: The tier of tests that neither the path nor a marker tells of; empty if none.
        """
        self.path = parsed.module.relative
        self.tree = parsed.tree
        self.tier = tier
        self._default_tier = default_tier
        self.tests = parsed.module.tests
        self.names = Names()
        self.functions: list[Function] = []
        self.classes: dict[str, ast.ClassDef] = {}
        self.every_class: list[ast.ClassDef] = []
        """Those inside others and those of the same name too."""
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.top = Function(parsed.tree, "", "", "module")
        self.urls: list[ast.Constant] = []
        self._source = parsed.source
        self._tests = parsed.nodes
        self._calls: list[tuple[Function, ast.Call, bool]] = []
        self._walk()

    @cached_property
    def lines(self) -> list[str]:
        """The source's lines."""
        return self._source.decode("utf-8", "replace").splitlines()

    @property
    def is_generated(self) -> bool:
        """A comment at the top, or the docstring, says that a program wrote the module."""
        said = [line for line in self.lines[:_HEADER] if line.startswith("#")]
        return "generated" in " ".join([*said, ast.get_docstring(self.tree) or ""]).lower()

    @cached_property
    def defined(self) -> Mapping[str, Function]:
        """The functions by symbol."""
        return {function.symbol: function for function in self.functions}

    def functions_in(self, name: str) -> Sequence[Function]:
        """Return the functions of a class, those of classes inside it too, by its dotted name."""
        return self._by_class.get(name, ())

    @cached_property
    def _by_class(self) -> Mapping[str, Sequence[Function]]:
        found: dict[str, list[Function]] = defaultdict(list)
        for function in self.functions:
            name = function.symbol.rpartition(".")[0]
            while name:
                found[name].append(function)
                name = name.rpartition(".")[0]
        return found

    def function_at(self, line: int) -> Function:
        """Return the function that a line is in, or what stands outside of them."""
        for function in self.functions:
            first, last = getattr(function.node, "lineno", 0), getattr(function.node, "end_lineno", 0)
            if first <= line <= last:
                return function
        return self.top

    def text(self, line: int) -> str:
        """Return a line's text without the space around it."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""

    def resolve(self, node: ast.AST, function: Function) -> str:
        """Return the whole name of an expression in a function, as `Call.name` has it."""
        first = node
        while isinstance(first, ast.Attribute):
            first = first.value
        if isinstance(first, ast.Name):
            own = first.id in function.parameters and first.id not in {"self", "cls"}
            return f"${dotted(node) or ''}" if own else str(self.names.resolve(node))
        return f".{node.attr}" if isinstance(node, ast.Attribute) else ""

    def tier_of(self, function: Function) -> str:
        """Return the tier of a function: its path's, or else the one that a marker names, or else the default."""
        marks = [marker.name for marker in function.test.markers] if function.test else []
        return self.tier or next((mark for mark in marks if mark in TIERS), self._default_tier)

    def remarks(self, function: Function) -> str:
        """Return what a person wrote about a function: its name, and what `reasons` has, in lower case."""
        return f"{function.name}\n{self.reasons(function)}".lower()

    def reasons(self, function: Function) -> str:
        """Return the docstrings of a function and its class, the class's name, and the comments in it and above it."""
        if isinstance(function.node, ast.Module):
            return ""
        first, column, last = function.node.lineno, function.node.col_offset, function.node.end_lineno or 0
        first = min([first, *(each.lineno for each in function.node.decorator_list)])
        above: list[str] = []
        for comment in reversed(self._comments):
            if comment.line == first - 1 and comment.column == column and comment.alone:
                above.insert(0, comment.text)
                first = comment.line
        comments = []
        for line, indent, text, _ in self._comments:
            # What stands behind the last statement is the function's as long as it is indented and nothing else comes.
            if function.node.lineno <= line <= last or (line == last + 1 and indent > column):
                comments.append(_DIRECTIVE.sub("", text))
                last = max(last, line)
        owner = function.class_node
        said = [_spaced(owner.name), ast.get_docstring(owner) or ""] if owner is not None else []
        return "\n".join([*said, *above, ast.get_docstring(function.node) or "", *comments])

    def comment_lines(self, first: int, last: int) -> list[tuple[int, str]]:
        """Return the comments between two lines, these included, each with its line."""
        return [(comment.line, comment.text) for comment in self._comments if first <= comment.line <= last]

    def comment_at(self, line: int) -> str:
        """Return the comment that stands on a line, or right above it; nothing where there is none."""
        if line in self._comment_on:
            return self._comment_on[line].text
        above = self._comment_on.get(line - 1)
        return above.text if above is not None and above.alone else ""

    @cached_property
    def _comments(self) -> list[Comment]:
        # A comment for the audit is no reason by itself: it would have nothing to silence.
        return [comment for comment in comments(self._source) if "floe:" not in comment.text]

    @cached_property
    def _comment_on(self) -> Mapping[int, Comment]:
        return {comment.line: comment for comment in self._comments}

    def _walk(self) -> None:
        for statement in self.tree.body:
            self.names.see(statement)
        stack: list[_Place] = [(self.tree, (), self.top, False)]
        while stack:
            node, classes, function, nested = stack.pop()
            if type(node) in _LOOKED_AT:
                self._keep(node, function, nested=nested)
                classes, function, nested = self._inside(node, classes, function, nested=nested)
            stack += [(child, classes, function, nested) for child in reversed(self._children(node, function))]
        for function, call, nested in self._calls:
            function.calls.append(Call(call, self.resolve(call.func, function), nested))

    def _keep(self, node: ast.AST, function: Function, *, nested: bool) -> None:
        if isinstance(node, ast.Call):
            self._calls.append((function, node, nested))
        elif type(node) in _KEPT:
            function.keep(node, nested=nested)
        elif isinstance(node, _IMPORTS):
            self.imports.append(node)
            self.names.see(node)

    def _inside(
        self, node: ast.AST, classes: tuple[ast.ClassDef, ...], function: Function, *, nested: bool
    ) -> tuple[tuple[ast.ClassDef, ...], Function, bool]:
        """Return the classes and the function that a node's children are in, and whether in one inside that."""
        if isinstance(node, _FUNCTIONS):
            if function is not self.top:
                return classes, function, True
            return classes, self._function(node, classes), False
        if isinstance(node, ast.Lambda):
            return classes, function, function is not self.top
        if isinstance(node, ast.ClassDef) and function is self.top:
            self.classes.setdefault(node.name, node)
            self.every_class.append(node)
            return (*classes, node), function, nested
        return classes, function, nested

    def _children(self, node: ast.AST, function: Function) -> list[ast.AST]:
        """Return what stands right in a node but for leaves, and keep the texts among these."""
        found = []
        for name in _FIELDS[type(node)]:
            value = getattr(node, name)
            for child in value if isinstance(value, list) else (value,):
                kind = type(child)
                if kind not in _SKIPPED:
                    found.append(child)
                elif kind in _WITH_TEXTS:
                    self._keep_texts(child, function)
        return found

    def _keep_texts(self, leaf: ast.Constant | ast.arg, function: Function) -> None:
        if isinstance(leaf, ast.Constant):
            if isinstance(leaf.value, str):
                function.texts.append(leaf.value)
                if "://" in leaf.value:
                    self.urls.append(leaf)
        elif leaf.annotation is not None:
            written = [each.value for each in ast.walk(leaf.annotation) if isinstance(each, ast.Constant)]
            function.texts += [each for each in written if isinstance(each, str)]

    def _function(self, node: FunctionNode, classes: tuple[ast.ClassDef, ...]) -> Function:
        test = self._tests.get(node)
        symbol = ".".join([*(each.name for each in classes), node.name])
        function = Function(node, node.name, symbol, "helper", classes[-1] if classes else None, test)
        if test is not None:
            function.kind = "test"
        elif any(self._is_fixture(decorator) for decorator in node.decorator_list):
            function.kind = "fixture"
        elif node.name in _SETUPS:
            function.kind = "setup"
        self.functions.append(function)
        return function

    def _is_fixture(self, decorator: ast.expr) -> bool:
        name = self.names.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator) or ""
        return name.rpartition(".")[2] in {"fixture", "yield_fixture"}
