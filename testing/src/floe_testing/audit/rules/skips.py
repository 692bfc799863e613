"""Tests that don't run, and don't say why."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.checks import checks
from floe_testing.audit.look import is_worded, keyword
from floe_testing.audit.model import Example, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule

_MARKS: Final = {"pytest.mark.skip": 0, "pytest.mark.skipif": 1, "pytest.mark.xfail": 1}
"""Markers, with the place of the argument that may be the reason; `skipif` and `xfail` take a condition first."""
_CALLS: Final = frozenset({"pytest.skip", "pytest.xfail", "self.skipTest", "unittest.SkipTest"})


class SkipWithoutReason(Rule):
    """A skip that nobody can judge later."""

    id = "FT701"
    name = "skip-without-reason"
    severity = Severity.NOTE
    reason = (
        "Nobody who meets the skipped test later can tell whether it may run again. Say what is missing, and where "
        "that is tracked."
    )
    bad = (
        Example("""
            import pytest

            @pytest.mark.skip
            def test_total():
                assert Order(lines=[3, 4]).total() == 7
        """),
        Example("""
            import pytest

            def test_total():
                pytest.skip()
        """),
        Example("""
            import pytest

            @pytest.mark.parametrize("lines", [[3, 4], pytest.param([7, 0], marks=pytest.mark.xfail)])
            def test_total(lines):
                assert Order(lines).total() == 7
        """),
        Example("""
            import pytest

            @pytest.mark.skip
            def test_total_of_the_shop():
                \"\"\"Asks the shop itself, over the network.\"\"\"
                assert Order(7).total() == 7
        """),
    )
    good = (
        Example("""
            import sys
            import pytest

            @pytest.mark.skipif(sys.platform == "win32", reason="no fork on Windows: orders#41")
            def test_total():
                assert Order(lines=[3, 4]).total() == 7
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at markers, and at calls that skip."""
        for place, decorator in _decorators(module):
            if _is_bare(decorator, module) and not (_has_comment(decorator, module) or _is_told(place, module)):
                yield self.finding(module, decorator, "no reason is given", place)
        for function in [module.top, *module.functions]:
            for call in function.calls:
                says_why = _has_reason(call) or _is_commented(call, module, function)
                if call.name in _CALLS and not says_why and not _is_of_given_suite(call, function):
                    yield self.finding(module, call.node, "no reason is given", function)
                for each in _of_parameters(call):
                    if _is_expected(call, each, module):
                        continue
                    if _is_bare(each, module) and not _is_told_above(each, module):
                        yield self.finding(module, each, "no reason is given", function)


class SilentSkip(Rule):
    """A test that returns before it has checked anything."""

    id = "FT702"
    name = "silent-skip"
    severity = Severity.NOTE
    reason = (
        "The test returns before it has checked anything, and counts as passed. Use `pytest.skip` with a reason, so "
        "that the report shows what did not run."
    )
    bad = (
        Example("""
            import os

            def test_upload(store):
                if "ORDERS_BUCKET" not in os.environ:
                    return
                store.upload("orders.csv")
                assert store.names() == ["orders.csv"]
        """),
    )
    good = (
        Example("""
            import os
            import pytest

            def test_upload(store):
                if "ORDERS_BUCKET" not in os.environ:
                    pytest.skip("needs a bucket: set ORDERS_BUCKET")
                store.upload("orders.csv")
                assert store.names() == ["orders.csv"]
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for an early return."""
        for function in module.functions:
            if function.test is None:
                continue
            lines = [check.node.lineno for check in checks(module, function) if not _is_failure(check.node)]
            skipping = [call for call in function.calls if call.last.lower().startswith("skip")]
            for statement in function.node.body:
                skips = any(_is_in(call, statement) for call in skipping)
                leaves = None if skips else _leaves(statement, module, function)
                early = leaves is not None and bool(lines) and min(lines) > (statement.end_lineno or 0)
                only_here = not (early or skips) and bool(lines) and _only_here(statement, lines, module, function)
                if not (early or only_here) or _says_why(statement, leaves or statement, module):
                    continue
                if _is_marked(statement, function, holds=early):
                    continue
                if leaves is not None and early:
                    yield self.finding(module, leaves, "returns before anything is checked", function)
                else:
                    yield self.finding(module, statement, "checks nothing where this does not hold", function)


def _is_failure(node: ast.AST) -> bool:
    """Tell whether a check is `pytest.fail(…)`: a return before it is the test's other outcome."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    return isinstance(node, ast.Raise) or (
        isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "fail"
    )


