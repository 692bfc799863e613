"""What a test leaves behind in the process."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from floe_testing.audit.look import contexts, names_in
from floe_testing.audit.model import Example, Fact, Finding, Severity
from floe_testing.audit.module import Function, Module
from floe_testing.audit.project import Project
from floe_testing.audit.rule import Rule
from floe_testing.suite.syntax import dotted

_PROCESS_CALLS: Final = {
    "os.chdir": "the working folder",
    "os.putenv": "the environment",
    "os.environ.update": "the environment",
    "os.environ.setdefault": "the environment",
    "os.environ.pop": "the environment",
    "os.environ.clear": "the environment",
    "sys.path.append": "sys.path",
    "sys.path.insert": "sys.path",
    "locale.setlocale": "the locale",
    "socket.setdefaulttimeout": "the default timeout of sockets",
    "logging.disable": "logging",
    "logging.basicConfig": "logging",
    "logging.root.setLevel": "the level of the root logger",
    "os.umask": "the mask of new files",
    "os.nice": "the priority",
    "resource.setrlimit": "a limit of resources",
    "sys.setrecursionlimit": "the recursion limit",
    "sys.settrace": "the trace function",
    "signal.signal": "the handler of a signal",
    "time.tzset": "the time zone",
    "gc.disable": "the garbage collector",
    "decimal.setcontext": "the decimal context",
    "multiprocessing.set_start_method": "how processes are started",
    "asyncio.set_event_loop_policy": "the policy of event loops",
}
_PROCESS_VALUES: Final = {
    "os.environ": "the environment",
    "sys.path": "sys.path",
    "sys.modules": "sys.modules",
    "sys.argv": "sys.argv",
    "sys.stdout": "sys.stdout",
    "sys.stderr": "sys.stderr",
    "sys.stdin": "sys.stdin",
    "sys.excepthook": "sys.excepthook",
    "builtins.open": "builtins.open",
}
_ELSEWHERE: Final = ("subprocess", "isolated", "forked")
"""What is in the names of decorators that run a test in a process of its own."""
_CLEANUPS: Final = frozenset({"addCleanup", "addfinalizer", "register", "callback"})
_PUT_BACK: Final = "put back"


class ProcessState(Rule):
    """A change of the whole process that stays."""

    id = "FT802"
    name = "process-state"
    severity = Severity.NOTE
    reason = (
        "The environment, the working folder, the search path and the like belong to the whole process: what a test "
        "leaves there, each later test has. Use `monkeypatch`, which puts it back."
    )
    bad = (
        Example("""
            import os

            def test_currency():
                os.environ["ORDERS_CURRENCY"] = "EUR"
                assert Order(7).currency == "EUR"
        """),
        Example("""
            import os

            def test_export():
                os.chdir("tests/data")
                assert export("orders.csv") == 7
        """),
    )
    good = (
        Example("""
            def test_currency(monkeypatch):
                monkeypatch.setenv("ORDERS_CURRENCY", "EUR")
                assert Order(7).currency == "EUR"
        """),
        Example("""
            import os
            import pytest

            @pytest.fixture
            def euros():
                os.environ["ORDERS_CURRENCY"] = "EUR"
                yield
                del os.environ["ORDERS_CURRENCY"]
        """),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:  # noqa: ARG002 - the rule's signature
        """Note what tests and fixtures change of the process, and what a `conftest.py` puts back for them."""
        for function in module.functions:
            if function.kind == "fixture" and module.path.endswith("conftest.py"):
                mentioned = _mentioned(function.node)
                for thing in {_thing(root) for root in (*_PROCESS_CALLS, *_PROCESS_VALUES)} & mentioned:
                    yield self.fact(module, function.node, function, key=thing, label=_PUT_BACK)
            if function.kind not in {"test", "fixture", "setup"} or function.name.lower().startswith("teardown"):
                continue
            if _may_be_put_back_elsewhere(module, function):
                continue
            yields = [each.lineno for each in [*function.own(ast.Yield), *function.own(ast.YieldFrom)]]
            for node, root in _process_changes(module, function):
                if yields and node.lineno > min(yields):
                    continue  # a fixture's way of putting things back
                if not _is_put_back(node, root, module, function):
                    what = _PROCESS_CALLS.get(root) or _PROCESS_VALUES[root]
                    yield self.fact(module, node, function, key=_thing(root), label=what)

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:  # noqa: ARG002 - as above
        """Report what no `conftest.py` around it puts back."""
        kept = {(fact.key, fact.path.removesuffix("conftest.py")) for fact in facts if fact.label == _PUT_BACK}
        for fact in facts:
            around = any(fact.key == key and fact.path.startswith(folder) for key, folder in kept)
            if fact.label != _PUT_BACK and not around:
                yield self.finding_at(fact, f"{fact.label} is changed, and not put back")


_PLAIN_BASES: Final = ("object", "TestCase", "IsolatedAsyncioTestCase")


def _may_be_put_back_elsewhere(module: Module, function: Function) -> bool:
    """Tell whether a decorator, a base from elsewhere or a clean-up that a set-up registers may put things back."""
    for each in function.decorators:
        name = module.resolve(each.func if isinstance(each, ast.Call) else each, function)
        known = name.startswith(("pytest.", "unittest.", "$")) or "skip" in name.lower()
        if not known and name not in {"classmethod", "staticmethod"}:
            return True
    owner = function.class_node
    if owner is None:
        return False
    if function.kind == "setup" and not any(each.test and each.class_node is owner for each in module.functions):
        return True  # a base, whose heirs may do so
    if any(not ast.unparse(base).endswith(_PLAIN_BASES) for base in owner.bases):
        return True
    setups = [each for each in module.functions if each.class_node is owner and each.kind in {"setup", "fixture"}]
    return any(call.last in _CLEANUPS for each in setups for call in each.calls)


def _process_changes(module: Module, function: Function) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    for call in function.calls:
        if call.name in _PROCESS_CALLS and not call.nested:
            yield call.node, call.name
        elif call.last == "setLevel" and not call.nested and _is_root_logger(call.node.func, module, function):
            yield call.node, "logging.root.setLevel"
    changed: list[tuple[ast.stmt, Iterable[ast.expr]]] = [
        *((each, each.targets) for each in function.own(ast.Assign)),
        *((each, each.targets) for each in function.own(ast.Delete)),
        *((each, [each.target]) for each in function.own(ast.AugAssign)),
    ]
    for statement, targets in changed:
        for target in targets:
            place = target.value if isinstance(target, ast.Subscript) else target
            name = module.resolve(place, function)
            if name in _PROCESS_VALUES and (
                isinstance(target, ast.Subscript)
                or isinstance(statement, ast.AugAssign)
                or name not in {"os.environ", "sys.modules"}
            ):
                value = statement.value if isinstance(statement, ast.Assign) else None
                if value is None or "sys.__" not in ast.unparse(value):  # which is what the process began with
                    yield statement, name


def _is_put_back(node: ast.AST, root: str, module: Module, function: Function) -> bool:
    """Tell whether something undoes a change: a fixture, a block around it, a clean-up, or the function itself."""
    if {"monkeypatch", "mocker"} & set(function.parameters) or any(contexts(function.ancestors(node))):
        return True
    if (_takes_away(node) and _is_clean_up(node, root, function)) or _restores(node, function):
        return True
    elsewhere = any(word in ast.unparse(each).lower() for each in function.decorators for word in _ELSEWHERE)
    if elsewhere or any(call.last in _CLEANUPS for call in function.calls):
        return True
    thing = _thing(root)
    if root == "sys.modules" and any(each.lineno > _line(node) for each in module.imports if each in _within(function)):
        return True
    if any(_saves(each, thing) and each.lineno < _line(node) for each in function.own(ast.Assign)):
        return True
    return any(_mentions(each, thing) for each in _undoing(node, module, function))


def _is_root_logger(func: ast.expr, module: Module, function: Function) -> bool:
    of = func.value if isinstance(func, ast.Attribute) else func
    if isinstance(of, ast.Name):
        given = [each.value for each in function.own(ast.Assign) if of.id in _stored(each)]
        of = given[0] if len(given) == 1 else of
    bare = isinstance(of, ast.Call) and not of.args and not of.keywords
    return bare and isinstance(of, ast.Call) and module.resolve(of.func, function) == "logging.getLogger"


def _stored(statement: ast.Assign) -> set[str]:
    return {target.id for target in statement.targets if isinstance(target, ast.Name)}


def _takes_away(node: ast.AST) -> bool:
    return isinstance(node, ast.Delete) or (isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".pop"))


def _restores(node: ast.AST, function: Function) -> bool:
    """Tell whether a change sets again what the function deleted, or goes back to where the function began."""
    if isinstance(node, ast.Assign):
        deleted = [ast.unparse(target) for each in function.own(ast.Delete) for target in each.targets]
        return any(ast.unparse(target) in deleted for target in node.targets)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.chdir" and node.args:
        kept = [each for each in function.own(ast.Assign) if _stored(each) & names_in(node.args[0])]
        return any("cwd(" in ast.unparse(each.value) for each in kept)
    return False


def _is_clean_up(node: ast.AST, root: str, function: Function) -> bool:
    """Tell whether something is taken away that the function itself put there, or that is hardly ever there."""
    if isinstance(next(function.ancestors(node), None), ast.If):
        return True
    if isinstance(node, ast.Call) and len(node.args) > 1:
        return True  # `pop(name, None)`: makes sure that it is not there, which is how most find it
    thing = _thing(root)
    earlier = [each for each in function.all(ast.Assign) if each.lineno < _line(node)]
    return any(_mentions(target, thing) for each in earlier for target in each.targets) or any(
        call.name.startswith(f"{thing}.") and call.node.lineno < _line(node) for call in function.calls
    )


def _undoing(node: ast.AST, module: Module, function: Function) -> Iterator[ast.AST]:
    """Yield what may undo a change in a function: its decorators, what comes later, other fixtures of the module."""
    yield from function.decorators
    for tried in function.all(ast.Try):
        yield from tried.finalbody
    yield from (each.node for each in module.functions if each is not function and each.kind in {"fixture", "setup"})
    yields = [each.lineno for each in [*function.own(ast.Yield), *function.own(ast.YieldFrom)]]
    last = max([*yields, _line(node)])
    yield from (each for each in ast.walk(function.node) if isinstance(each, ast.stmt) and each.lineno > last)


def _within(function: Function) -> set[ast.AST]:
    return set(ast.walk(function.node))


def _thing(root: str) -> str:
    """Return what a call such as `os.environ.update` changes."""
    if root == "gc.disable":
        return "gc.enable"
    return root.rpartition(".")[0] if root.count(".") > 1 else root


def _saves(statement: ast.Assign, thing: str) -> bool:
    """Tell whether a statement keeps what is to be put back later."""
    return _mentions(statement.value, "os.getcwd" if thing == "os.chdir" else thing)


def _line(node: ast.AST) -> int:
    return getattr(node, "end_lineno", None) or 0


def _mentions(node: ast.AST, name: str) -> bool:
    return name in _mentioned(node)


def _mentioned(node: ast.AST) -> set[str | None]:
    """Return the dotted names that stand in a tree, whole and in part."""
    return {dotted(each) for each in ast.walk(node) if isinstance(each, ast.Attribute)}
