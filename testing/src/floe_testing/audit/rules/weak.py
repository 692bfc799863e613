"""Tests that check nothing, or next to nothing."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from floe_testing.audit.checks import asserted, checks, may_check_elsewhere
from floe_testing.audit.look import (
    NOTHING_RAISED,
    is_described_at_end,
    is_len,
    is_worded,
    last_effect,
    measured,
    names_in,
    parametrized,
    says,
    says_nothing_is_raised,
    withs,
    words_of,
)
from floe_testing.audit.model import Check, Example, Finding, Severity, Strength
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule
from floe_testing.suite.syntax import dotted

_ABOUT_TRUTH: Final = (
    *("bool", "nonzero", "truth", "non none", "not be none", "not be null"),
    *NOTHING_RAISED,
)
_ABOUT_MEANS: Final = frozenset({"handle", "handles", "support", "supports"})
"""Words in a test's name by which it's enough that there is something."""
_CANNOT_TELL: Final = ("can't really", "can't test", "cannot test", "can not test", "hard to test", "no way to")
"""How comments say that there is no more to be checked."""
_ABOUT_LENGTH: Final = re.compile(
    r"(?:len|length|lens|lengths|nums?|numbers?|once|twice|only|all|one|two|many|min|max)\Z"
    r"|(?:siz|count|limit|maxim|minim|bulk|capped|fewer|distinct|unique|duplicate)"
)
"""How words of names say that the number is the point; `account` and `call` only have them in them."""


_MADE: Final = frozenset({"set", "list", "dict", "frozenset", "tuple", "str", "repr", "sorted", "bytes", "range"})


_COPIES: Final = frozenset({"list", "tuple", "sorted"})
"""What makes a copy of what it is given, with all that is in it."""


class NoCheck(Rule):
    """A test without a check."""

    id = "FT201"
    name = "no-assertion"
    severity = Severity.NOTE
    reason = (
        "The test asks for a result and looks at nothing: it fails only where the code raises. Assert what should have "
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
            def test_order_of_all_fields():
                order = Order(lines=[3, 4], customer="ada")
                order.place()
        """),
        Example("""
            def has_total(order, total):
                assert order.total() == total

            def test_total():
                has_total(Order(lines=[3, 4]), 7)
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for tests without a check, that get an answer and drop it.

        Of one that gets none, that it runs through may well be the point, though nothing says so.
        """
        for function in _checked_tests(module):
            if checks(module, function) or may_check_elsewhere(module, function):
                continue
            if _only_enters(function) or _only_defines(function) or says_nothing_is_raised(module, function):
                continue
            if is_described_at_end(module, function):
                continue
            if last_effect(function) is None and _drops_answer(module, function):
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
            if _ABOUT_MEANS.intersection(words_of(function.name)) or is_described_at_end(module, function):
                continue
            if not _is_set_here(found[-1], function) and _is_of_answer(found[-1], function):
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
            if any(_ABOUT_LENGTH.match(word) for word in words_of(function.name)):
                continue
            if says_nothing_is_raised(module, function):
                continue
            lengths = [check for check in found if check.strength is Strength.LENGTH]
            if any(module.comment_at(check.node.lineno) for check in lengths):
                continue  # which says why so many
            if len(lengths) == 1 and _is_of_result(lengths[0].node, function) and _could_be_told(lengths[0], function):
                yield self.finding(module, lengths[-1].node, "all that is checked is a length", function)


@lru_cache(maxsize=1)
def _checked_tests(module: Module) -> tuple[Function, ...]:
    """Return the tests that run to their end, and so should check something, once for all rules."""
    return tuple(_find_checked_tests(module))


def _find_checked_tests(module: Module) -> Iterator[Function]:
    for function in module.functions:
        if function.test is None or {"skip", "xfail"} & {marker.name for marker in function.test.markers}:
            continue
        if any(call.last in {"skip", "skipTest", "xfail"} for call in function.calls):
            continue
        if "benchmark" in function.parameters or _only_imports(function) or _does_nothing(function):
            continue
        yield function


_QUESTIONS: Final = re.compile(
    r"^_*(?:count|total|sum|compute|calculate|calc|p?format|average|mean)(?:_|$|s$)|_(?:total|count|sum)$"
)
"""Names of what is called for its answer, and for nothing else: what is got or found may have to be there."""
_STARTS: Final = re.compile(
    r"^_*(?:connect|open|start|init|log_?in|set_?up|register|create|make|build|import|load|run|call|invoke|add|enter"
    r"|exec|execute|submit|spawn|subscribe|install|mock|patch|parse_?args)(?:_|$)|^[A-Z]|_?connect(?:ion)?$|context|mock|patch"
)
"""Names of what is called to have something, or to bring something about, of which there may be no more to see."""
_BUILT_IN: Final = frozenset({"sum", "format"})
"""What is called like a question, and goes through all that it is given."""
_WORDS: Final = 4
"""Words above which a comment says more than what the line does."""
_REFUSES: Final = re.compile(r"missing|raise|strict|check|validat|must")
"""What is in the names of settings by which a question fails where there is no answer."""
_REPLACES: Final = re.compile(r"patch|override|settings")
"""What is in the names of blocks that put something else in a part's place."""
_SHOWS: Final = frozenset({"print", "pprint", "pprint.pprint", "sys.stdout.write", "display"})


def _drops_answer(module: Module, function: Function) -> bool:
    """Tell whether a test ends by getting an answer that nothing looks at."""
    last = _last_statement(function)
    if last is None or is_worded(module.comment_at(last.lineno), _WORDS):
        return False  # a comment says what comes of it
    match last:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if last.value:
            value = _awaited(last.value)
            called = module.resolve(value.func, function) if isinstance(value, ast.Call) else ""
            asked = bool(called) and not _STARTS.search(called.rpartition(".")[2])
            return asked and not name.startswith("_") and not _is_read(name, function)
        case ast.Expr(value=value) if not parametrized(function):  # that each set runs through may be the point
            return any(call.node is _awaited(value) and _is_question(call, module) for call in function.calls)
    return False


def _last_statement(function: Function) -> ast.stmt | None:
    """Return what a test does last, printing apart; None where it returns something that a caller may look at."""
    if isinstance(function.node, ast.Module) or bool(function.own(ast.Return)) or bool(function.own(ast.Yield)):
        return None
    body = [each for each in function.node.body if not _shows(each)]
    last = body[-1] if body else None
    while isinstance(last, ast.With | ast.AsyncWith):
        if any(_REPLACES.search(ast.unparse(item.context_expr)) for item in last.items):
            return None  # what it would be refused by is out of the way
        last = last.body[-1]
    return last


def _is_question(call: Call, module: Module) -> bool:
    """Tell whether something is called for its answer; `sum(orders)` goes through something."""
    if call.name in _BUILT_IN or any(_REFUSES.search(each.arg or "") for each in call.node.keywords):
        return False
    return _QUESTIONS.search(call.last) is not None or _only_runs(call, module)


def _awaited(value: ast.expr) -> ast.expr:
    return value.value if isinstance(value, ast.Await) else value


def _shows(statement: ast.stmt) -> bool:
    """Tell whether a statement only prints."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    name = ast.unparse(statement.value.func)
    return name in _SHOWS or name.partition(".")[0] in {"log", "logger", "logging"}


def _is_read(name: str, function: Function) -> bool:
    """Tell whether a test does more with a name than to print it."""
    return any(
        isinstance(node, ast.Name)
        and node.id == name
        and isinstance(node.ctx, ast.Load)
        and not any(isinstance(each, ast.Expr) and _shows(each) for each in function.ancestors(node))
        for node in ast.walk(function.node)
    )


def _only_runs(call: Call, module: Module) -> bool:
    """Tell whether a call is of a function of this module that calls some others, and drops what each answers."""
    helper = module.defined.get(call.name)
    if helper is None or isinstance(helper.node, ast.Module) or helper.kind != "helper":
        return False
    calls = [each.value for each in helper.node.body if isinstance(each, ast.Expr)]
    plain = all(isinstance(each, ast.Call) and isinstance(each.func, ast.Name) for each in calls)
    return plain and len(calls) == len(helper.node.body) > 1


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
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Call) and dotted(each.value.func) == "print")
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


_GIVES: Final = re.compile(
    r"^_*(?:get|find|create|make|build|load|fetch|read|generate|query|search|new|look_?up)(?:_|$)"
)
"""Names of what gives a thing that has more to be looked at than that it is there."""


def _is_of_answer(check: Check, function: Function) -> bool:
    """Tell whether what is there is what a call gave, whose name says that it gives something."""
    test = asserted(check.node, function)
    given = _inner(test, function) if test is not None else None
    if not isinstance(given, ast.Call):
        return False
    # A method that is asked without an argument may answer yes or no: `loop.get_debug()`.
    yes_or_no = test is given and isinstance(given.func, ast.Attribute) and not (given.args or given.keywords)
    return _GIVES.search(ast.unparse(given.func).rpartition(".")[2]) is not None and not yes_or_no


def _inner(value: ast.expr, function: Function) -> ast.expr:
    """Return what is asked for in an expression: `x` of `not x is None`, and of a name what it was given."""
    match value:
        case ast.Await(value=inner) | ast.NamedExpr(value=inner) | ast.UnaryOp(operand=inner) | ast.Compare(left=inner):
            return _inner(inner, function)
        case ast.Call(func=ast.Name(id="bool"), args=[inner]):
            return _inner(inner, function)
    given = _given(value, function)
    return given if given is value else _inner(given, function)


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
        return found[0] if len(found) == 1 and found[0].lineno < value.lineno else value
    return value


_SEVERAL_GIVEN: Final = re.compile(r"^_*(?:find|search|list|query|filter|select|fetch\w*|load|all)(?:_|$)|[a-rt-z]s$")
"""Names of methods that give several things."""


def _is_result(value: ast.expr, function: Function) -> bool:
    """Tell whether a name holds what a function returned; what a constructor makes is the thing under test itself."""
    if isinstance(value, ast.Call):
        called = ast.unparse(value.func).rpartition(".")[2]
        if called in _COPIES and len(value.args) == 1:
            return _is_result(value.args[0], function)
        plain = isinstance(value.func, ast.Name) or _SEVERAL_GIVEN.search(called) is not None
        return not called[:1].isupper() and called not in _MADE and plain
    before = (each for each in function.own(ast.Assign) if each.lineno < value.lineno)  # `x = list(x)` ends there
    for statement in before:
        if isinstance(value, ast.Name) and _is_copy(statement.value) and value.id in names_in(statement.targets[0]):
            return _is_result(statement.value, function)
        given = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        if isinstance(given, ast.Call) and ast.dump(statement.targets[0]) == ast.dump(_stored(value)):
            return _is_result(given, function)
    return False


def _could_be_told(check: Check, function: Function) -> bool:
    """Tell whether a length is of several things, and nothing else in the test says how many there must be."""
    test = asserted(check.node, function)
    sides = [test.left, test.comparators[0]] if isinstance(test, ast.Compare) else []
    numbers = [each.value for each in sides if isinstance(each, ast.Constant) and isinstance(each.value, int)]
    if len(numbers) != 1 or not isinstance(test, ast.Compare):
        return False
    if not isinstance(test.ops[0], ast.Eq):
        return True  # any number, which tells even less
    if numbers[0] < _SEVERAL:
        return False
    given = [each for each in ast.walk(function.node) if isinstance(each, ast.Constant) and each.value == numbers[0]]
    return len(given) == 1


_SEVERAL: Final = 2


def _is_copy(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _COPIES


def _stored(value: ast.expr) -> ast.expr:
    return ast.Name(value.id, ast.Store()) if isinstance(value, ast.Name) else value
