"""What a test checks, and how strong each check is."""

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from floe_testing.audit.look import is_len, keyword, parametrized, strings_in, words_of
from floe_testing.audit.model import Check, Strength
from floe_testing.audit.module import Call, Function, Module

_CHECKING_WORDS: Final = (
    "assert",
    "check",
    "verify",
    "expect",
    "ensure",
    "validate",
    "should",
    "compare",
    "match",
    "evaluate",
    "wait_for",
    "wait_until",
    "receives",
    "must_",
    "fail_after",
    "fail_at",
)
_CHECKING_NAMES: Final = frozenset(
    {"fail", "eq_", "ne_", "is_", "is_not_", "in_", "not_in_", "le_", "raises_"}
    | {"successResultOf", "failureResultOf", "assertNoResult"}
)
_RAISES: Final = frozenset(
    {"raises", "warns", "deprecated_call", "assertRaises", "assertRaisesRegex", "assertWarns", "assertWarnsRegex"}
    | {"RaisesGroup", "RaisesExc", "assertRaisesMessage", "assertWarnsMessage", "assertLogs", "assertNoLogs"}
)
_LIMITS: Final = frozenset(
    {"asyncio.timeout", "asyncio.timeout_at", "asyncio.wait_for", "anyio.fail_after", "trio.fail_after", "trio.fail_at"}
    | {"async_timeout.timeout"}
)
"""What fails where something does not come to its end in time."""
_OBJECTS: Final = (
    "get_",
    "create",
    "make_",
    "build_",
    "load_",
    "fetch",
    "read_",
    "find_",
    "new_",
    "open_",
    "generate_",
)
_CONTAINERS: Final = frozenset({"dict", "list", "str", "int", "float", "tuple", "set", "bytes", "bool"})
_ALIKE: Final = (
    "same",
    "equal",
    "hash",
    "compar",
    "reflex",
    "ident",
    "order",
    "cach",
    "memo",
    "stable",
    "once",
    "lazy",
    "consist",
)
"""What is in the names of tests about how things compare with themselves."""
_ALIKE_WORDS: Final = frozenset({"eq", "nan", "self", "less"})
"""The same, as words of their own: `request` has `eq` in it."""
_READS: Final = ("get_", "find_", "fetch", "read_", "load_", "query_")
_MAKERS: Final = frozenset({"find", "load", "build", "make", "fetch"})
"""Functions that give an object, where no more than that is in their names."""
_LOOKUPS: Final = ("get", "find", "lookup", "fetch")
_MATCHES: Final = frozenset({"match", "search", "fullmatch", "fromstring", "parse", "loads"})
_YES_OR_NO: Final = ("is", "has", "can", "exist", "ok", "success", "valid", "should", "contains", "equal", "called")
_OF_UNITTEST: Final = ("assert", "fail", "skipTest", "subTest", "addCleanup")
_BROAD: Final = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})
_MOCK_CHECKS: Final = (
    *("assert_called", "assert_any_call", "assert_has_calls", "assert_not_called"),
    *("assert_awaited", "assert_any_await", "assert_has_awaits", "assert_not_awaited"),
)
_CAUGHT: Final = frozenset({"simplefilter", "filterwarnings"})


def checks(module: Module, function: Function) -> list[Check]:
    """Return a function's checks; a function of this module that it calls, and which checks, is one."""
    if function.checks is None:
        function.checks = _find_checks(module, function)
    return function.checks


def _find_checks(module: Module, function: Function) -> list[Check]:
    found = [Check(node, _strength(node.test, function)) for node in function.all(ast.Assert)]
    found += [Check(node, Strength.VALUE) for node in function.all(ast.Raise) if _is_failure(node)]
    found += [Check(node, Strength.VALUE) for node in function.own(ast.Raise) if _is_conditional(node, function)]
    found += [Check(node, Strength.DELEGATED) for node in function.all(ast.Raise) if _is_nested(node, function)]
    found += [
        Check(node, Strength.DELEGATED) for node in function.all(ast.Raise) if _must_not_be_called(node, function)
    ]
    if function.test is not None and any("assert" in text for text in function.texts):
        found.append(Check(function.node.body[0], Strength.DELEGATED))  # code that is handed on, and checks elsewhere
    if function.test is not None and any(map(_is_checking, _asked_for(function))):
        found.append(Check(function.node.body[0], Strength.DELEGATED))
    for call in function.calls:
        strength = _call_strength(call, module, function) or _helper_strength(call, module, function)
        if strength:
            found.append(Check(call.node, strength))
    return found


