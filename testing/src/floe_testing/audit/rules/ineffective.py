"""Assertions that can't fail, or take any failure for the right one."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from floe_testing.audit.checks import as_test, asserted, checks, is_broad
from floe_testing.audit.look import (
    NOTHING_RAISED,
    TYPE_UNKNOWN,
    contexts,
    is_said,
    is_worded,
    keyword,
    names_in,
    parametrized,
    says,
    withs,
    words_of,
)
from floe_testing.audit.model import Example, Finding, Severity, Strength
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule

_PREDICATES: Final = frozenset({"isinstance", "issubclass", "all", "any"})
_METHODS: Final = frozenset({"startswith", "endswith", "issubset", "issuperset"})
"""Methods that answer yes or no, and are called for nothing else."""
_EQUALITY: Final = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_FAILURES: Final = frozenset({"AssertionError", "pytest.fail.Exception", "_pytest.outcomes.Failed"})
"""What an assertion that fails raises, apart from the `failureException` of a test case."""
_RAISES: Final = ("raises", "assertRaises", "assertRaisesRegex", "assert_raises", "assert_raises_regex")
_SWALLOWS: Final = frozenset({"Exception", "BaseException", "AssertionError"})


class Tautology(Rule):
    """An assertion that holds whatever the code does."""

    id = "FT204"
    name = "tautology"
    severity = Severity.NOTE
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
        Example("""
            def test_total():
                Order(lines=[3, 4]).total()
                assert True
        """),
        Example("""
            def test_total():
                total = Order(lines=[3, 4]).total()
                assert total == total
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
                if check.strength is not Strength.TAUTOLOGY or _is_other_outcome(check.node, function):
                    continue
                if _is_about_equality(check.node, module, function) or _is_explained(check.node, module, function):
                    continue
                if "__eq__" not in module.reasons(function):  # which compares with itself by design
                    yield self.finding(module, check.node, "always true, whatever the code does", function)


class BroadRaises(Rule):
    """A `raises` that takes any exception."""

    id = "FT205"
    name = "broad-raises"
    severity = Severity.NOTE
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
        """Look at each `raises` that takes anything."""
        for function in module.functions:
            for call in _unexplained(module, function):
                yield self.finding(module, call.node, "any exception will do", function)


