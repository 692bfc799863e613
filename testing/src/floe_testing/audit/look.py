"""Small questions about syntax trees that several rules ask."""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeGuard

from floe_testing.audit.module import Call, Function, Module
from floe_testing.suite.syntax import FunctionNode

MOCK_CLASSES: Final = frozenset(
    {"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "NonCallableMagicMock", "PropertyMock", "create_autospec"}
)
NOTHING_RAISED: Final = (
    *(
        "not raise",
        "n't raise",
        "no raise",
        "not throw",
        "n't throw",
        "would raise",
        "used to raise",
        "raises an error",
    ),
    *("no assert", "noassert", "noraise", "noerror", "noexception", "nocrash"),
    *("no error", "without error", "not error", "n't error", "no exception", "without exception", "without raising"),
    *("without throwing", "not fail", "n't fail", "no fail", "used to fail", "without failing", "no refusal"),
    *("not crash", "n't crash", "no crash", "crash", "stack trace", "stacktrace", "no infinite", "infinite "),
    *("not break", "n't break", "not block", "n't block", "not hang", "n't hang", "not deadlock", "n't deadlock"),
    *(
        "no issue",
        "without issue",
        "without problem",
        "may not exist",
        "no warning",
        "not warn",
        "n't warn",
        "not conflict",
        "non conflict",
        "nothing else",
        "does nothing",
        "no leak",
    ),
    *("never ", "dont ", "doesnt ", "make sure", "compatib", "is enough"),
    *(
        "explode",
        "blow up",
        "smoke",
        "no op",
        "noop",
        "no-op",
        "survive",
        "succeed",
        "ignore",
        "import",
        "regression",
        "/issues/",
        "/pull/",
    ),
    *("accept", "allow", "permit", "let through", "tolerat", "possible to", "can access", "can be ", "can call"),
    *(
        "can get",
        "can connect",
        " valid",
        " ok",
        "works",
        " work.",
        "run successfully",
        "runs successfully",
        "should work",
        "either work",
        "unaffected",
        "unchanged",
        "benign",
        "nothing to assert",
        "idempotent",
        "is safe",
    ),
)
"""How people say that it is enough if nothing is raised; of a bug that is named, that it was raised."""
_POSSIBLE: Final = re.compile(
    r"(?:^|_)(?:un)?(?:mock|patch|pickl|cop[yi]|subclass|instantiat|construct|import|nest|call|hash|weakref)e?able(?:_|$)"
)
"""How names of tests say that something can be done with what they do it with."""
_HANDLED: Final = re.compile(
    r"_(?:key|index|value|type|attribute|runtime|os|io|unicode|timeout|connection)_?error(?=_|$)"
)
"""How names of tests say which error the code under test meets, and must deal with."""
_FAILED_ONCE: Final = re.compile(
    r"\b(?:this|it|these|test|would|will|used to|previously|formerly|did)\s+(?:fail|crash|rais|throw|hang|block)"
    r"|\b(?:fail|crash|rais|throw|hang|broke|block)\w*\s+(?:if|when|without|before|because|unless|with|on|for|due)\b"
    r"|\b(?:recursion|segfault|deadlock|infinite loop|memory leak|traceback|exception|error)s?\b"
)
"""How comments and docstrings say what went wrong before, or would go wrong."""
_NAMED_BUG: Final = re.compile(
    r"(?i:(?:\b|_)(?:iss|issue|ticket|bug|bugzilla|fix(?:es|ed)?|close[sd]?|gh|github|pr|cve|jira|bpo|trac|regression)[\s_:#-]*\d+)"
    r"|\B#\d{2,}|\Btest_\w+_\d{3,}\Z|\btest_\w+_\d{3,}\Z|\b[A-Z]{2,8}-\d+\b",
)
"""A bug that is named by its number: that what it broke runs is what the test shows."""
TYPE_UNKNOWN: Final = (
    "unspecified",
    "platform dependent",
    "any exception",
    "exact error",
    "exact exception",
    "some error",
    *("propagat", "uncaught", "unhandled", "reraise", "re raise"),
)
"""How people say that they can't tell which exception to expect, or that it is whatever something else raised."""
_EFFECTS: Final = (
    *("write", "send", "publish", "save", "upload", "put", "insert", "emit", "notify", "post", "enqueue", "push"),
    *("store", "produce", "deliver", "dispatch", "broadcast"),
)
_BROKEN: Final = re.compile(r"\s*\n[\s#]*")
"""Where a comment or a docstring goes on in the next line."""
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
    """Tell whether an expression is `len(…)`, or what that calls."""
    match node:
        case ast.Call(func=ast.Name(id="len")):
            return True
        case ast.Call(func=ast.Attribute(attr="__len__"), args=[]):
            return True
    return False


def measured(node: ast.Call) -> ast.expr | None:
    """Return what a call that `is_len` knows measures."""
    if isinstance(node.func, ast.Attribute):
        return node.func.value
    return node.args[0] if node.args else None


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
    text = _BROKEN.sub(" ", module.remarks(function)).replace("_", " ").replace("-", " ")
    return any(word in text for word in words)


def says_nothing_is_raised(module: Module, function: Function) -> bool:
    """Tell whether a test says that it is there to show that something runs through: in general, or of a bug."""
    reasons = _BROKEN.sub(" ", module.reasons(function))
    if function.test and any("smoke" in marker.name.lower() for marker in function.test.markers):
        return True
    if _POSSIBLE.search(function.name) or _HANDLED.search(function.name.lower()):
        return True
    if says(module, function, NOTHING_RAISED) or _NAMED_BUG.search(reasons) or _NAMED_BUG.search(function.name):
        return True
    return _FAILED_ONCE.search(reasons.lower()) is not None


_SOME_WORDS: Final = 4
_FOR_TOOLS: Final = re.compile(r"#+\s*(?:noqa|type:|pylint:|pyright:|mypy:|ruff:|pragma:|fmt:|isort:|nosec)")
"""How comments begin that speak to another tool."""
_LINKS: Final = frozenset(
    {"a", "an", "and", "are", "be", "for", "in", "is", "it", "of", "test", "tests", "that", "the", "to"}
)
"""Words of a docstring that say nothing by themselves."""


def is_described(module: Module, function: Function) -> bool:
    """Tell whether a comment in a function, or its docstring, says in some words what is to be seen, or why."""
    return _is_described_from(getattr(function.node, "lineno", 0), module, function)


def is_described_at_end(module: Module, function: Function) -> bool:
    """Tell whether a test's docstring, or a comment at its last statement, says in some words what is to be seen."""
    first = function.node.body[-1].lineno
    while first > 1 and module.text(first - 1).startswith("#"):
        first -= 1
    return _is_described_from(first, module, function)


def _is_described_from(line: int, module: Module, function: Function) -> bool:
    if isinstance(function.node, ast.Module):
        return False
    said = module.comment_lines(line, function.node.end_lineno or 0)
    return _says_more_than_name(function.node) or any(is_worded(text, _SOME_WORDS) for _, text in said)


def _says_more_than_name(function: FunctionNode) -> bool:
    """Tell whether a docstring has some words, and not only those of the function's name."""
    said = re.findall(r"\w+", (ast.get_docstring(function) or "").lower())
    return len(said) >= _SOME_WORDS and not {*said} <= {*words_of(function.name), *_LINKS}


def is_worded(comment: str, few: int) -> bool:
    """Tell whether a comment has more than a few words, for a reader: not for a tool, and no code out of use."""
    return len(comment.split()) > few and not _FOR_TOOLS.match(comment) and not _is_code(comment.lstrip("# "))


def _is_code(text: str) -> bool:
    """Tell whether a text is a statement, or opens a block; words alone may look like one: `this is not that`."""
    try:
        body = ast.parse(f"{text} pass" if text.endswith(":") else text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    match body:
        case [ast.Expr(value=value)]:
            return any(isinstance(each, ast.Call) for each in ast.walk(value))
        case [ast.AnnAssign(value=None)]:
            return False
    return bool(body)


def is_said(statement: ast.stmt) -> bool:
    """Tell whether a statement only tells something: a text that stands alone, or one that is printed or logged."""
    if not isinstance(statement, ast.Expr):
        return False
    if isinstance(statement.value, ast.Constant):
        return True
    name = ast.unparse(statement.value.func).lower() if isinstance(statement.value, ast.Call) else ""
    return name in {"print", "warnings.warn"} or any(
        part.strip("_") in {"logger", "logging", "log", "traceback"} for part in name.split(".")[:-1]
    )


def words_of(name: str) -> list[str]:
    """Return the words of a name, in small letters: of `test_findOrder` they are test, find and order."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


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
        if call.node is value and "." in call.name and call.last.startswith(_EFFECTS) and not _ends(call, function):
            blocked = is_inside(function, call.node, "raises", "warn", "suppress", "assert", "timeout")
            return None if blocked or _puts_back(call, function) else call
    return None


_ENDS: Final = ("sendeof", "send_eof", "sendintr", "sendcontrol", "send_signal", "sendsignal")
_ENDED: Final = re.compile(
    r"(?:^|_)(?:close[sd]?|closing|exit|cleanup|clean_up|teardown|shutdown|context_?manager)(?:_|$)"
)


def _ends(call: Call, function: Function) -> bool:
    """Tell whether a call ends a process, or stands in a test of how something is closed."""
    return call.last in _ENDS or _ENDED.search(function.name) is not None


_KEPT: Final = ("orig", "old", "before", "backup", "saved", "previous", "initial")


def _puts_back(call: Call, function: Function) -> bool:
    """Tell whether a call writes what the test had read from the same place before, or had kept."""
    given = set().union(*(names_in(arg) for arg in call.node.args)) if call.node.args else set()
    if any(word in name.lower() for name in given for word in _KEPT):
        return True
    receiver = ast.unparse(call.node.func.value) if isinstance(call.node.func, ast.Attribute) else ""
    for statement in function.all(ast.Assign):
        target = statement.targets[0]
        if isinstance(target, ast.Name) and target.id in given and isinstance(statement.value, ast.Call):
            read = statement.value.func
            if isinstance(read, ast.Attribute) and ast.unparse(read.value) == receiver:
                return True
    return False