def _is_nested(node: ast.Raise, function: Function) -> bool:
    """Tell whether something that a test defines raises, and so would tell if it were used."""
    around = [each for each in function.ancestors(node) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return (
        function.test is not None
        and len(around) > 1
        and any(isinstance(each, ast.ClassDef) for each in function.ancestors(node))
    )


def _must_not_be_called(node: ast.Raise, function: Function) -> bool:
    """Tell whether all that a function inside a test does is to raise, with a message that says that it should not."""
    around = next(function.ancestors(node), None)
    if function.test is None or around is function.node or not isinstance(around, ast.FunctionDef):
        return False
    said = " ".join(strings_in(around)).lower()
    return len(around.body) == 1 and any(word in said for word in ("not ", "n't ", "never", "unexpected"))


def _may_check(name: str) -> bool:
    """Tell whether a decorator may look at what a test returns, or does."""
    # The property that `hypothesis.given` tries to break may be that nothing is raised.
    return _is_checking(name) or any(word in name.lower() for word in ("test", "suite", "raises", "given"))


def _ends_with_checks(each: Function, function: Function) -> bool:
    """Tell whether a function is a tear-down of a test's class, and checks."""
    return (
        each.kind == "setup"
        and each.class_node is function.class_node
        and bool(each.all(ast.Assert) or any(call.last.startswith("assert") for call in each.calls))
    )


def _asked_for(function: Function) -> Iterator[str]:
    """Yield the names of the fixtures that a test asks for."""
    yield from function.parameters
    for marker in function.test.markers if function.test else ():
        if marker.name == "usefixtures":
            yield from map(str, marker.args)


@lru_cache(maxsize=10_000)
def _is_checking(name: str) -> bool:
    return any(word in name.lower() for word in _CHECKING_WORDS)


def _is_conditional(node: ast.Raise, function: Function) -> bool:
    """Tell whether a test raises something of its own where it sees what should not be."""
    around = list(function.ancestors(node))
    handled = any(isinstance(each, ast.ExceptHandler | ast.With | ast.AsyncWith | ast.Try) for each in around[:2])
    return not handled and any(isinstance(each, ast.If | ast.While | ast.For) for each in around)


def may_check_elsewhere(module: Module, function: Function) -> bool:
    """Tell whether a function calls something that might check, but that this module does not define."""
    if _calls_unknown(function, module, set()):
        return True
    if function.class_node is not None and any(_ends_with_checks(each, function) for each in module.functions):
        return True
    decorators = [] if isinstance(function.node, ast.Module) else function.node.decorator_list
    names = [module.resolve(each.func if isinstance(each, ast.Call) else each, function) for each in decorators]
    return any(_may_check(name.rpartition(".")[2]) for name in names if not name.startswith("pytest."))


def is_broad(call: Call, module: Module, function: Function) -> bool:
    """Tell whether `raises(…)` would take any exception."""
    if call.last not in {"raises", "assertRaises"}:
        return False
    wanted = call.node.args[0] if call.node.args else keyword(call, "expected_exception")
    if wanted is None:
        return False
    kinds = wanted.elts if isinstance(wanted, ast.Tuple) else [wanted]
    return any(module.resolve(kind, function) in _BROAD for kind in kinds)


def _strength(test: ast.expr, function: Function) -> Strength:  # noqa: C901, PLR0911, PLR0912 - one for each form
    match test:
        case ast.NamedExpr(value=inner) if isinstance(inner, ast.Call | ast.Await):
            return Strength.TRUTHINESS if _is_object(inner) else _strength(inner, function)
        case ast.Await(value=inner) | ast.NamedExpr(value=inner):
            return _strength(inner, function)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(left=left, ops=[op], comparators=[right])):
            return _compare_strength(ast.Compare(left, [_opposite(op)], [right]), function)
        case ast.UnaryOp(op=ast.Not(), operand=ast.BoolOp(op=ast.And(), values=values)) if any(map(_is_false, values)):
            return Strength.TAUTOLOGY
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="bool"), args=[inner]),
            ops=[ast.Is() | ast.Eq()],
            comparators=[ast.Constant(value=True)],
        ):
            return _strength(inner, function)
        case ast.BoolOp(op=ast.Or(), values=values) if _covers_all(values):
            return Strength.TAUTOLOGY
        case ast.BoolOp(op=op, values=values):
            each = [_strength(value, function) for value in values]
            order = list(Strength)
            return (max if isinstance(op, ast.And) else min)(each, key=order.index)
        case ast.Compare():
            return _compare_strength(test, function)
        case ast.Name(id=name):
            return Strength.VALUE if _is_flag(name, function) else Strength.TRUTHINESS
        case ast.Call(func=ast.Name(id="bool"), args=[inner]):
            return _strength(inner, function)
        case ast.Call(func=ast.Name(id="len")):
            return Strength.LENGTH
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.Name(id="object")]):
            return Strength.TAUTOLOGY
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.Name(id=name)]) if name in _CONTAINERS:
            return Strength.TYPE
        case ast.Call(func=ast.Attribute(attr=name), args=[], keywords=[]) if name.startswith(_READS):
            return Strength.TRUTHINESS
        case ast.Call(func=ast.Name(id=name)) if name.startswith(_OBJECTS) or name in _MAKERS:
            return Strength.TRUTHINESS
    return Strength.TAUTOLOGY if is_always_true(test) else Strength.VALUE


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value