_ABSENT: Final = frozenset(
    {"ImportError", "ModuleNotFoundError", "ConnectionError", "OSError", "TimeoutError", "Exception", "BaseException"}
    | {"FileNotFoundError", "PermissionError", "ConnectionRefusedError", "NotImplementedError", "socket.error"}
)
"""Errors that tell that something is not there to be tested."""
_MACHINE: Final = (
    *("sys.platform", "os.name", "platform.", "sys.version", "os.environ", "os.getenv", "shutil.which", "find_spec"),
    "importlib.util.find_spec",
    *("sysconfig.", "sys.implementation", "os.getuid", "os.geteuid"),
)
_FLAGS: Final = re.compile(
    r"^(?:HAS|HAVE|IS|NO|WITH|ON)_[A-Z0-9_]+$|^PY(?:PY|\d+)|^WINDOWS$|^LINUX$|^MACOS$|_AVAILABLE$"
)


_REFUSED: Final = re.compile(
    r"(?:\b|_)(?:refus|reject|den(?:y|ies|ied)|forbid|disallow|prevent|block(?:s|ed)|rais(?:es?|ed)|throws|not_allowed)"
)
"""How tests say that an error is what they wait for: one that returns where it comes has seen it."""


def _says_why(statement: ast.stmt, leaves: ast.stmt, module: Module) -> bool:
    """Tell whether a comment above a condition, or up to its `return`, says in some words why."""
    first = statement.lineno
    while module.text(first - 1) and not module.text(first - 1).startswith(("def ", "async def ")):
        first -= 1
    said = [text for _, text in module.comment_lines(first, leaves.lineno)]
    return any(is_worded(text, _WORDS) for text in said)


def _name_and_docstring(function: Function) -> str:
    docstring = "" if isinstance(function.node, ast.Module) else ast.get_docstring(function.node) or ""
    return f"{function.name} {docstring}".lower()


def _leaves(statement: ast.stmt, module: Module, function: Function) -> ast.stmt | None:
    """Return the `return` by which a statement ends a test where something is not there; None if it does not."""
    if isinstance(statement, ast.If) and not statement.orelse and _returns(statement.body[-1]):
        return None if _is_of_kind(statement.test) else statement.body[-1]
    if isinstance(statement, ast.Try) and not _REFUSED.search(_name_and_docstring(function)):
        for handler in statement.handlers:
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            absent = any(kind is None or module.resolve(kind, function) in _ABSENT for kind in kinds)
            if absent and _returns(handler.body[-1]):
                return handler.body[-1]
    return None


def _is_marked(statement: ast.stmt, function: Function, *, holds: bool) -> bool:
    """Tell whether a marker skips the test, with its reason, where a condition holds, or does not."""
    if not isinstance(statement, ast.If):
        return False
    condition, positive = _as_condition(statement.test)
    for each in function.all_decorators:
        if isinstance(each, ast.Call) and each.args:
            name = ast.unparse(each.func).rpartition(".")[2]
            skipped, where = _as_condition(each.args[0])
            if name in {"skipif", "skipIf", "skipUnless"} and skipped == condition:
                return (where != (name == "skipUnless")) == (positive == holds)
    return False


def _as_condition(test: ast.expr) -> tuple[str, bool]:
    """Return a condition as it is written without a `not`, and whether it is without one."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return ast.dump(test.operand), False
    return ast.dump(test), True


def _is_of_kind(test: ast.expr) -> bool:
    """Tell whether a condition asks what a class is for: one whose tests others inherit, and leave out by a setting."""
    inner = test.operand if isinstance(test, ast.UnaryOp) else test.left if isinstance(test, ast.Compare) else test
    return isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id in {"self", "cls"}


def _only_here(statement: ast.stmt, lines: list[int], module: Module, function: Function) -> bool:
    """Tell whether all checks of a test stand in an `if` without an `else` that is about the machine."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    first, last = statement.lineno, statement.end_lineno or 0
    if not all(first <= line <= last for line in lines):
        return False
    names = [
        module.resolve(node, function)
        for node in ast.walk(statement.test)
        if isinstance(node, ast.Attribute | ast.Name)
    ]
    return any(name.startswith(_MACHINE) or _FLAGS.search(name.rpartition(".")[2]) for name in names)


def _of_parameters(call: Call) -> Iterator[ast.expr]:
    """Yield the markers of one set of parameters: of `pytest.param(…, marks=…)`."""
    if call.name == "pytest.param":
        for each in call.node.keywords:
            if each.arg == "marks":
                yield from each.value.elts if isinstance(each.value, ast.List | ast.Tuple) else [each.value]


def _is_expected(call: Call, marker: ast.expr, module: Module) -> bool:
    """Tell whether a set of parameters that must fail has an id of its own, which says what is wrong with it."""
    name = module.names.resolve(marker.func if isinstance(marker, ast.Call) else marker)
    return name == "pytest.mark.xfail" and keyword(call, "id") is not None


