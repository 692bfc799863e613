"""What markers say, read from syntax trees: constants, lists, sums and decorators of one's own are followed.

Names may be defined in other modules of the repository; those are read, and never imported.
"""

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from floe_testing.suite.definitions import Definitions, Modules, definitions_in
from floe_testing.suite.syntax import Names, dotted

_MARK: Final = "pytest.mark."
_DEEPEST: Final = 20
"""So many definitions may lead from one to another; more are taken for a circle."""


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
class Unread:
    """What stands where a marker may stand, and can't be read as one."""

    line: int
    code: str
    behind: str = ""
    """The code in this repository that it leads to."""


@dataclass(frozen=True)
class Case:
    """One set of parameters of a test."""

    ids: tuple[str, ...]
    """What pytest may call it; none where only running tells."""
    markers: tuple[Marker, ...] = ()
    unread: tuple[Unread, ...] = ()


_Looked: TypeAlias = "tuple[Path, tuple[str, ...]]"
"""A module, and the parts of a name that was looked up in it."""


@dataclass(frozen=True)
class Scope:
    """Where names are looked up: a module, or a class or a function in it."""

    file: Path
    modules: Modules
    names: Names
    definitions: Definitions
    outer: "Scope | None" = None
    bound: Mapping[str, "tuple[ast.expr, Scope]"] = field(default_factory=dict)
    """Of a function, what its parameters stand for."""
    others: set[Path] = field(default_factory=set)
    """The other modules that were read."""
    known: "dict[tuple[str, ...], tuple[ast.AST, Scope] | None]" = field(default_factory=dict)
    """What imported names were found to stand for."""
    explains: bool = True
    """What can't be read is told with its code, and the code that it leads to, which takes time to write."""

    def inner(self, definitions: Definitions, bound: "Mapping[str, tuple[ast.expr, Scope]] | None" = None) -> "Scope":
        """Return the scope of a class or a function in this one."""
        around = (self.file, self.modules, self.names)
        return Scope(*around, definitions, self, bound or {}, self.others, explains=self.explains)

    def find(self, node: ast.AST) -> "tuple[ast.AST, Scope] | None":
        """Return what a name or an attribute stands for, and where that is written; None if this can't be told."""
        name = dotted(node)
        if name is None:
            return None
        first, *rest = name.split(".")
        return self._follow(first, rest, set())

    def _follow(self, name: str, rest: Sequence[str], looked: set[_Looked]) -> "tuple[ast.AST, Scope] | None":
        found: tuple[ast.AST, Scope] | None = None
        here = self.definitions
        if name in self.bound:
            found = self.bound[name]
        elif name in here.constants:
            found = self._with_added(name), self
        elif name in here.classes:
            found = here.classes[name], self
        elif name in here.functions:
            found = here.functions[name], self
        elif name in here.imports:
            key = (name, *rest)
            if key not in self.known:
                self.known[key] = self._imported(*here.imports[name], rest, looked)
            return self.known[key]
        elif self.outer is not None:
            return self.outer._follow(name, rest, looked)  # noqa: SLF001 - the same class
        else:
            starred = (self._imported(level, module, name, rest, looked) for level, module in here.stars)
            return next((each for each in starred if each is not None), None)
        return _member(found, rest) if found else None

    def _with_added(self, name: str) -> ast.expr:
        value = self.definitions.constants[name]
        added = self.definitions.added.get(name)
        if not added:
            return value
        return ast.copy_location(ast.List([ast.Starred(value, ast.Load()), *added], ast.Load()), value)

    def _imported(
        self, level: int, module: str, taken: str, rest: Sequence[str], looked: set[_Looked]
    ) -> "tuple[ast.AST, Scope] | None":
        found = self.modules.imported(self.file, level, _parts(module, taken, rest))
        return self._in_module(*found, looked) if found is not None else None

    def _in_module(self, file: Path, parts: Sequence[str], looked: set[_Looked]) -> "tuple[ast.AST, Scope] | None":
        if (file, tuple(parts)) in looked:
            return None  # modules that import of each other lead in a circle
        looked.add((file, tuple(parts)))
        try:
            read = self.modules.read(file)
        except OSError:
            return None
        self.others.add(file)
        if read is None or not parts:
            return None
        scope = Scope(file, self.modules, read[1], read[0], others=self.others, explains=self.explains)
        return scope._follow(parts[0], parts[1:], looked)

    def markers(self, node: ast.expr, line: int | None = None, depth: int = 0) -> Iterator[Marker | Unread]:
        """Yield the markers that an expression stands for, as a decorator or in `pytestmark`.

        Args:
            node: The expression.
            line: Where what it leads to counts as written; the expression's own line unless given.
            depth: How many definitions have led here.
        """
        line = line or node.lineno
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                for element in elements:
                    yield from self.markers(element, None if depth == 0 else line, depth)
                return
            case ast.Starred(value=value) | ast.Call(func=ast.Name(id="list" | "tuple"), args=[value], keywords=[]):
                yield from self.markers(value, line, depth)
                return
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                yield from self.markers(left, line, depth)
                yield from self.markers(right, line, depth)
                return
        marker = self._marker(node, line)
        if marker is not None:
            yield marker
            return
        found = self._behind(node) if depth < _DEEPEST else None
        if found is None:
            yield self.unread(node, line)
        else:
            value, scope = found
            read = list(scope.markers(value, line, depth + 1))
            yield from (each for each in read if isinstance(each, Marker))
            if any(isinstance(each, Unread) for each in read):
                yield self.unread(node, line)

    def _marker(self, node: ast.expr, line: int) -> Marker | None:
        call = node if isinstance(node, ast.Call) else None
        name = (self.names.resolve(call.func if call else node) or "").removesuffix(".with_args")
        if not name.startswith(_MARK):
            return None
        name = name.removeprefix(_MARK)
        if call is None:
            return Marker(name, line=line)
        kwargs = {keyword.arg: self.value(keyword.value) for keyword in call.keywords if keyword.arg}
        return Marker(name, tuple(self._arguments(call.args)), kwargs, line)

    def _arguments(self, args: Iterable[ast.expr], depth: int = 0) -> Iterator[Value]:
        for each in args:
            value = self.value(each.value if isinstance(each, ast.Starred) else each, depth)
            if isinstance(each, ast.Starred) and isinstance(value, tuple):
                yield from value
            else:
                yield value

    def _behind(self, node: ast.expr) -> "tuple[ast.expr, Scope] | None":
        """Return the expression that a name, or a decorator of the repository's own, comes to."""
        found = self.find(node.func if isinstance(node, ast.Call) else node)
        if found is None:
            return None
        target, scope = found
        if isinstance(node, ast.Call):
            if isinstance(target, ast.Lambda):
                return target.body, scope.inner(Definitions(), _bind(target.args, node, self))
            if isinstance(target, ast.FunctionDef):
                inside = scope.inner(definitions_in(target.body), _bind(target.args, node, self))
                return _applied(_returned(target), inside)
            return None
        if isinstance(target, ast.FunctionDef):
            return _applied(target, scope.inner(definitions_in(target.body)))
        return (target, scope) if isinstance(target, ast.expr) else None

    def value(self, node: ast.expr, depth: int = 0) -> Value:  # noqa: PLR0911 - one for each form
        """Return what an expression is, if that can be told without running it."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return tuple(self._arguments(elements, depth))
            case ast.Constant(value=str() | int() | float() | None as constant):
                return constant
            case ast.JoinedStr(values=parts):
                return self._joined(node, [self.value(part, depth) for part in parts])
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.value(value, depth)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined(node, [self.value(left, depth), self.value(right, depth)])
        found = self.find(node) if depth < _DEEPEST else None
        if found is not None and isinstance(found[0], ast.expr):
            known = found[1].value(found[0], depth + 1)
            return Expression(ast.unparse(node)) if isinstance(known, Expression) else known
        return Expression(ast.unparse(node))

    def _joined(self, node: ast.expr, parts: Sequence[Value]) -> Value:
        if all(isinstance(part, tuple) for part in parts) and not isinstance(node, ast.JoinedStr):
            return tuple(each for part in parts if isinstance(part, tuple) for each in part)
        if all(isinstance(part, str) or (isinstance(node, ast.JoinedStr) and isinstance(part, int)) for part in parts):
            return "".join(map(str, parts))
        return Expression(ast.unparse(node))

    def unread(self, node: ast.expr, line: int | None = None) -> Unread:
        """Return what can't be read, with the code of this repository that it leads to."""
        if not self.explains:
            return Unread(line or node.lineno, "")
        behind: list[str] = []
        for each in ast.walk(node):
            found = self.find(each) if isinstance(each, ast.Name | ast.Attribute) else None
            if found is not None:
                behind.append(self.modules.code(found[0]))
            elif isinstance(each, ast.Name):
                behind += self._texts(each.id)
        return Unread(line or node.lineno, ast.unparse(node), "\n".join(dict.fromkeys(behind)))

    def _texts(self, name: str) -> Iterator[str]:
        """Yield the whole text of the modules of this repository that may define a name that is not found in them."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        imports = scope.definitions.imports
        wanted = [imports[name]] if name in imports else [(*star, name) for star in scope.definitions.stars]
        for level, module, taken in wanted:
            found = self.modules.imported(scope.file, level, _parts(module, taken, ()))
            if found is not None:
                self.others.add(found[0])
                yield self.modules.text(found[0])

    def cases(self, call: ast.Call) -> tuple[Case, ...] | None:
        """Return the sets of parameters that `parametrize(…)` gives, None where the list of them can't be read."""
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        names = call.args[0] if call.args else given.get("argnames")
        sets = call.args[1] if len(call.args) > 1 else given.get("argvalues")
        listed = None if sets is None else self._elements(sets)
        if names is None or listed is None:
            return None
        argnames = _argnames(self.value(names))
        ids = given.get("ids", call.args[3] if len(call.args) > 3 else None)  # noqa: PLR2004 - the signature's place
        chosen = () if ids is None else self.value(ids)
        return tuple(scope.case(each, place, argnames, chosen) for place, (each, scope) in enumerate(listed))

    def _elements(self, node: ast.expr, depth: int = 0) -> "list[tuple[ast.expr, Scope]] | None":
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                found: list[tuple[ast.expr, Scope]] = []
                for element in elements:
                    inner = self._elements(element.value, depth) if isinstance(element, ast.Starred) else None
                    if isinstance(element, ast.Starred) and inner is None:
                        return None
                    found += inner or [(element, self)]
                return found
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                both = self._elements(left, depth), self._elements(right, depth)
                return None if both[0] is None or both[1] is None else [*both[0], *both[1]]
            case ast.Call(func=ast.Name(id="list" | "tuple" | "sorted"), args=[value], keywords=[]):
                return self._elements(value, depth)
        target = self.find(node) if depth < _DEEPEST else None
        if target is None or not isinstance(target[0], ast.expr):
            return None
        return target[1]._elements(target[0], depth + 1)  # noqa: SLF001 - the same class

    def case(self, node: ast.expr, place: int, argnames: Sequence[str], chosen: Value) -> Case:
        """Return one set of parameters, with what pytest may call it."""
        found = self.find(node)
        if found is not None and isinstance(found[0], ast.Call) and found[1]._is_param(found[0]):  # noqa: SLF001 - as above
            return found[1].case(found[0], place, argnames, chosen)
        own: Value = None
        read: list[Marker | Unread] = []
        values: Sequence[ast.expr] = [node]
        if isinstance(node, ast.Call) and self._is_param(node):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            own = self.value(given["id"]) if "id" in given else None
            read = list(self.markers(given["marks"])) if "marks" in given else []
            values = node.args
        elif len(argnames) > 1 and isinstance(node, ast.Tuple | ast.List):
            values = node.elts
        return Case(
            ids=self._ids(own, values, place, argnames, chosen),
            markers=tuple(each for each in read if isinstance(each, Marker)),
            unread=tuple(each for each in read if isinstance(each, Unread)),
        )

    def _is_param(self, node: ast.Call) -> bool:
        return self.names.resolve(node.func) in {"pytest.param", "_pytest.mark.param"}

    def _ids(
        self, own: Value, values: Sequence[ast.expr], place: int, argnames: Sequence[str], chosen: Value
    ) -> tuple[str, ...]:
        if own is not None:
            return (_escaped(own),) if isinstance(own, str) else ()
        if isinstance(chosen, Expression):
            return ()
        if isinstance(chosen, tuple) and place < len(chosen) and chosen[place] is not None:
            return () if isinstance(chosen[place], Expression) else (_escaped(str(chosen[place])),)
        if len(argnames) != len(values):
            return ()
        parts = [self._id_of(value, f"{name}{place}") for name, value in zip(argnames, values, strict=True)]
        return ("-".join(parts),) if all(part is not None for part in parts) else ()  # type: ignore[arg-type] # none is

    def _id_of(self, node: ast.expr, otherwise: str) -> str | None:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return f"-{node.operand.value!r}"
        value = self.value(node)
        if isinstance(value, Expression):
            # What is made on the spot has no name; a name may stand for something that has one.
            made = isinstance(node, ast.Call | ast.Dict | ast.DictComp | ast.ListComp | ast.SetComp | ast.Lambda)
            return otherwise if made and not isinstance(node, ast.Lambda) else None
        return otherwise if isinstance(value, tuple) else _escaped(str(value))