def is_always_true(test: ast.expr) -> bool:
    """Tell whether an expression is true whatever the code under test does."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Tuple(elts=[_, *_]) | ast.List(elts=[_, *_]) | ast.Dict(keys=[_, *_]) | ast.Set():
            return not any(isinstance(each, ast.Starred) for each in getattr(test, "elts", ()))
        case ast.Lambda() | ast.GeneratorExp():
            return True
        case ast.JoinedStr(values=values):
            return any(isinstance(each, ast.Constant) and each.value for each in values)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            return not value
    return False


def _compare_strength(test: ast.Compare, function: Function) -> Strength:  # noqa: PLR0911 - as above
    left, right = _length(test.left, function), _length(test.comparators[-1], function)
    match test.ops:
        case [ast.Is()] if isinstance(left, ast.Name) and _is_itself(left, right, function):
            return Strength.TAUTOLOGY  # an attribute may be a property, and made anew each time
        case [ast.Eq() | ast.GtE() | ast.LtE()] if _is_itself(left, right, function):
            return Strength.TAUTOLOGY
        case [ast.IsNot() | ast.NotEq()] if _is_constant(right, None):
            return Strength.VALUE if _is_found_or_not(left, function) else Strength.TRUTHINESS
        case [ast.GtE()] if is_len(left) and _is_constant(right, 0):
            return Strength.TAUTOLOGY
        case [ast.LtE()] if is_len(right) and _is_constant(left, 0):
            return Strength.TAUTOLOGY
        case [ast.Gt()] if is_len(left) and ast.unparse(right) == "-1":
            return Strength.TAUTOLOGY
        case [ast.Eq() | ast.LtE()] if _is_constant(right, 0) or _is_constant(left, 0):
            return Strength.VALUE  # empty, and so known as a whole
    if all(isinstance(each, ast.Constant) for each in (left, *test.comparators)):
        # `sys.platform` and its like would not be constants; this compares two that someone wrote down.
        # And two ways to write one down are what a test of the syntax is about.
        alike = _same(left, right) and len({_width(left), _width(right)} - {0}) == 1
        return Strength.TAUTOLOGY if isinstance(test.ops[0], ast.Eq | ast.Is) and alike else Strength.VALUE
    return Strength.LENGTH if is_len(left) or is_len(right) else Strength.VALUE


def _width(node: ast.expr) -> int:
    """Return how long an expression is in the source, 0 of one that is not there."""
    return (getattr(node, "end_col_offset", None) or 0) - getattr(node, "col_offset", 0)


def _opposite(op: ast.cmpop) -> ast.cmpop:
    pairs: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Eq: ast.NotEq}
    return pairs.get(type(op), ast.NotIn)()


def _covers_all(values: Sequence[ast.expr]) -> bool:
    """Tell whether one of two alternatives is the other one's opposite."""
    plain = {ast.dump(value) for value in values}
    return any(ast.dump(_negated(value)) in plain for value in values)


