"""Assertions that can't fail, or take any failure for the right one."""

import ast
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.checks import checks, is_broad
from floe_testing.audit.look import TYPE_UNKNOWN, contexts, keyword, names_in, says, withs
from floe_testing.audit.model import Example, Finding, Severity, Strength
from floe_testing.audit.module import Function, Module
from floe_testing.audit.rule import Rule

_PREDICATES: Final = frozenset({"isinstance", "issubclass", "all", "any"})
_EQUALITY: Final = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_RAISES: Final = ("raises", "assertRaises", "assertRaisesRegex")
_SWALLOWS: Final = frozenset({"Exception", "BaseException", "AssertionError"})


class Tautology(Rule):
    """An assertion that holds whatever the code does."""

    id = "FT204"
    name = "tautology"
    severity = Severity.ERROR
    reason = "The assertion is true whatever the code does: a tuple, a text, a constant, a length of zero or more."
    bad = (
        Example("""
            def test_total():
                total = Order(lines=[3, 4]).total()
                assert (total == 7, "wrong total")
        """),
        Example("""
            def test_lines():
                assert len(Order().lines) >= 0
        """),
        Example("""
            import unittest

            class OrderTest(unittest.TestCase):
                def test_total(self):
                    self.assertTrue("total", Order().total())
        """),
    )
    good = (
        Example("""
            def test_total():
                total = Order(lines=[3, 4]).total()
                assert total == 7, "wrong total"
        """),
        Example("""
            def test_unknown_order():
                for order in orders():
                    if order.number == 7:
                        break
                else:
                    assert False, "order 7 is missing"
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each check."""
        for function in module.functions:
            for check in checks(module, function):
                if check.strength is Strength.TAUTOLOGY and not _is_other_outcome(check.node, function):
                    yield self.finding(module, check.node, "always true, whatever the code does", function)


class BroadRaises(Rule):
    """A `raises` that takes any exception."""

    id = "FT205"
    name = "broad-raises"
    severity = Severity.WARNING
    reason = (
        "Any exception passes, a misspelt name's too. Name the exception that is expected, or its message with `match`."
    )
    bad = (
        Example("""
            import pytest

            def test_negative_amount():
                with pytest.raises(Exception):
                    Order(amount=-1)
        """),
    )
    good = (
        Example("""
            import pytest

            def test_negative_amount():
                with pytest.raises(ValueError):
                    Order(amount=-1)
        """),
        Example("""
            import pytest

            def test_negative_amount():
                with pytest.raises(Exception, match="amount must not be negative"):
                    Order(amount=-1)
        """),
        Example("""
            import pytest

            def test_error_of_a_handler_is_passed_on():
                def handler(order):
                    raise Exception("from the handler")
                with pytest.raises(Exception):
                    Order(amount=1).handle(handler)
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each `raises`."""
        for function in module.functions:
            broad = [call for call in function.calls if is_broad(call, module, function)]
            if not broad or _makes_broad(function) or says(module, function, TYPE_UNKNOWN):
                continue
            looked_at = _names_of_errors_looked_at(function)
            for call in broad:
                if keyword(call, "match") is None and keyword(call, "check") is None and call.node not in looked_at:
                    yield self.finding(module, call.node, "any exception will do", function)


class SwallowedAssertion(Rule):
    """An assertion whose failure is caught."""

    id = "FT206"
    name = "swallowed-assertion"
    severity = Severity.ERROR
    reason = "The `except` around the assertion takes its failure too: the test can't fail there."
    bad = (
        Example("""
            def test_total():
                try:
                    assert Order(lines=[3, 4]).total() == 7
                except Exception:
                    pass
        """),
    )
    good = (
        Example("""
            def test_total():
                try:
                    total = Order(lines=[3, 4]).total()
                except EmptyOrderError:
                    total = 0
                assert total == 7
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each `try` with an assertion in it."""
        for function in module.functions:
            for node in function.all(ast.Try):
                asserts = [
                    each for statement in node.body for each in ast.walk(statement) if isinstance(each, ast.Assert)
                ]
                if asserts and any(_swallows(handler, module, function) for handler in node.handlers):
                    yield self.finding(
                        module, asserts[0], "the `except` below takes this assertion's failure", function
                    )


class AssertionInRaises(Rule):
    """An assertion of an error, inside the block that the error leaves."""

    id = "FT207"
    name = "assertion-in-raises"
    severity = Severity.ERROR
    reason = (
        "What stands in a `raises` block after the statement that raises never runs, and the error that it asks for "
        "is not there before the block ends. Move the assertion out of the block."
    )
    bad = (
        Example("""
            import pytest

            def test_negative_amount():
                with pytest.raises(ValueError) as caught:
                    Order(amount=-1)
                    assert "negative" in str(caught.value)
        """),
    )
    good = (
        Example("""
            import pytest

            def test_negative_amount():
                with pytest.raises(ValueError) as caught:
                    Order(amount=-1)
                assert "negative" in str(caught.value)
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each `raises` block."""
        for function in module.functions:
            for block in withs(function):
                raising = [item for item in block.items if _is_raises(item, module, function)]
                names = {name for item in raising for name in _bound(item)}
                for statement in block.body[1:]:
                    if isinstance(statement, ast.Assert) and names & names_in(statement):
                        yield self.finding(module, statement, "this never runs: the block has been left", function)


class NeverAsserted(Rule):
    """What looks like a check and is none."""

    id = "FT208"
    name = "never-asserted"
    severity = Severity.ERROR
    reason = (
        "A comparison without `assert`, or a mock's assertion that is not called, has no effect: what looks like a "
        "check is none."
    )
    bad = (
        Example("""
            def test_total():
                Order(lines=[3, 4]).total() == 7
        """),
        Example("""
            def test_announced(announce):
                place_order(7)
                announce.assert_called_once
        """),
    )
    good = (
        Example("""
            import pytest

            def test_total(announce):
                assert place_order(7).total() == 7
                announce.assert_called_once()
                with pytest.raises(TypeError):
                    place_order(7) < 3
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each expression that stands alone."""
        for function in module.functions:
            for statement in function.own(ast.Expr) if function.kind == "test" else []:
                value = statement.value
                if isinstance(value, ast.Attribute) and value.attr.startswith("assert"):
                    yield self.finding(module, statement, f"{value.attr} is not called", function)
                elif _is_check(value) and not any(contexts(function.ancestors(statement))):
                    yield self.finding(module, statement, "looks like a check, and is without `assert`", function)


def _is_other_outcome(node: ast.expr | ast.stmt, function: Function) -> bool:
    """Tell whether an assertion of a constant marks the good one of two outcomes, of which the other one fails."""
    if not (isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant)):
        return False
    for around in function.ancestors(node):
        if isinstance(around, ast.Try | ast.If):
            return any(_fails(each) for each in ast.walk(around))
    return False


def _fails(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fail")


def _is_check(value: ast.expr) -> bool:
    """Tell whether an expression looks like a check; a comparison that orders may be there to raise, or for a query."""
    value = value.value if isinstance(value, ast.Await) else value
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in _PREDICATES
    if not isinstance(value, ast.Compare) or not all(isinstance(op, _EQUALITY) for op in value.ops):
        return False
    left = value.left
    of_class = isinstance(left, ast.Attribute) and isinstance(left.value, ast.Name) and left.value.id[:1].isupper()
    return not of_class and ast.dump(left) != ast.dump(value.comparators[0])


def _makes_broad(function: Function) -> bool:
    raised = [node.exc for node in function.all(ast.Raise) if node.exc is not None]
    named = {name for node in raised for name in names_in(node)}
    named |= {name for node in function.all(ast.Assign) for name in names_in(node.value)}
    named |= {name for call in function.calls for each in call.node.keywords for name in names_in(each.value)}
    return "Exception" in named or any(call.name in {"Exception", "BaseException"} for call in function.calls)


def _names_of_errors_looked_at(function: Function) -> set[ast.expr]:
    """Return the `raises` calls whose error is looked at afterwards."""
    loaded: dict[str, int] = {}
    for node in ast.walk(function.node):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loaded[node.id] = node.lineno
    found: set[ast.expr] = set()
    for block in withs(function):
        found.update(item.context_expr for item in block.items if any(name in loaded for name in _bound(item)))
    for statement in function.all(ast.Assign):
        found.add(statement.value)
    return found


def _bound(item: ast.withitem) -> set[str]:
    return {item.optional_vars.id} if isinstance(item.optional_vars, ast.Name) else set()


def _is_raises(item: ast.withitem, module: Module, function: Function) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and module.resolve(call.func, function).endswith(_RAISES)


def _swallows(handler: ast.ExceptHandler, module: Module, function: Function) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(kind is None or module.resolve(kind, function) in _SWALLOWS for kind in kinds):
        return False
    if any(isinstance(each, ast.For | ast.While | ast.AsyncFor) for each in function.ancestors(handler)):
        return False  # another try follows
    return all(isinstance(each, ast.Pass) or _is_said(each) for each in handler.body)


def _is_said(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr):
        return False
    if isinstance(statement.value, ast.Constant):
        return True
    name = ast.unparse(statement.value.func) if isinstance(statement.value, ast.Call) else ""
    return name == "print" or name.startswith(("logger.", "logging.", "log.", "traceback."))