def _decorators(module: Module) -> Iterator[tuple[Function | None, ast.expr]]:
    for function in module.functions:
        if not isinstance(function.node, ast.Module):
            yield from ((function, decorator) for decorator in function.node.decorator_list)
    for node in module.every_class:
        yield from ((None, decorator) for decorator in node.decorator_list)
    for statement in module.top.own(ast.Assign):
        if "pytestmark" in {target.id for target in statement.targets if isinstance(target, ast.Name)}:
            given = statement.value
            yield from ((None, each) for each in (given.elts if isinstance(given, ast.List | ast.Tuple) else [given]))


def _is_bare(decorator: ast.expr, module: Module) -> bool:
    call = decorator if isinstance(decorator, ast.Call) else None
    name = module.names.resolve(call.func if call else decorator) or ""
    if call is None:
        return name in {"pytest.mark.skip", "pytest.mark.xfail", "pytest.mark.skipif", "unittest.skip"}
    if name in {"unittest.skip", "unittest.skipIf", "unittest.skipUnless"}:
        return bool(call.args) and _is_empty(call.args[-1])
    if name not in _MARKS or any(each.arg in {None, "reason"} and not _is_empty(each.value) for each in call.keywords):
        return False
    given = {each.arg for each in call.keywords}
    if name == "pytest.mark.skip":
        return not call.args or _is_empty(call.args[0])
    if name == "pytest.mark.xfail":
        return "raises" not in given  # which says what goes wrong
    # A condition that is text is shown as the reason, and pytest takes no other without one.
    return "reason" in given or not (call.args and isinstance(call.args[0], ast.Constant | ast.Name))


_TELLS_WHY: Final = re.compile(
    r"\b(?:ha(?:s|ve) no|inherit\w*|overrid\w*|skip\w*|disabled?|because|since|until|unless|require\w*|needs?"
    r"|not (?:yet )?(?:work|support|implement|available)\w*"
    r"|flaky|broken|fails?|bug|issue|todo|fixme|unsupported|deprecated|only (?:on|with|for|if|in)|can(?:not|'t))\b"
)
"""How docstrings say why a test is skipped, or is expected to fail."""


_NOT_THERE: Final = re.compile(r"Doesnt|DoesNot|Unsupported|NotSupported|Unimplemented|NotImplemented|Without")
"""How names of classes say that something is not there."""


def _is_told(function: Function | None, module: Module) -> bool:
    """Tell whether a function's docstring gives the reason, a comment at its begin, or its class's name."""
    if function is None or isinstance(function.node, ast.Module):
        return False
    owner = function.class_node.name if function.class_node else ""
    begin = module.comment_lines(function.node.lineno, function.node.body[0].lineno)
    comments = [text.lower() for _, text in begin if is_worded(text, _WORDS)]
    said = " ".join([_name_and_docstring(function).partition(" ")[2], *comments])
    return bool(_TELLS_WHY.search(said) or _NOT_THERE.search(owner))


_WORDS: Final = 3


def _has_comment(node: ast.expr, module: Module) -> bool:
    """Tell whether a comment right at what skips says why, in some words, and not to another tool."""
    return is_worded(module.comment_at(node.lineno), _WORDS)


def _is_of_given_suite(call: Call, function: Function) -> bool:
    """Tell whether a call stands in a class that a function makes: in a suite that the code under test is given."""
    return not isinstance(function.node, ast.Module) and any(
        isinstance(each, ast.ClassDef) for each in function.ancestors(call.node)
    )


def _is_commented(call: Call, module: Module, function: Function) -> bool:
    """Tell whether a comment says why a call skips: beside it, or right above it or the condition it stands under."""
    around = next((each for each in function.ancestors(call.node) if isinstance(each, ast.If)), None)
    under = around is not None and any(_is_in(call, each) for each in around.body[:1])
    first = around.lineno if around is not None and under else call.node.lineno
    while module.text(first - 1).startswith("#"):
        first -= 1
    return any(is_worded(text, _WORDS) for _, text in module.comment_lines(first, call.node.lineno))


def _is_told_above(node: ast.expr, module: Module) -> bool:
    """Tell whether a set of parameters, or the first of those right above it, has a comment that says why."""
    line = node.lineno
    while module.text(line - 1).startswith("pytest.param("):
        line -= 1
    return any(is_worded(text, _WORDS) for _, text in module.comment_lines(line - 1, node.lineno))


def _has_reason(call: Call) -> bool:
    given = [*call.node.args, *(each.value for each in call.node.keywords if each.arg in {"reason", "msg", None})]
    return any(not _is_empty(each) for each in given)


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or not str(node.value).strip())


def _is_in(call: Call, statement: ast.stmt) -> bool:
    return statement.lineno <= call.node.lineno <= (statement.end_lineno or 0)


def _returns(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Return) and statement.value is None