def _negated(value: ast.expr) -> ast.expr:
    match value:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq() | ast.NotIn() as op], comparators=[right]):
            return ast.Compare(left, [_opposite_of(op)], [right])
    return ast.UnaryOp(ast.Not(), value)


def _opposite_of(op: ast.cmpop) -> ast.cmpop:
    return ast.Is() if isinstance(op, ast.IsNot) else ast.Eq() if isinstance(op, ast.NotEq) else ast.In()


def _length(value: ast.expr, function: Function) -> ast.expr:
    """Return `len(…)` for a name that holds it and nothing else, and any other expression as it is."""
    if isinstance(value, ast.NamedExpr):
        return value.value
    if isinstance(value, ast.Name):
        given = [each for name, each in _assignments(function) if name == value.id]
        if len(given) == 1 and is_len(given[0]):
            return given[0]
    return value


def _is_itself(left: ast.expr, right: ast.expr, function: Function) -> bool:
    """Tell whether something is compared with itself, and that is not what the test is about."""
    if not isinstance(left, ast.Name | ast.Attribute | ast.Subscript) or not _same(left, right):
        return False
    if any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(left)):
        return False
    if any(word in function.name.lower() for word in _ALIKE) or _ALIKE_WORDS.intersection(words_of(function.name)):
        return False
    return _is_answer(left, function)


def _is_answer(value: ast.expr, function: Function) -> bool:
    """Tell whether a name holds what functions gave, and nothing that was made to be compared."""
    while isinstance(value, ast.Attribute | ast.Subscript):
        value = value.value
    given = [each for name, each in _assignments(function) if isinstance(value, ast.Name) and name == value.id]
    calls = [each.value if isinstance(each, ast.Await) else each for each in given]
    names = [ast.unparse(each.func).rpartition(".")[2] for each in calls if isinstance(each, ast.Call)]
    return bool(names) and len(names) == len(given) and not any(name[:1].isupper() for name in names)


def _is_found_or_not(value: ast.expr, function: Function) -> bool:
    """Tell whether None is the other outcome that counts: of a pattern, a look-up, a state, what starts as None."""
    if isinstance(value, ast.Attribute):
        return True
    if isinstance(value, ast.Call):
        return _is_look_up(value)
    given = [each for target, each in _assignments(function) if isinstance(value, ast.Name) and target == value.id]
    return any(_is_constant(each, None) or (isinstance(each, ast.Call) and _is_look_up(each)) for each in given)


def _is_look_up(value: ast.Call) -> bool:
    name = getattr(value.func, "attr", "").lstrip("_")
    return name in _MATCHES or (name.startswith(_LOOKUPS) and bool(value.args or value.keywords))


