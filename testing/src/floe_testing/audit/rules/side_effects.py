"""Calls that change something outside, and whose effect nobody looks at."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.checks import checks, may_check_elsewhere
from floe_testing.audit.look import (
    MOCK_CLASSES,
    NOTHING_RAISED,
    is_described_at_end,
    is_mock_library,
    last_effect,
    says,
)
from floe_testing.audit.model import Example, Finding, Severity
from floe_testing.audit.module import Function, Module
from floe_testing.audit.rule import Rule

_SINKS: Final = (
    "producer",
    "publisher",
    "sender",
    "notifier",
    "mailer",
    "emitter",
    "webhook",
    "dispatcher",
    "uploader",
)
"""Ends of the names of things that are called so that something happens elsewhere."""


class UncheckedSideEffect(Rule):
    """A test ends by changing something, and doesn't look."""

    id = "FT301"
    name = "unchecked-side-effect"
    severity = Severity.NOTE
    reason = (
        "The last thing the test does is to write, send or publish something, and it doesn't look whether that "
        "arrived: read it back, or assert that the receiver was called with it."
    )
    bad = (
        Example("""
            def test_announce(orders, bus):
                order = orders.place(7)
                assert order.number == 7
                bus.publish("orders", order)
        """),
        Example("""
            def test_save(orders):
                orders.save(Order(7))
        """),
        Example("""
            from unittest.mock import Mock

            def test_place():
                publisher = Mock()
                order = Orders(publisher).place(7)
                assert order.number == 7
        """),
    )
    good = (
        Example("""
            def test_announce(orders, bus):
                order = orders.place(7)
                bus.publish("orders", order)
                assert bus.messages("orders") == [order]
        """),
        Example("""
            import pytest

            def test_announce_nothing(bus):
                assert bus.messages("orders") == []
                with pytest.raises(ValueError):
                    bus.publish("orders", None)
        """),
        Example("""
            from unittest.mock import Mock

            def test_place():
                publisher = Mock()
                order = Orders(publisher).place(7)
                publisher.assert_called_once_with(order)
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at how each test ends, and at the mocks that it hands out to be written to."""
        for function in module.functions:
            if function.test is None or may_check_elsewhere(module, function):
                continue
            if {"skip", "xfail"} & {marker.name for marker in function.test.markers}:
                continue
            found = checks(module, function)
            effect = last_effect(function)
            if (
                effect is not None
                and all(check.node.lineno < effect.node.lineno for check in found)
                and not _is_received(effect.node, [check.node for check in found], function)
                and not (says(module, function, NOTHING_RAISED) or is_described_at_end(module, function))
                and _is_outcome(effect.last, function)
                and not _ends_in_a_fixture(module, function)
            ):
                yield self.finding(module, effect.node, f"nothing looks at what {effect.last}() did", function)
            for statement, name in _sinks(module, function):
                if not _is_looked_at(name, function):
                    yield self.finding(module, statement, f"nothing looks whether {name} was called", function)


_OUTWARD: Final = re.compile(r"^(?:save|publish|upload|emit|notify|enqueue|broadcast|deliver|produce)$")
"""Names of what is called for an effect elsewhere; to write, send or put may be a step of anything."""


def _ends_in_a_fixture(module: Module, function: Function) -> bool:
    """Tell whether a fixture of the module looks after the test whether anything came, or what it has opened may."""
    asked = [each for each in module.functions if each.kind == "fixture" and each.name in function.parameters]
    return any(_looks_after(given, module, each) for each in asked for given in each.own(ast.Yield))


def _looks_after(given: ast.Yield, module: Module, fixture: Function) -> bool:
    """Tell whether a fixture checks something once the test is over, or gives it out from inside a `with`."""
    opened = any(isinstance(each, ast.With | ast.AsyncWith) for each in fixture.ancestors(given))
    return opened or any(check.node.lineno > given.lineno for check in checks(module, fixture))


def _is_outcome(called: str, function: Function) -> bool:
    """Tell whether a call is what the test is about: for an effect elsewhere, or named in the test's own name."""
    return _OUTWARD.search(called) is not None or called in function.name.lower().split("_")[1:]


def _is_received(effect: ast.Call, found: list[ast.expr | ast.stmt], function: Function) -> bool:
    """Tell whether a function that the test hands on before, such as a handler of messages, checks what it is given."""
    if any(isinstance(each, ast.ClassDef) for node in found for each in function.ancestors(node)):
        return True  # a method of a class that stands in for something
    checking = {
        each.name
        for node in found
        for each in function.ancestors(node)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each is not function.node
    }
    called = {id(call.node.func) for call in function.calls}
    return any(
        isinstance(node, ast.Name) and node.id in checking and id(node) not in called and node.lineno <= effect.lineno
        for node in ast.walk(function.node)
    )


def _sinks(module: Module, function: Function) -> Iterator[tuple[ast.stmt, str]]:
    """Yield the mocks that stand in for something that takes messages, or writes."""
    for statement in function.own(ast.Assign):
        target, value = statement.targets[0], statement.value
        if isinstance(value, ast.Call) and isinstance(target, ast.Name) and target.id.lower().endswith(_SINKS):
            name = module.resolve(value.func, function)
            if is_mock_library(name) and name.rpartition(".")[2] in MOCK_CLASSES and _is_bare(value):
                yield statement, target.id


def _is_bare(value: ast.Call) -> bool:
    """Tell whether a mock has no answer prepared, and so is there to be called, not to be asked."""
    return all(each.arg in {"name", "spec", "spec_set", "autospec"} for each in value.keywords)


def _is_looked_at(name: str, function: Function) -> bool:
    """Tell whether a name is used for more than to hand it on to the code under test."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            around = list(function.ancestors(node))
            asserted = any(isinstance(each, ast.Call) and "assert" in ast.unparse(each.func) for each in around)
            if asserted or not isinstance(around[0], ast.Call | ast.keyword):
                return True
    return False
