"""Small questions about syntax trees that several rules ask."""

import ast
from collections.abc import Iterable, Iterator
from typing import Final, TypeGuard

from floe_testing.audit.module import Call, Function, Module

MOCK_CLASSES: Final = frozenset(
    {"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "NonCallableMagicMock", "PropertyMock", "create_autospec"}
)
NOTHING_RAISED: Final = (
    *(
        "not raise",
        "n't raise",
        "no raise",
        "no error",
        "without error",
        "not error",
        "n't error",
        "no exception",
        "no issue",
    ),
    *(
        "without exception",
        "without raising",
        "not fail",
        "n't fail",
        "no fail",
        "not crash",
        "n't crash",
        "no crash",
        "smoke",
    ),
    *(
        "no op",
        "noop",
        "accept",
        "allow",
        "permit",
        "raises an error",
        "not conflict",
        "possible to",
        "stack trace",
        "stacktrace",
        "crash",
        "can access",
        "can be ",
        "can call",
        "would raise",
        "used to raise",
        "used to fail",
        "nothing else",
        "survive",
        "import",
        "succeed",
        "does nothing",
        "ignore",
        "no warning",
        "not warn",
    ),
    *(
        "n't warn",
        "not break",
        "n't break",
        "not block",
        "n't block",
        " valid",
        " ok",
        "let through",
        "no refusal",
        "works",
        "without failing",
        "regression",
        "/issues/",
        "should work",
        "either work",
        "can get",
        "can connect",
    ),
)
"""How people say that it is enough if nothing is raised; of a bug that is named, that it was raised."""
TYPE_UNKNOWN: Final = (
    "unspecified",
    "platform dependent",
    "any exception",
    "exact error",
    "exact exception",
    "some error",
)
"""How people say that they can't tell which exception to expect."""
_EFFECTS: Final = (
    *("write", "send", "publish", "save", "upload", "put", "insert", "emit", "notify", "post", "enqueue", "push"),
    *("store", "produce", "deliver", "dispatch", "broadcast"),
)
_MOCK_MODULES: Final = ("unittest.mock.", "mock.")


def is_mock_library(name: str) -> bool:
    """Tell whether a whole name is of `unittest.mock`, or of pytest-mock's fixture."""
    return name.startswith((*_MOCK_MODULES, "$mocker.", "$module_mocker.", "$class_mocker.", "$session_mocker."))


def is_patch(name: str) -> bool:
    """Tell whether a whole name is that of a function which replaces something for a while."""
    return ("patch" in name.split(".") and is_mock_library(name)) or name.startswith("$monkeypatch.set")


def names_in(node: ast.AST) -> set[str]:
    """Return the short names that stand in an expression or a statement."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def strings_in(node: ast.AST) -> Iterator[str]:
    """Yield the texts that stand in an expression or a statement."""
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def patched(module: Module, function: Function) -> Iterator[str]:
    """Yield what a function, or its class, or any fixture of the module that is for all, replaces, as it is written."""
    for each in module.functions:
        near = each is function or each.kind in {"fixture", "setup"}
        if near:
            yield from (word for call in each.calls if is_patch(call.name) for word in _words(call.node))
    if function.class_node is not None:
        for decorator in function.class_node.decorator_list:
            yield from _words(decorator)


def _words(node: ast.AST) -> Iterator[str]:
    yield from strings_in(node)
    yield from (each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute))


def is_len(node: ast.AST) -> TypeGuard[ast.Call]:
    """Tell whether an expression is `len(…)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def parametrized(function: Function) -> set[str]:
    """Return the names of the parameters that a test's `parametrize` markers fill in."""
    markers = function.test.markers if function.test else ()
    given = [marker.args[0] for marker in markers if marker.name == "parametrize" and marker.args]
    listed = [each for names in given for each in (names if isinstance(names, tuple) else str(names).split(","))]
    return {str(each).strip() for each in listed}


def keyword(call: Call, name: str) -> ast.expr | None:
    """Return the value of a keyword argument, None if it is not given."""
    return next((each.value for each in call.node.keywords if each.arg == name), None)


def withs(function: Function) -> list[ast.With | ast.AsyncWith]:
    """Return the `with` blocks of a function, those of functions inside it too."""
    return [*function.all(ast.With), *function.all(ast.AsyncWith)]


def contexts(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls that open the `with` blocks among some nodes."""
    for node in nodes:
        if isinstance(node, ast.With | ast.AsyncWith):
            yield from (item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call))


def is_inside(function: Function, node: ast.AST, *words: str) -> bool:
    """Tell whether a node stands in a `with` block that a function opens whose name has one of some words."""
    for call in contexts(function.ancestors(node)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if any(word in name.lower() for word in words):
            return True
    return False


def says(module: Module, function: Function, words: Iterable[str]) -> bool:
    """Tell whether a function's name, docstring or comments have one of some words; `_` counts as a space."""
    text = module.remarks(function).replace("_", " ").replace("-", " ")
    return any(word in text for word in words)


def last_effect(function: Function) -> Call | None:
    """Return the call that ends a test by writing, sending or publishing something, None if none does."""
    if isinstance(function.node, ast.Module):
        return None
    last: ast.stmt = function.node.body[-1]
    while isinstance(last, ast.With | ast.AsyncWith | ast.For | ast.AsyncFor):
        last = last.body[-1]
    value = last.value if isinstance(last, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    for call in function.calls:
        if call.node is value and "." in call.name and call.last.startswith(_EFFECTS):
            blocked = is_inside(function, call.node, "raises", "warn", "suppress", "assert", "timeout")
            return None if blocked else call
    return None