def _call_strength(call: Call, module: Module, function: Function) -> Strength | None:  # noqa: PLR0911 - as above
    last, args = call.last, call.node.args
    if last.startswith(_MOCK_CHECKS):
        return Strength.INTERACTION
    if last in _RAISES:
        return Strength.BROAD_RAISES if is_broad(call, module, function) else Strength.RAISES
    if call.name in _LIMITS or (call.name == "subprocess.run" and _is_constant_true(keyword(call, "check"))):
        return Strength.DELEGATED
    asserted = as_test(call)
    if asserted is not None:
        return _strength(asserted, function)
    if last.startswith("assert") and call.name.startswith("self."):
        return Strength.VALUE
    if last.startswith("test_"):
        return Strength.DELEGATED  # a test that another one calls, such as the one it overrides
    if last in _CHECKING_NAMES or call.name.startswith("numpy.testing."):
        return Strength.VALUE
    if last in _CAUGHT and any(_is_constant(arg, "error") for arg in args[:1]):
        return Strength.RAISES
    checking = _is_checking(last) or "check" in call.name.replace("_", "").split(".")
    return Strength.DELEGATED if checking else None


_TWO: Final[dict[str, type[ast.cmpop]]] = {
    "assertEqual": ast.Eq,
    "assertEquals": ast.Eq,
    "assertAlmostEqual": ast.Eq,
    "assertNotEqual": ast.NotEq,
    "assertIs": ast.Is,
    "assertIsNot": ast.IsNot,
    "assertIn": ast.In,
    "assertNotIn": ast.NotIn,
    "assertLess": ast.Lt,
    "assertLessEqual": ast.LtE,
    "assertGreater": ast.Gt,
    "assertGreaterEqual": ast.GtE,
    "assertListEqual": ast.Eq,
    "assertDictEqual": ast.Eq,
    "assertTupleEqual": ast.Eq,
    "assertSetEqual": ast.Eq,
}


def as_test(call: Call) -> ast.expr | None:  # noqa: PLR0911 - as above
    """Return the expression that a method of `unittest.TestCase` asserts, None if it is none of the common ones."""
    args = call.node.args
    if not (call.last.startswith("assert") and call.name.startswith(("self.", "cls."))):
        return None
    match call.last, args:
        case "assertTrue" | "assert_", [value, *_]:
            return value
        case "assertFalse", [value, *_]:
            return ast.copy_location(ast.UnaryOp(ast.Not(), value), value)
        case "assertIsNotNone", [value, *_]:
            return ast.copy_location(ast.Compare(value, [ast.IsNot()], [ast.Constant(None)]), value)
        case "assertIsNone", [value, *_]:
            return ast.copy_location(ast.Compare(value, [ast.Is()], [ast.Constant(None)]), value)
        case "assertIsInstance", [value, kind, *_]:
            return ast.copy_location(ast.Call(ast.Name("isinstance", ast.Load()), [value, kind], []), value)
        case name, [left, right, *_] if name in _TWO:
            return ast.copy_location(ast.Compare(left, [_TWO[name]()], [right]), left)
    return None


def asserted(node: ast.AST, function: Function) -> ast.expr | None:
    """Return the expression that a check says is true, None where it is not known."""
    if isinstance(node, ast.Assert):
        return node.test
    return next((as_test(call) for call in function.calls if call.node is node), None)


def _helper_strength(call: Call, module: Module, function: Function) -> Strength | None:
    if _checks_itself(_called(call, module, function), module, set()):
        return Strength.DELEGATED
    # A class of the module, such as a thread, that checks in a method of its own.
    return Strength.DELEGATED if any(each.all(ast.Assert) for each in module.functions_in(call.name)) else None


def _called(call: Call, module: Module, function: Function) -> Function | None:
    """Return the function that is called, if this module defines it."""
    if call.name.startswith(("self.", "cls.")) and function.class_node is not None:
        owner = function.symbol.rpartition(".")[0]
        return module.defined.get(f"{owner}.{call.name.partition('.')[2]}")
    return module.defined.get(call.name)


def _checks_itself(function: Function | None, module: Module, seen: set[str]) -> bool:
    if function is None or function.symbol in seen:
        return False
    seen.add(function.symbol)
    if function.all(ast.Assert) or any(map(_is_failure, function.all(ast.Raise))):
        return True
    return any(
        _call_strength(call, module, function) or _checks_itself(_called(call, module, function), module, seen)
        for call in function.calls
    )