class SwallowedAssertion(Rule):
    """An assertion whose failure is caught."""

    id = "FT206"
    name = "swallowed-assertion"
    severity = Severity.NOTE
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
                asserts = _asserts_in(node.body, module, function)
                raised = takewhile(lambda handler: not _raises_again(handler), node.handlers)
                swallows = [each for each in raised if _swallows(each, module, function)]
                if asserts and swallows and not any(_says_why(handler, module) for handler in swallows):
                    yield self.finding(
                        module, asserts[0], "the `except` below takes this assertion's failure", function
                    )
                if asserts and any(isinstance(each, ast.Return) for each in node.finalbody):
                    yield self.finding(module, asserts[0], "`return` in `finally` drops this failure", function)
            for block in withs(function):
                suppresses = any(_suppresses(item, module, function) for item in block.items)
                asserts = _asserts_in(block.body, module, function) if suppresses else []
                if asserts:
                    yield self.finding(module, asserts[0], "`suppress` around takes this assertion's failure", function)


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
        Example("""
            import pytest

            def test_total_is_checked():
                with pytest.raises(AssertionError) as caught:
                    check_total(7)
                    assert "7" in str(caught.value)
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
        Example("""
            import pytest

            def test_shop_counts_calls(shop):
                with pytest.raises(AssertionError):
                    shop.place(7)
                    shop.assert_called_once_with(8)
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each `raises` block."""
        for function in module.functions:
            for block in withs(function):
                raising = [item for item in block.items if _is_raises(item, module, function)]
                may_fail = any(_takes_assertions(item, module, function) for item in raising)
                names = {name for item in raising for name in _bound(item)}
                for statement in block.body[1:] if raising else []:
                    if may_fail and not names & names_in(statement):
                        continue  # the assertion itself may be what is to fail, but for one of the block's own error
                    if _asserts_about(statement, names, module, function):
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
        Example("""
            def test_announced(announce):
                place_order(7)
                assert announce.called_once_with(7)
        """),
    )
    arguable = (
        Example("""
            def test_translations_are_loaded_once(order, count_queries):
                "en" in order.translations
                "fi" in order.translations
                assert count_queries() == 1
        """),
        Example("""
            def test_total_is_loaded_once(order, count_queries):
                with count_queries(1):
                    order.total == 7
                    order.total == 8
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
        has_other_mocks = _has_other_mocks(module)
        for function in module.functions:
            for statement in function.all(ast.Expr) if _should_check(function) else []:
                value = statement.value
                if isinstance(value, ast.Attribute) and value.attr.startswith("assert"):
                    if _may_be_left(function, statement):
                        continue  # asks whether it is there
                    yield self.finding(module, statement, f"{value.attr} is not called", function)
                elif (
                    _is_check(value)
                    and not any(look(function, statement) for look in (_may_be_left, _is_in_query, _tries_operators))
                    and not (module.comment_at(statement.lineno) or _calls_own_operator(value, module, function))
                ):
                    message = "looks like a check, and is without `assert`"
                    sure = not (
                        _looks_up(value) or _is_watched(function, statement) or says(module, function, _ONLY_TRIED)
                    )
                    yield self.finding(module, statement, message, function, sure=sure)
                elif isinstance(value, ast.Call) and _asked_of_mock(value) and not has_other_mocks:
                    name = _asked_of_mock(value)
                    yield self.finding(module, statement, f"{name} is no method of a mock: assert_{name}?", function)
            if has_other_mocks:
                continue
            asserts: list[tuple[ast.Assert | ast.Call, ast.expr]] = [
                (each, each.test) for each in function.all(ast.Assert)
            ]
            asserts += [(call.node, test) for call in function.calls if (test := as_test(call)) is not None]
            for node, test in asserts:
                name = _asked_of_mock(test)
                if name:
                    message = f"{name} is no method of a mock, and what a mock returns is always true: assert_{name}?"
                    yield self.finding(module, node, message, function)


class AssertionInExcept(Rule):
    """A check of an error that passes where there is none."""

    id = "FT209"
    name = "assertion-in-except"
    severity = Severity.WARNING
    reason = (
        "All that the test checks stands in an `except`: where nothing is raised, it passes without a check. Use "
        "`pytest.raises`, or fail behind the statement that should raise."
    )
    bad = (
        Example("""
            def test_negative_amount():
                try:
                    Order(amount=-1)
                except ValueError as error:
                    assert "negative" in str(error)
        """),
    )
    arguable = (
        Example("""
            def test_help():
                try:
                    main(["--help"])
                except SystemExit as exited:
                    assert exited.code == 0
        """),
        Example("""
            def test_extra_is_missing():
                try:
                    import shop.optional
                except ImportError as error:
                    assert "pip install shop[optional]" in str(error)
        """),
    )
    good = (
        Example("""
            import pytest

            def test_negative_amount():
                with pytest.raises(ValueError, match="negative"):
                    Order(amount=-1)
        """),
        Example("""
            import pytest

            def test_negative_amount():
                try:
                    Order(amount=-1)
                    pytest.fail("must be refused")
                except ValueError as error:
                    assert "negative" in str(error)
        """),
        Example("""
            def test_amount_is_read_or_refused():
                for text in SAMPLES:
                    try:
                        amount = read_amount(text)
                    except ValueError as error:
                        assert text in str(error)
                    else:
                        assert str(amount) == text
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at each `except` with a check in it."""
        for function in module.functions:
            if function.test is None or parametrized(function) or _is_given(function):
                continue  # of some sets of parameters, that nothing is raised may be the outcome
            for node in function.all(ast.Try):
                asserts = [each for handler in node.handlers for each in _asserts_in(handler.body, module, function)]
                errors = {handler.name for handler in node.handlers}
                # What fails, or asks that there be no error, says that the `except` must not be entered.
                handled = [
                    each
                    for each in asserts
                    if not (_fails(each) or _holds_always(each, function) or _is_of_no_error(each, errors, function))
                ]
                if not handled or _may_be_absent(handled, module, function):
                    continue
                around = [*node.body, *node.orelse, *node.finalbody]
                if _asserts_in(around, module, function) or _holds_to_raise(around):
                    continue
                if _fails_otherwise(node, function) or any(handler.type is None for handler in node.handlers):
                    continue
                if any(_is_tolerated(each, module) for each in node.handlers) or _is_of_one_case(
                    node, handled, function
                ):
                    continue
                if _is_sure_to_raise(node.body) or _is_made_to_raise(node, module):
                    continue
                if _must_raise(node, function) or _is_told_what_to_expect(node):
                    continue
                message = "nothing is checked where nothing is raised"
                sure = _is_about_error(node, handled, module, function) and not (
                    _is_import(node.body) or _is_clean_exit(node, handled, function) or _calls_check(node.body)
                )
                yield self.finding(module, handled[0], message, function, sure=sure)


class RedefinedTest(Rule):
    """A test whose name another one takes."""

    id = "FT210"
    name = "redefined-test"
    severity = Severity.ERROR
    reason = "Another test further down has the same name and takes its place: this one never runs. Rename one."
    bad = (
        Example("""
            def test_total():
                assert Order(lines=[3, 4]).total() == 7

            def test_total():
                assert Order(lines=[]).total() == 0
        """),
        Example("""
            class TestTotal:
                def test_sum(self):
                    assert Order(lines=[3, 4]).total() == 7

            class TestTotal:
                def test_none(self):
                    assert Order(lines=[]).total() == 0
        """),
    )
    good = (
        Example("""
            import sys

            if sys.platform == "win32":
                def test_path():
                    assert Order(7).path == "orders\\\\7"
            else:
                def test_path():
                    assert Order(7).path == "orders/7"
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for names that a scope gives twice."""
        tested: dict[ast.AST, Function] = {function.node: function for function in module.functions}
        for body in [module.tree.body, *(node.body for node in module.every_class)]:
            last: dict[str, ast.stmt] = {}
            for statement in reversed(body):
                if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    continue
                later = last.get(statement.name)
                if later is not None and _is_test(later, tested) and not _is_kept(statement, later, body):
                    message = f"never runs: line {later.lineno} defines {statement.name} again"
                    yield self.finding(module, statement, message, tested.get(statement))
                last.setdefault(statement.name, statement)


def _is_test(node: ast.stmt, functions: Mapping[ast.AST, Function]) -> bool:
    """Tell whether a function is a test, or a class has some."""
    if isinstance(node, ast.ClassDef):
        return any(each.class_node is node and each.test is not None for each in functions.values())
    return node in functions and functions[node].test is not None


def _is_kept(first: ast.stmt, later: ast.stmt, body: Sequence[ast.stmt]) -> bool:
    """Tell whether a definition is used before the next one of its name, or is one of several by design."""
    name = getattr(first, "name", "")
    between = [each for each in body if first.lineno < each.lineno < later.lineno]
    decorators = [ast.unparse(each) for each in getattr(first, "decorator_list", ())]
    registered = any(
        word in each
        for each in decorators
        for word in ("overload", "register", "fixture", ".setter", "expand", ".route(", ".command(", ".task")
    )
    bases = set().union(*map(names_in, getattr(later, "bases", ()))) if getattr(later, "bases", ()) else set()
    return registered or name in bases or any(name in names_in(each) for each in between)


_NOT_METHODS: Final = frozenset(
    {"called_with", "called_once_with", "called_once", "any_call", "has_calls", "not_called", "called_any", "has_call"}
    | {"awaited_with", "awaited_once_with", "awaited_once", "any_await", "has_awaits", "not_awaited"}
)


_OTHER_MOCKS: Final = frozenset({"kgb", "doublex", "flexmock", "mockito", "pretend", "fudge", "mocket"})
"""Packages whose mocks and spies have methods of their own."""


def _has_other_mocks(module: Module) -> bool:
    """Tell whether a module has mocks of another kind than unittest's: of a package, or of a class of its own."""
    imported = [each.module or "" for each in module.imports if isinstance(each, ast.ImportFrom)]
    imported += [alias.name for each in module.imports if isinstance(each, ast.Import) for alias in each.names]
    of_package = any(name.partition(".")[0] in _OTHER_MOCKS for name in imported)
    return of_package or any(function.name in _NOT_METHODS for function in module.functions)


def _asked_of_mock(test: ast.expr) -> str:
    """Return the name of what an assertion calls on a mock that has no such method, nothing if it does not."""
    while isinstance(test, ast.Await | ast.UnaryOp):
        test = test.value if isinstance(test, ast.Await) else test.operand
    match test:
        case ast.Attribute(attr="called_once"):
            return ""  # a property of other mocks than unittest's, such as those of requests_mock
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Attribute(attr=name) if name in _NOT_METHODS:
            return name
    return ""


def _should_check(function: Function) -> bool:
    """Tell whether a function is there to check: a test, or a helper that says so in its name."""
    return function.kind == "test" or function.name.lstrip("_").startswith(("assert", "check", "verify", "expect"))


def _tries_operators(function: Function, statement: ast.stmt) -> bool:
    """Tell whether a comparison is one of several expressions on a line: operators are tried, that they don't raise."""
    return sum(each.lineno == statement.lineno for each in function.all(ast.Expr)) > 2  # noqa: PLR2004 - more than a pair


_ONLY_TRIED: Final = (
    *("not raise", "n't raise", "no raise", "no error", "without error", "no exception", "not crash", "n't crash"),
    *("segfault", "recursion", "not fail", "n't fail", "without raising", "trigger", "evaluat", "not hang", "n't hang"),
)
"""How tests say that a comparison is there to be made, whatever it comes to."""
_OPERATORS: Final = frozenset({"__eq__", "__ne__", "__contains__", "__bool__", "__hash__"})
"""Methods that a comparison calls."""


def _calls_own_operator(value: ast.expr, module: Module, function: Function) -> bool:
    """Tell whether something is made of a class that the test defines with operators: these are what it calls."""
    own = [*module.every_class, *function.all(ast.ClassDef)]
    with_operators = {
        each.name
        for each in own
        if any(isinstance(method, ast.FunctionDef) and method.name in _OPERATORS for method in each.body)
    }
    made = {
        name
        for each in function.all(ast.Assign)
        if with_operators & names_in(each.value)
        for target in each.targets
        for name in names_in(target)
    }
    return bool((with_operators | made) & names_in(value))


def _may_be_left(function: Function, statement: ast.stmt) -> bool:
    """Tell whether a comparison stands where an error is expected, and so may be there to raise it."""
    around = list(function.ancestors(statement))
    names = [ast.unparse(call.func).rpartition(".")[2].lower() for call in contexts(around)]
    if any(word in name for name in names for word in ("raise", "warn", "deprecat", "suppress", "error", "fail")):
        return True
    return any(isinstance(each, ast.Try) and statement in each.body for each in around)


_WATCHES: Final = re.compile(
    r"quer|record|captur|watch|expect|bench|profil|catch|assert"
    r"|(?:count(?:s|ed|ers?|ing)?|trac(?:es?|ed|ers?|ing)|track(?:s|ed|ers?|ing)?|tracemalloc)$"
)
"""How words of the names of blocks begin, or are, that look at what is done in them."""


def _is_watched(function: Function, statement: ast.stmt) -> bool:
    """Tell whether a comparison stands in a block that looks at what it does: how often it asks a database, say."""
    names = [ast.unparse(call.func).rpartition(".")[2] for call in contexts(function.ancestors(statement))]
    return any(_WATCHES.match(word) for name in names for word in words_of(name))


def _is_in_query(function: Function, statement: ast.stmt) -> bool:
    """Tell whether an expression stands alone in a function that something else reads: a query, a decorated rule."""
    for each in function.ancestors(statement):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each is not function.node:
            compares = len(each.body) == 1 and _is_called(each.name, function)
            return bool(each.decorator_list) or not (
                compares or each.name.startswith(("assert", "check", "verify", "_assert", "_check"))
            )
    return False


def _is_called(name: str, function: Function) -> bool:
    """Tell whether a test calls a function itself, and does nothing else with it."""
    uses = [each for each in ast.walk(function.node) if isinstance(each, ast.Name) and each.id == name]
    alone = [each.value.func for each in function.own(ast.Expr) if isinstance(each.value, ast.Call)]
    return bool(uses) and all(each in alone for each in uses)


def _asserts_in(body: Iterable[ast.stmt], module: Module, function: Function) -> list[ast.Assert | ast.Call]:
    """Return the assertions among some statements: `assert`, and the methods of test cases and mocks."""
    return [
        node
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _asserts(node, module, function))
    ]


def _asserts(node: ast.Call, module: Module, function: Function) -> bool:
    name = module.resolve(node.func, function).rpartition(".")[2]
    return name.startswith("assert") and not name.startswith(_RAISES)


_NEAR: Final = 8
"""Lines for which a comment above several `raises` speaks."""


_ANY_WILL_DO: Final = re.compile(
    r"\b(?:any|either|current|differ|depend|var(?:y|ies|ious)|because|since|might|may|probabl|generic|plain|broad)"
    r"|\bversion|\botherwise\b|don't care|doesn't matter|not sure|whatever|unspecified|\bnicer\b|should be something"
    r"|\b(?:b017|pt011|w07\d\d)\b"
)
"""How comments give a reason for taking any exception, which one that tells of the error alone does not."""


_BLOCKS: Final = (ast.With, ast.AsyncWith)


def _explained(module: Module, function: Function) -> list[int]:
    """Return the lines of comments in a function that say why any exception will do."""
    first, last = getattr(function.node, "lineno", 0), getattr(function.node, "end_lineno", 0)
    return [line for line, text in module.comment_lines(first, last) if _ANY_WILL_DO.search(text.lower())]


def _says_why(handler: ast.ExceptHandler, module: Module) -> bool:
    """Tell whether an `except` has a comment, or a text in its place."""
    if any(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in handler.body):
        return True
    return bool(module.comment_lines(handler.lineno, handler.end_lineno or handler.lineno))


def _suppresses(item: ast.withitem, module: Module, function: Function) -> bool:
    call = item.context_expr
    if not isinstance(call, ast.Call) or module.resolve(call.func, function) != "contextlib.suppress":
        return False
    return any(module.resolve(kind, function) in _SWALLOWS for kind in call.args)


def _asserts_about(statement: ast.stmt, names: set[str], module: Module, function: Function) -> bool:
    """Tell whether a statement asserts something of an error, or of a mock."""
    if isinstance(statement, ast.Assert):
        return bool(names & names_in(statement))
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    called = module.resolve(statement.value.func, function)
    of_mock = called.rpartition(".")[2].startswith(
        ("assert_called", "assert_not_called", "assert_awaited", "assert_has")
    )
    return of_mock or (_asserts(statement.value, module, function) and bool(names & names_in(statement)))


def _fails_otherwise(node: ast.Try, function: Function) -> bool:
    """Tell whether a test fails, or looks at a note of the error, where the `except` is not entered."""
    around = node.body + node.orelse
    if any(_fails(each) or _skips(each) for statement in around for each in ast.walk(statement)):
        return True
    noted = {
        name.id
        for handler in node.handlers
        for each in handler.body
        for name in ast.walk(each)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    noted |= {
        each.attr
        for handler in node.handlers
        for one in handler.body
        for each in ast.walk(one)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
    }
    last = node.end_lineno or node.lineno
    later = [each for each in ast.walk(function.node) if isinstance(each, ast.stmt) and each.lineno > last]
    leaves = any(
        isinstance(each, ast.Return | ast.Continue | ast.Break) for handler in node.handlers for each in handler.body
    )
    return any(
        isinstance(each, ast.Assert | ast.Raise) or (isinstance(each, ast.Call) and _asserts_or_fails(each))
        for statement in later
        for each in ast.walk(statement)
    ) and (leaves or bool(noted) or bool(later))


def _is_given(function: Function) -> bool:
    """Tell whether a test is one of a property, that Hypothesis makes up the values for."""
    calls = (each.func for each in function.decorators if isinstance(each, ast.Call))
    return any(ast.unparse(each).rpartition(".")[2] == "given" for each in calls)


def _is_about_error(
    node: ast.Try, handled: Iterable[ast.Assert | ast.Call], module: Module, function: Function
) -> bool:
    """Tell whether a test has a `try` to look at an error that must come: at its text, say, and not only at its kind.

    One that looks at something else, asks for no more than the kind, has another error fail, or is told what is not
    installed, may be there for what comes in some cases only; so may one in a function that a thread is given.
    """
    looks = any(handler.name and _reads(handler.body, handler.name) for handler in node.handlers)
    by_kind = all(_is_of_kind(each, function) for each in handled)
    fails = any(_fails(each) for handler in node.handlers for statement in handler.body for each in ast.walk(statement))
    kinds = [each for handler in node.handlers for each in _kinds(handler)]
    absent = all(module.resolve(kind, function) in _NOT_INSTALLED for kind in kinds)
    inside = next((each for each in function.ancestors(node) if isinstance(each, _FUNCTIONS)), function.node)
    return looks and inside is function.node and not (by_kind or fails or absent)


_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_OF_KIND: Final = frozenset({"isinstance", "issubclass", "assertisinstance"})
_NOT_INSTALLED: Final = frozenset({"ImportError", "ModuleNotFoundError"})


def _reads(body: Iterable[ast.stmt], name: str) -> bool:
    return any(name in names_in(statement) for statement in body)


def _kinds(handler: ast.ExceptHandler) -> Sequence[ast.expr]:
    """Return the kinds of error that an `except` takes, each by itself."""
    if handler.type is None:
        return ()
    return handler.type.elts if isinstance(handler.type, ast.Tuple) else (handler.type,)


def _is_of_kind(node: ast.Assert | ast.Call, function: Function) -> bool:
    """Tell whether an assertion is of the kind that something is of."""
    test = node if isinstance(node, ast.Call) else asserted(node, function)
    return isinstance(test, ast.Call) and ast.unparse(test.func).rpartition(".")[2].lower() in _OF_KIND


def _holds_always(node: ast.Assert | ast.Call, function: Function) -> bool:
    test = asserted(node, function)
    return isinstance(test, ast.Constant) and bool(test.value)


def _is_of_no_error(node: ast.Assert | ast.Call, errors: Iterable[str | None], function: Function) -> bool:
    """Tell whether what is asserted is that there is no error: `assert error is None`, `assert not error`."""
    test: ast.expr | None = None
    match node:
        case ast.Call(func=ast.Attribute(attr="assertIsNone" | "assertFalse"), args=[first, *_]):
            test = first
    match asserted(node, function):
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            test = operand
        case ast.Compare(left=left, ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=None)]):
            test = left
    return isinstance(test, ast.Name) and test.id in errors


def _called_in(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names of what some statements call, without what they are reached by."""
    for statement in body:
        for each in ast.walk(statement):
            if isinstance(each, ast.Call):
                yield ast.unparse(each.func).rpartition(".")[2]


def _holds_to_raise(body: Iterable[ast.stmt]) -> bool:
    """Tell whether some statements hold something else to raise, by `raises` or `assertRaises`."""
    return any(name.startswith(_RAISES) for name in _called_in(body))


_CHECKS: Final = re.compile(r"^_*(?:check|verify|validate|ensure|expect|should|compare|assure)")
"""How names of helpers begin that may fail where nothing is raised."""


def _calls_check(body: Iterable[ast.stmt]) -> bool:
    """Tell whether some statements call what, by its name, checks something itself."""
    return any(_CHECKS.search(name.lower()) for name in _called_in(body))


_UNCERTAIN: Final = (
    "may or may not",
    "might or might not",
    "either succeed",
    "either pass",
    "either work",
    "either return",
)
"""How a test says that an error depends on what it can't set."""


def _may_be_absent(handled: Iterable[ast.Assert | ast.Call], module: Module, function: Function) -> bool:
    """Tell whether a test says that it may do without an error, or does, and asserts only what an error is not."""
    if says(module, function, _UNCERTAIN):
        return True
    return says(module, function, NOTHING_RAISED) and all(_is_denied(asserted(each, function)) for each in handled)


def _is_clean_exit(node: ast.Try, handled: Iterable[ast.Assert | ast.Call], function: Function) -> bool:
    """Tell whether what is asserted is that a command exits well, if it does: that it returns is as good."""
    exits = all(isinstance(each.type, ast.Name) and each.type.id == "SystemExit" for each in node.handlers)
    return exits and all(_is_of_zero(asserted(each, function)) for each in handled)


def _is_of_zero(test: ast.expr | None) -> bool:
    match test:
        case ast.Compare(ops=[ast.Eq() | ast.Is() | ast.In()], comparators=[compared]):
            values = compared.elts if isinstance(compared, ast.Tuple | ast.List | ast.Set) else [compared]
            return all(map(_is_zero, values))
    return False


def _is_of_one_case(node: ast.Try, handled: Iterable[ast.AST], function: Function) -> bool:
    """Tell whether a `try` in a loop asserts for which of the cases there may be an error, and nothing of the error."""
    cases = {
        name
        for each in function.ancestors(node)
        if isinstance(each, ast.For | ast.AsyncFor)
        for name in names_in(each.target)
    }
    errors = {handler.name for handler in node.handlers}
    return all(cases & names_in(each) and not errors & names_in(each) for each in handled)


_RAISING: Final = re.compile(r"^_*(?:crash|raise|throw|fail|explode|boom)")
"""Names of what a module of tests defines only to raise."""


def _is_made_to_raise(node: ast.Try, module: Module) -> bool:
    """Tell whether a `try` calls a function that the tests define to raise: then there is always an error."""
    called = [each.func for statement in node.body for each in ast.walk(statement) if isinstance(each, ast.Call)]
    own = {function.symbol for function in module.functions}
    return any(isinstance(each, ast.Name) and each.id in own and _RAISING.search(each.id) for each in called)


_NOT_THERE: Final = re.compile(
    r"(?:^|[._])(?:no_?such|nothing|missing|unknown|absent|bogus|non_?exist|not_?(?:exist|there|installed)|does_?nt?_|does_?not)"
)
"""Names of modules that are meant not to be there."""


def _is_import(body: Sequence[ast.stmt]) -> bool:
    """Tell whether all that a `try` does is to import something, which is there in some environments."""
    return len(body) == 1 and isinstance(body[0], ast.Import | ast.ImportFrom)


def _is_sure_to_raise(body: Sequence[ast.stmt]) -> bool:
    """Tell whether all that a `try` does is to import what there is not, or to divide by zero, to have an error."""
    match body:
        case [ast.ImportFrom(module=None)]:  # from the tests' own folder, which nobody installs anything in
            return True
        case [ast.Import(names=names)]:
            return any(_NOT_THERE.search(each.name) for each in names)
        case [ast.ImportFrom(module=str(package), names=names)]:
            return any(map(_NOT_THERE.search, (package, *(each.name for each in names))))
        case [ast.Expr(value=value) | ast.Assign(value=value)]:
            return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div) and _is_zero(value.right)
    return False


def _must_raise(node: ast.Try, function: Function) -> bool:
    """Tell whether a test holds elsewhere that what a `try` does must raise, and does it again for a look at it."""
    done = [ast.dump(each) for each in node.body]
    held = (each.node for each in function.calls if each.last in _RAISES)
    return any([ast.dump(each) for each in _held_to_raise(call, function)] == done for call in held)


def _held_to_raise(call: ast.Call, function: Function) -> Sequence[ast.stmt]:
    """Return what `raises(…)` holds to raise: the call that it is given, or the block that it begins."""
    name = ast.unparse(call.func).rpartition(".")[2]
    function_at = 2 if name in {"assertRaisesRegex", "assert_raises_regex"} else 1
    if len(call.args) > function_at:
        called, *given = call.args[function_at:]
        return [ast.Expr(ast.Call(called, given, call.keywords))]
    around = next((each for each in function.ancestors(call) if isinstance(each, _BLOCKS)), None)
    return [] if around is None else around.body


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _is_told_what_to_expect(node: ast.Try) -> bool:
    """Tell whether what a `try` calls is given what to expect, and so checks: `run(command, expected_code=2)`.

    A switch such as `expect_errors=True` says only that what comes is let pass.
    """
    called = [each for statement in node.body for each in ast.walk(statement) if isinstance(each, ast.Call)]
    told = [each for call in called for each in call.keywords if (each.arg or "").startswith("expect")]
    return not all(isinstance(each.value, ast.Constant) and isinstance(each.value.value, bool) for each in told)


_FEW_WORDS: Final = 3
_FOR_SOME: Final = re.compile(
    r"\b(?:some|sometimes|may|might|can(?:not)?|never|only|either|depend\w*|if|unless|where|soon|yet|until|eventually)\b"
    r"|\b(?:expected to|no longer)\b"
)
"""How comments say that an error comes in some cases only."""


def _is_tolerated(handler: ast.ExceptHandler, module: Module) -> bool:
    """Tell whether an `except` lets only some errors pass, as a number or a comment says, or goes on to another try."""
    if all(isinstance(each, ast.Pass) for each in handler.body):
        return True
    first = handler.body[0]
    said = module.comment_lines(handler.lineno, first.lineno)
    if any(is_worded(text, _FEW_WORDS) and _FOR_SOME.search(text.lower()) for _, text in said):
        return True
    leaves = isinstance(handler.body[-1], ast.Continue | ast.Break | ast.Return)
    return leaves or "errno" in names_in(handler) or any(isinstance(each, ast.Raise) for each in ast.walk(handler))


def _is_denied(test: ast.expr | None) -> bool:
    match test:
        case ast.Compare(ops=[ast.NotIn()]):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[ast.In()]) | ast.Call(func=ast.Name(id="isinstance"))):
            return True
    return False


_EQUALITY_MEANT: Final = re.compile(r"\b(?:equal(?:s|ity)?|compar\w+|identical|identity|reflexiv\w+|the same)\b")
"""How comments say that what is compared with itself is so on purpose."""
_PLAIN_DECORATORS: Final = frozenset({"staticmethod", "classmethod"})


def _is_about_equality(node: ast.expr | ast.stmt, module: Module, function: Function) -> bool:
    """Tell whether something is compared with itself on purpose: a comment says so, or getting it makes it anew."""
    test = asserted(node, function)
    if not isinstance(test, ast.Compare):
        return False
    if isinstance(test.left, ast.Attribute) and test.left.attr in _decorated(function):
        return True
    if any(_is_told_apart(asserted(each.node, function), test.left) for each in checks(module, function)):
        return True  # what equality tells apart is what the test is about
    first = node.lineno
    while first > 1 and module.text(first - 1):
        first -= 1
    return any(_EQUALITY_MEANT.search(text.lower()) for _, text in module.comment_lines(first, node.lineno))


def _is_told_apart(test: ast.expr | None, thing: ast.expr) -> bool:
    """Tell whether a check says that something does not equal something else."""
    match test:
        case ast.Compare(
            left=ast.Compare() as inner, ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=False)]
        ):
            test = ast.UnaryOp(ast.Not(), inner)
    denied = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    compared = test.operand if isinstance(test, ast.UnaryOp) and denied else test
    if not isinstance(compared, ast.Compare) or not isinstance(compared.ops[0], ast.Eq if denied else ast.NotEq):
        return False
    return ast.dump(thing) in {ast.dump(compared.left), ast.dump(compared.comparators[0])}


