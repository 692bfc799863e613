"""Tests that check nothing, or next to nothing."""

import ast
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.checks import asserted, checks, may_check_elsewhere
from floe_testing.audit.look import (
    NOTHING_RAISED,
    is_len,
    last_effect,
    measured,
    names_in,
    says,
    says_nothing_is_raised,
    withs,
)
from floe_testing.audit.model import Check, Example, Finding, Severity, Strength
from floe_testing.audit.module import Function, Module
from floe_testing.audit.rule import Rule

_ABOUT_TRUTH: Final = ("bool", "nonzero", "truth", "non none", "not be none", "not be null", *NOTHING_RAISED)
_CANNOT_TELL: Final = ("can't really", "can't test", "cannot test", "can not test", "hard to test", "no way to")
"""How comments say that there is no more to be checked."""
_ABOUT_LENGTH: Final = (
    *("len", "size", "count", "num", "limit", "max", "min"),
    *(
        "once",
        "twice",
        "only",
        "all",
        "one",
        "two",
        "many",
        "bulk",
        "capped",
        "fewer",
        "distinct",
        "unique",
        "duplicate",
    ),
)


_MADE: Final = frozenset({"set", "list", "dict", "frozenset", "tuple", "str", "repr", "sorted", "bytes", "range"})


_COPIES: Final = frozenset({"list", "tuple", "sorted"})
"""What makes a copy of what it is given, with all that is in it."""


class NoCheck(Rule):
    """A test without a check."""

    id = "FT201"
    name = "no-assertion"
    severity = Severity.NOTE
    reason = (
        "The test runs code and looks at nothing: it fails only where that code raises. Assert what should have "
        "come of it; where not raising is the point, say so in the test's name (`…_does_not_raise`)."
    )
    bad = (
        Example("""
            def test_total():
                order = Order(lines=[3, 4])
                order.total()
        """),
    )
    good = (
        Example("""
            def test_total():
                assert Order(lines=[3, 4]).total() == 7
        """),
        Example("""
            def test_empty_order_does_not_raise():
                Order(lines=[]).total()
        """),
        Example("""
            def test_method_of_two_names():
                @command("place", "order")
                def place(number):
                    return number
        """),
        Example("""
            def test_login():
                with Shop().login("ada"):
                    pass
        """),
        Example("""
            def has_total(order, total):
                assert order.total() == total

            def test_total():
                has_total(Order(lines=[3, 4]), 7)
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for tests without a check."""
        for function in _checked_tests(module):
            if checks(module, function) or may_check_elsewhere(module, function):
                continue
            if _only_enters(function) or _only_defines(function) or says_nothing_is_raised(module, function):
                continue
            if last_effect(function) is None:
                yield self.finding(module, function.node, "nothing is checked", function)


class TruthinessOnly(Rule):
    """A test that checks only that there is something."""

    id = "FT202"
    name = "truthiness-only"
    severity = Severity.NOTE
    reason = (
        "The test passes for nearly any result: whatever is not None, zero or empty will do. Compare with the value "
        "that is expected."
    )
    bad = (
        Example("""
            def test_find_order():
                order = find_order(7)
                assert order is not None
        """),
        Example("""
            def test_create_order():
                order = create_order(7)
                assert order
        """),
    )
    good = (
        Example("""
            def test_find_order():
                order = find_order(7)
                assert order is not None
                assert order.number == 7
        """),
        Example("""
            def test_order_is_valid():
                assert is_valid(Order(7))
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for tests whose every check is of truth."""
        for function, found in _only(module, {Strength.TRUTHINESS, Strength.TYPE}, Strength.TRUTHINESS):
            if says(module, function, (*_ABOUT_TRUTH, *_CANNOT_TELL)) or _is_used_later(found[-1], function):
                continue
            if not _is_set_here(found[-1], function):
                yield self.finding(module, found[-1].node, "all that is checked is that there is something", function)


class LengthOnly(Rule):
    """A test that checks only how many there are."""

    id = "FT203"
    name = "length-only"
    severity = Severity.NOTE
    reason = (
        "The right number of wrong things passes. Compare the things; or, where their number is the point, say so "
        "in the test's name (`…_count`, `…_limit`)."
    )
    bad = (
        Example("""
            def test_open_orders():
                orders = open_orders(load("orders.json"))
                assert len(orders) == 2
        """),
    )
    good = (
        Example("""
            def test_open_orders():
                orders = open_orders(load("orders.json"))
                assert [order.number for order in orders] == [7, 9]
        """),
        Example("""
            def test_page_has_limit():
                assert len(first_page(ORDERS, limit=2)) == 2
        """),
        Example("""
            def test_no_open_orders():
                assert len(open_orders([])) == 0
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for tests whose checks are of length, or weaker."""
        for function, found in _only(module, {Strength.TRUTHINESS, Strength.TYPE, Strength.LENGTH}, Strength.LENGTH):
            if any(word in function.name.lower() for word in _ABOUT_LENGTH):
                continue
            lengths = [check for check in found if check.strength is Strength.LENGTH]
            if any(module.comment_at(check.node.lineno) for check in lengths):
                continue  # which says why so many
            if all(_is_of_result(check.node, function) for check in lengths):
                yield self.finding(module, lengths[-1].node, "all that is checked is a length", function)


def _checked_tests(module: Module) -> Iterator[Function]:
    """Yield the tests that run to their end, and so should check something."""
    for function in module.functions:
        if function.test is None or {"skip", "xfail"} & {marker.name for marker in function.test.markers}:
            continue
        if any(call.last in {"skip", "skipTest", "xfail"} for call in function.calls):
            continue
        if "benchmark" in function.parameters or _only_imports(function) or _does_nothing(function):
            continue
        yield function


def _only_enters(function: Function) -> bool:
    """Tell whether a test opens something and does nothing with it: that it opens is what it checks."""
    if any(all(isinstance(each, ast.Pass) for each in block.body) for block in withs(function)):
        return True
    match function.node.body[-2:]:
        case [
            ast.Assign(targets=[ast.Name(id=opened)]),
            ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=closed), attr="close"))),
        ]:
            return opened == closed
    return False


def _only_defines(function: Function) -> bool:
    """Tell whether all that a test does is to define something: that the definition is accepted is what it checks."""
    body = [] if isinstance(function.node, ast.Module) else function.node.body
    defined = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    others = [
        each for each in body if each not in defined and not isinstance(getattr(each, "value", None), ast.Constant)
    ]
    return any(each.decorator_list or isinstance(each, ast.ClassDef) for each in defined) and not others


def _does_nothing(function: Function) -> bool:
    """Tell whether a test is empty, which takes away one that it inherits, or only prints."""
    body = [] if isinstance(function.node, ast.Module) else function.node.body
    return all(
        isinstance(each, ast.Pass)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        or (isinstance(each, ast.Expr) and ast.unparse(each.value).startswith("print("))
        for each in body
    )


def _only_imports(function: Function) -> bool:
    """Tell whether all that a test does is to import something, which is a check of its own."""
    body = [] if isinstance(function.node, ast.Module) else function.node.body
    imports = [each for each in body if isinstance(each, ast.Import | ast.ImportFrom)]
    others = [
        each for each in body if each not in imports and not isinstance(getattr(each, "value", None), ast.Constant)
    ]
    return bool(imports) and all("importorskip" in ast.unparse(each) for each in others)


def _only(module: Module, weak: set[Strength], wanted: Strength) -> Iterator[tuple[Function, list[Check]]]:
    """Yield the tests whose checks are all weak, with one among them that is as weak as wanted."""
    for function in _checked_tests(module):
        found = checks(module, function)
        strengths = {check.strength for check in found}
        if strengths <= weak and wanted in strengths and not may_check_elsewhere(module, function):
            yield function, sorted(found, key=lambda check: check.strength is wanted)


def _is_used_later(check: Check, function: Function) -> bool:
    """Tell whether a test goes on to work with what it has checked the presence of."""
    names = names_in(check.node)
    later = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.Call) and node.lineno > check.node.lineno and not _asks(node)
    ]
    return any(names & names_in(node) for node in later)