def _calls_unknown(function: Function, module: Module, seen: set[str]) -> bool:
    """Tell whether a function, or one of this module that it calls, calls something that might check."""
    seen.add(function.symbol)
    called = [each for call in function.calls if (each := _called(call, module, function)) is not None]
    return any(_is_unknown(call, module, function) for call in function.calls) or any(
        _calls_unknown(each, module, seen) for each in called if each.symbol not in seen
    )


def _is_unknown(call: Call, module: Module, function: Function) -> bool:
    first = call.name.partition(".")[0]
    if first in {"self", "cls", "super"}:
        # A method that another module's class brings.
        own = call.last.startswith(_OF_UNITTEST) or _called(call, module, function) is not None
        if call.name.count(".") == 1:
            return not own
        return "." in call.name and _is_support_object(call.name, module)
    if first.startswith("$"):
        # A fixture that is a function, or a parameter that may bring its own checks.
        return "." not in call.name or first.removeprefix("$") in parametrized(function)
    if "." not in call.name and call.name in _aliases(function):
        return True
    if first in module.classes and call.name.count(".") == 1 and call.name not in module.defined:
        return bool(module.classes[first].bases)  # as above
    return _is_support(call.name)


def _is_support_object(name: str, module: Module) -> bool:
    """Tell whether `self.tool.run` is a method of what a set-up made of a class of the suite's own helpers."""
    attribute = name.split(".")[1]
    for each in module.functions:
        for statement in each.own(ast.Assign) if each.kind in {"setup", "fixture"} else []:
            target, value = statement.targets[0], statement.value
            if isinstance(target, ast.Attribute) and target.attr == attribute and isinstance(value, ast.Call):
                return _is_support(module.resolve(value.func, each))
    return False


def _aliases(function: Function) -> set[str]:
    """Return the local names of fixtures: `fn = some_fixture`."""
    pairs = _assignments(function)
    return {name for name, value in pairs if isinstance(value, ast.Name) and value.id in function.parameters}


def _is_support(name: str) -> bool:
    """Tell whether a name is imported from what looks like a suite's own helpers."""
    parts = name.lower().split(".")[:-1]
    if name.startswith("."):
        return bool(parts[-1])  # a module beside this one, and no method
    return any("test" in part and part not in {"unittest", "pytest"} for part in parts)


def _is_failure(node: ast.Raise) -> bool:
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id in {"AssertionError", "Failed"}


def _is_flag(name: str, function: Function) -> bool:
    """Tell whether a name holds yes or no, and so truth is all there is to check."""
    if name.lower().startswith(_YES_OR_NO) or name.lower().endswith(("ed", "able", "ok")):
        return True
    values = [value for target, value in _assignments(function) if target == name]
    return not values or not all(_is_object(value) for value in values)


def _is_object(value: ast.expr) -> bool:
    """Tell whether an expression gives a thing of which truth says next to nothing."""
    if isinstance(value, ast.Await):
        return _is_object(value.value)
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Name) and value.func.id in _MAKERS:
        return True
    name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    return name[:1].isupper() or name.startswith(_OBJECTS)


def _assignments(function: Function) -> Iterator[tuple[str, ast.expr]]:
    for node in function.all(ast.Assign):
        for target in node.targets:
            yield from _unpacked(target, node.value)
    for each in function.all(ast.AnnAssign):
        if each.value is not None:
            yield from _unpacked(each.target, each.value)


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        unknown = ast.Constant(None)
        yield from ((each.id, unknown) for each in target.elts if isinstance(each, ast.Name))


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value


def _is_constant_true(node: ast.expr | None) -> bool:
    return node is not None and _is_constant(node, True)  # noqa: FBT003 - the value


def _same(one: ast.expr, other: ast.expr) -> bool:
    return type(one) is type(other) and ast.dump(one) == ast.dump(other)


def strongest(found: Sequence[Check]) -> Strength | None:
    """Return the strongest of some checks, None if there is none."""
    return max((check.strength for check in found), key=list(Strength).index, default=None)