def _parts(module: str, taken: str, rest: Sequence[str]) -> list[str]:
    return [*filter(None, module.split(".")), *([taken] if taken else []), *rest]


def _argnames(value: Value) -> list[str]:
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return [str(each) for each in value] if isinstance(value, tuple) else []


def _escaped(text: str) -> str:
    """Return an id as pytest writes it: characters beyond ASCII, and those without a picture, are escaped."""
    return text.encode("unicode_escape").decode("ascii")


def _member(found: "tuple[ast.AST, Scope]", rest: Sequence[str]) -> "tuple[ast.AST, Scope] | None":
    """Return the attribute of a class, or the value of a member of an enumeration."""
    node, scope = found
    for name in rest:
        if isinstance(node, ast.ClassDef):
            inner = definitions_in(node.body).constants.get(name)
            if inner is None:
                return None
            node = inner
        elif name != "value":
            return None
    return node, scope


def _bind(parameters: ast.arguments, call: ast.Call, scope: Scope) -> dict[str, "tuple[ast.expr, Scope]"]:
    """Return what the parameters of a function stand for in a call of it."""
    names = [each.arg for each in (*parameters.posonlyargs, *parameters.args)]
    bound: dict[str, tuple[ast.expr, Scope]] = {}
    defaults = parameters.defaults
    bound |= {name: (value, scope) for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True)}
    bound |= {name: (value, scope) for name, value in zip(names, call.args, strict=False)}
    bound |= {each.arg: (each.value, scope) for each in call.keywords if each.arg}
    if parameters.vararg is not None:
        more = ast.copy_location(ast.Tuple(call.args[len(names) :], ast.Load()), call)
        bound[parameters.vararg.arg] = (more, scope)
    return bound


def _returned(function: ast.FunctionDef) -> ast.FunctionDef:
    """Return the function that a function returns, if it makes one; else itself."""
    last = function.body[-1]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Name):
        inner = definitions_in(function.body).functions.get(last.value.id)
        if isinstance(inner, ast.FunctionDef):
            return inner
    return function


def _applied(function: ast.FunctionDef, scope: Scope) -> "tuple[ast.expr, Scope] | None":
    """Return the marker that a function returns, or puts on what it is given."""
    last = function.body[-1]
    value = last.value if isinstance(last, ast.Return) else None
    if value is None or not scope.modules.returns_once(function):
        return None
    given = {each.arg for each in function.args.args}
    match value:
        case ast.Call(func=ast.Call() as marker, args=[ast.Name(id=name)]) if name in given - set(scope.bound):
            return marker, scope
    return value, scope


def module_scope(
    file: Path, modules: Modules, names: Names, body: Iterable[ast.stmt], *, explains: bool = True
) -> Scope:
    """Return the scope of a module that was read already."""
    place = Path(os.path.abspath(file))  # noqa: PTH100 - links are kept
    return Scope(place, modules, names, definitions_in(body), explains=explains)