def _asks(node: ast.Call) -> bool:
    name = ast.unparse(node.func).rpartition(".")[2]
    return name == "isinstance" or name.startswith("assert")


def _is_of_result(node: ast.expr | ast.stmt, function: Function) -> bool:
    """Tell whether a check compares the length of what a call returned with a number."""
    match asserted(node, function):
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Gt() | ast.GtE() | ast.NotEq()], comparators=[right]):
            sides = [left.value if isinstance(left, ast.NamedExpr) else left, right]
        case _:
            return False
    lengths = [_given(side, function) for side in sides]
    of = [thing for side in lengths if is_len(side) and (thing := measured(side)) is not None]
    return any(isinstance(side, ast.Constant) for side in sides) and any(_is_result(each, function) for each in of)


def _is_set_here(check: Check, function: Function) -> bool:
    """Tell whether what is asked for is a setting that the test itself has set to true."""
    asked = ast.unparse(check.node)
    return any(
        isinstance(each.value, ast.Constant) and each.value.value is True and target.id in asked
        for each in ast.walk(function.node)
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    )


def _given(value: ast.expr, function: Function) -> ast.expr:
    """Return what a name was given, once, and any other expression as it is."""
    if isinstance(value, ast.Name):
        found = [each.value for each in function.own(ast.Assign) if value.id in names_in(each.targets[0])]
        return found[0] if len(found) == 1 else value
    return value


def _is_result(value: ast.expr, function: Function) -> bool:
    """Tell whether a name holds what a function returned; what a constructor makes is the thing under test itself."""
    if isinstance(value, ast.Call):
        called = ast.unparse(value.func).rpartition(".")[2]
        if called in _COPIES and len(value.args) == 1:
            return _is_result(value.args[0], function)
        return not called[:1].isupper() and called not in _MADE and not isinstance(value.func, ast.Attribute)
    for statement in function.own(ast.Assign):
        if isinstance(value, ast.Name) and _is_copy(statement.value) and value.id in names_in(statement.targets[0]):
            return _is_result(statement.value, function)
        given = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        if isinstance(given, ast.Call) and ast.dump(statement.targets[0]) == ast.dump(_stored(value)):
            called = ast.unparse(given.func).rpartition(".")[2]
            return not called[:1].isupper() and called not in _MADE
    return False


def _is_copy(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _COPIES


def _stored(value: ast.expr) -> ast.expr:
    return ast.Name(value.id, ast.Store()) if isinstance(value, ast.Name) else value