def _decorated(function: Function) -> set[str]:
    """Return the names in classes that a test defines which a decorator gave something else than a function."""
    found: set[str] = set()
    for owner in (each for each in ast.walk(function.node) if isinstance(each, ast.ClassDef)):
        functions = [each for each in owner.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        found |= {each.name for each in functions if {*map(ast.unparse, each.decorator_list)} - _PLAIN_DECORATORS}
        names = {each.name for each in functions}
        for statement in (each for each in owner.body if isinstance(each, ast.Assign)):
            made = statement.value
            if isinstance(made, ast.Call) and any(names & names_in(arg) for arg in made.args):
                found |= set().union(*map(names_in, statement.targets))
    return found


def _asserts_or_fails(node: ast.Call) -> bool:
    return ast.unparse(node.func).rpartition(".")[2].startswith(("assert", "fail"))


def _is_explained(node: ast.expr | ast.stmt, module: Module, function: Function) -> bool:
    """Tell whether an assertion of a plain constant has a comment beside it: a placeholder, and it says for what."""
    return isinstance(asserted(node, function), ast.Constant) and is_worded(module.comment_at(node.lineno), 0)


def _is_other_outcome(node: ast.expr | ast.stmt, function: Function) -> bool:
    """Tell whether an assertion of a constant marks the good one of two outcomes, of which the other one fails."""
    if not isinstance(asserted(node, function), ast.Constant):
        return False
    for around in function.ancestors(node):
        if isinstance(around, ast.Try | ast.If):
            return any(_fails(each) for each in ast.walk(around)) or _fails_last(function)
    last = getattr(function.node, "body", [])[-1:]
    tried = any(_fails(each) for block in function.own(ast.Try) for each in ast.walk(block))
    return tried and any(each is node or getattr(each, "value", None) is node for each in last)


def _fails_last(function: Function) -> bool:
    """Tell whether a test that has not returned by its last statement fails there."""
    last = getattr(function.node, "body", [])[-1:]
    return any(_fails(each) or _fails(getattr(each, "value", each)) for each in last)


def _fails(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return _is_false(node.test)
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Raise)
    match getattr(node.func, "attr", getattr(node.func, "id", "")), node.args:
        case "fail", _:
            return True
        case "assertTrue" | "assertFalse" as name, [ast.Constant(value=value), *_]:
            return bool(value) is (name == "assertFalse")
        case "assertEqual" | "assertEquals" | "assertIs", [ast.Constant(value=left), ast.Constant(value=right), *_]:
            return bool(left != right)
    return False


def _is_false(test: ast.expr) -> bool:
    """Tell whether a condition is false in plain sight: `False`, `not True`, `1 == 2`."""
    match test:
        case ast.Constant(value=value):
            return not value
        case ast.UnaryOp(op=ast.Not(), operand=ast.Constant(value=value)):
            return bool(value)
        case ast.Compare(left=ast.Constant(value=left), ops=[ast.Eq()], comparators=[ast.Constant(value=right)]):
            return bool(left != right)
    return False


def _skips(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"skip", "skipTest"}


def _is_check(value: ast.expr) -> bool:
    """Tell whether an expression looks like a check; a comparison that orders may be there to raise, or for a query."""
    value = value.value if isinstance(value, ast.Await) else value
    if isinstance(value, ast.UnaryOp):
        return isinstance(value.op, ast.Not)
    if isinstance(value, ast.BoolOp):
        return all(map(_is_check, value.values))
    if isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute):
            return value.func.attr in _METHODS
        return isinstance(value.func, ast.Name) and value.func.id in _PREDICATES
    if not isinstance(value, ast.Compare) or not all(isinstance(op, _EQUALITY) for op in value.ops):
        return False
    left, right = value.left, value.comparators[0]
    of_class = isinstance(left, ast.Attribute) and isinstance(left.value, ast.Name) and left.value.id[:1].isupper()
    return not (of_class or _is_expectation(left)) and ast.dump(left) != ast.dump(right)


_EXPECTATIONS: Final = frozenset({"expect", "ensure", "should", "should_not", "that", "the", "it"})


def _is_expectation(left: ast.expr) -> bool:
    """Tell whether what is compared checks by itself: `expect(total) == 7`, `total.should == 7`."""
    called = left.func if isinstance(left, ast.Call) else left
    if isinstance(called, ast.Attribute):
        return called.attr in {"should", "should_not"}
    return isinstance(left, ast.Call) and isinstance(called, ast.Name) and called.id in _EXPECTATIONS


def _looks_up(value: ast.expr) -> bool:
    """Tell whether an expression asks what is in something, which may be asked for what that does then: it loads."""
    return isinstance(value, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in value.ops)


def _unexplained(module: Module, function: Function) -> Iterator[Call]:
    """Yield each `raises` of a function that takes anything, without a reason and without a look at the error."""
    broad = [call for call in function.calls if is_broad(call, module, function)]
    if not broad or _makes_broad(function) or says(module, function, TYPE_UNKNOWN):
        return
    looked_at = _names_of_errors_looked_at(function)
    explained = _explained(module, function)
    for call in broad:
        if any(0 <= call.node.lineno - line <= _NEAR for line in explained):
            continue
        if keyword(call, "match") is None and keyword(call, "check") is None and call.node not in looked_at:
            yield call


def _makes_broad(function: Function) -> bool:
    raised = [node.exc for node in function.all(ast.Raise) if node.exc is not None]
    named = {name for node in raised for name in names_in(node)}
    named |= {name for node in function.all(ast.Assign) for name in names_in(node.value)}
    named |= {
        name
        for call in function.calls
        for each in call.node.keywords
        if each.arg != "expected_exception"
        for name in names_in(each.value)
    }
    named |= {name for each in function.decorators for name in names_in(each)}
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


def _takes_assertions(item: ast.withitem, module: Module, function: Function) -> bool:
    """Tell whether a `raises` is for an assertion's failure."""
    wanted = [*item.context_expr.args[:1]] if isinstance(item.context_expr, ast.Call) else []
    kinds = [each for kind in wanted for each in (kind.elts if isinstance(kind, ast.Tuple) else [kind])]
    resolved = [module.resolve(kind, function) for kind in kinds]
    return any(name in _FAILURES or name.endswith(".failureException") for name in resolved)


def _swallows(handler: ast.ExceptHandler, module: Module, function: Function) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(kind is None or module.resolve(kind, function) in _SWALLOWS for kind in kinds):
        return False
    if any(isinstance(each, ast.For | ast.While | ast.AsyncFor) for each in function.ancestors(handler)):
        return False  # another try follows
    return all(
        isinstance(each, ast.Pass | ast.Continue) or is_said(each) or (isinstance(each, ast.Return) and not each.value)
        for each in handler.body
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Tell whether an `except` of an assertion's failure lets it go on, before another one takes any exception."""
    named = isinstance(handler.type, ast.Name) and handler.type.id == "AssertionError"
    return named and isinstance(handler.body[-1], ast.Raise)
