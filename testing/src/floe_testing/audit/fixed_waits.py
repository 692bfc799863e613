"""Fixed waits: those that nothing could take the place of, and those that a condition could."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.checks import as_test, asserted, checks
from floe_testing.audit.look import names_in
from floe_testing.audit.model import Check
from floe_testing.audit.module import Function, Module

_NOTHING_TO_WAIT_FOR: Final = re.compile(
    r"\bno (?:\w+ )?way\b|\bthere(?: is|'s) no\b"
    r"|\bnothing\b|\bnever\b|\bnone of\b|\bno (?:event|signal|hook|response|message|call)s?\b"
    r"|\bdo(?:es)?(?: not|n't) (?:see|know|want|have|get|send|call|happen)"
    r"|\b(?:should|must|will|would)(?: not|n't)\b|\bwon't\b"
    r"|\blonger than\b|\bexpir|\bttl\b|(?:\b|_)time[sd]?[ _]?out|\belapse|\bstuck\b|\bafter the (?:close|end)\b"
    r"|\b(?:resolution|granularity|delay(?:s|ed)?|aggregat\w+|debounc\w+|interval|window)\b"
)
"""How comments say that a test waits for something that must not happen, or for a time or a clock that has to go on."""
_OWN_TIME: Final = re.compile(r"ttl|expir|lifetime|max_?age|lease|grace|\wtime_?out|time_?out_\w", re.IGNORECASE)
"""What is in the names of settings that say after which time something is over by itself."""
_TIMES: Final = re.compile(
    r"(?:^|_)(?:expir\w*|ttl|time_?outs?|timed_out|evict\w*|stale\w*|lease\w*|throttl\w*|debounc\w*|age[ds]?|max_?age|idle"
    r"|heartbeats?|keep_?alive|rate_?limit\w*|cool_?down|interval|period\w*|delay\w*|schedul\w*|elapsed|durations?)(?:_|$)"
)
"""How names of tests say that time has to pass."""
_KEEPS: Final = re.compile(
    r"^(?:set|add|put|setex|psetex|touch|expire|lock|acquire|cache|store|incr|renew|extend|remember|memoize)"
)
"""What is called to keep something for a time, which its last number or its `timeout` tells."""
_TERMS: Final = frozenset({"timeout", "expire", "ttl", "ex", "seconds", "time"})
_UNUSED: Final = frozenset(
    {
        "done",
        "finished",
        "closed",
        "called",
        "call_count",
        "await_count",
        "mock_calls",
        "call_args",
        "is_set",
    }
)
"""What mocks and events are asked, to see that nobody used them."""
_SAYS_NOT: Final = re.compile(r"(?:^|_)(?:not|never|no|without|is?nt|doesnt|dont|wont|cannot|nothing|paused)(?:_|$)")
"""How names of tests say that something must not happen."""
_SAYS_WAIT: Final = re.compile(r"\b(?:wait|let|give|allow|until|ready)\b")
"""How comments say that something else must come to its end, which could be waited for."""
_FACTOR: Final = 3
"""How much longer or shorter than a time that it has set a test may wait for this."""


def is_needed(call: ast.Call, length: ast.expr, module: Module, function: Function) -> bool:
    """Tell whether a fixed wait has no condition to wait for.

    Something must not happen in the meantime, or a time that the test itself has set must pass, or a comment says so.
    """
    if _NOTHING_TO_WAIT_FOR.search(_said_of(call, module).lower()):
        return True
    if says_time(function) and not _SAYS_WAIT.search(_said_of(call, module).lower()):
        return True
    return _is_own_time(call, length, function) or _nothing_happens(call, module, function)


_ABOUT_TIME: Final = re.compile(
    r"time|clock|date|modified|created|updated|age$|stamp|elapsed|duration|delta|took|expir|latency|seconds|sleep|rate|perf"
)
"""What is in the names of things that differ only where time has passed."""


_STARTED: Final = re.compile(r"\bpopen\b|\b(?:start|run|serve|launch|spawn|up|boot|listen)\w*\(", re.IGNORECASE)
"""How something is started that then takes its time."""
_SERVER: Final = re.compile(r"server|broker|daemon|popen", re.IGNORECASE)
"""What a test starts to speak to it, and not to look how it works."""


def could_be_waited_for(call: ast.Call, module: Module, function: Function) -> bool:
    """Tell whether there is a condition in a fixed wait's place.

    So it is where a comment says what is waited for, where something was started just before, and where the next thing
    is to look whether something has come. What is done in between may need the time for reasons of its own.
    """
    around = list(function.ancestors(call))
    if any(isinstance(each, ast.For | ast.AsyncFor | ast.While) for each in around) or "sleep" in function.name:
        return False  # work at some speed
    if _is_held_back(call, function) or _is_measured(call, function):
        return False
    before, after = _neighbours(call, function)
    if _still_stands(after, function):
        return False
    return (
        _SAYS_WAIT.search(_said_of(call, module).lower()) is not None
        or _is_another_name(function)
        or _is_started(before, function)
        or _looks_next(call, after, module, function)
    )


_BROKEN: Final = re.compile(r"clos|fail|error|cancel|crash|broken|lost|dead|exit|abort")
"""What is in the names of states that must not be reached."""


def _still_stands(after: list[ast.stmt], function: Function) -> bool:
    """Tell whether what is checked next is that nothing has broken in the meantime."""
    following = after[0] if after else None
    node = getattr(following, "value", following)
    match asserted(node, function) if isinstance(node, ast.AST) else None:
        case ast.UnaryOp(op=ast.Not(), operand=state):
            return any(_BROKEN.search(word.lower()) for word in _words_of(state))
    return False


def _is_another_name(function: Function) -> bool:
    """Tell whether a helper does nothing but to wait."""
    return function.kind == "helper" and len(_without_docstring(function)) == 1


def _is_started(before: ast.stmt | None, function: Function) -> bool:
    """Tell whether what comes before a wait starts something; a set-up that begins by waiting has it from elsewhere."""
    prepares = function.kind in {"fixture", "setup"}
    if before is None:
        return prepares
    written = ast.unparse(before)
    return _STARTED.search(written) is not None and (prepares or _SERVER.search(written) is not None)


def _without_docstring(function: Function) -> list[ast.stmt]:
    body = [] if isinstance(function.node, ast.Module) else function.node.body
    return [each for each in body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]


def _neighbours(call: ast.Call, function: Function) -> tuple[ast.stmt | None, list[ast.stmt]]:
    """Return the statement before the one that a call stands in, and those behind it."""
    around = [call, *function.ancestors(call)]
    own = next(each for each in around if isinstance(each, ast.stmt))
    for each in around:
        for body in (getattr(each, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(body, list) and own in body:
                place = body.index(own)
                return (body[place - 1] if place else None), body[place + 1 :]
    return None, []


def _looks_next(call: ast.Call, after: list[ast.stmt], module: Module, function: Function) -> bool:
    """Tell whether what follows a wait is a check that something is so, of what was there or is read right then."""
    found = {check.node: check for check in checks(module, function)}
    read = [each for each in after[:1] if isinstance(each, ast.Assign) and _is_reading(each.value)]
    following = after[len(read)] if len(after) > len(read) else None
    node = following if isinstance(following, ast.Assert) else getattr(following, "value", None)
    if node not in found:
        return False
    tests = list(_tests_of(node, function))
    words = {word for test in [*tests, *read] for word in _words_of(test)}
    if not tests or any(_ABOUT_TIME.search(word.lower()) for word in words):
        return False
    if any(_is_checked_again(test, node, found, function) for test in tests):
        return False
    absent = [test for test in tests if _is_absent(test)]
    return not absent or _is_ended(absent, call, function)  # of what nobody has ended, nothing may have to come


def _is_ended(absent: list[ast.expr], call: ast.Call, function: Function) -> bool:
    """Tell whether what must not be there after a wait is of what was ended before it."""
    ended = [each.node for each in function.calls if each.node.lineno < call.lineno and _ENDS.search(each.last)]
    return any(names_in(test) & names_in(each) for test in absent for each in ended)


_ENDS: Final = re.compile(
    r"^_*(?:stop|close|cancel|delete|remove|kill|terminate|shut_?down|disconnect|release|drain|clear|unregister|finish|end|exit"
    r"|abort|quit|drop|destroy|purge)(?:_|$)"
)
"""Names of what is called so that something goes away."""


def _is_checked_again(
    test: ast.expr, node: ast.AST, found: dict[ast.expr | ast.stmt, Check], function: Function
) -> bool:
    """Tell whether what a check compares is compared with something else later: so far it was held back."""
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
        return False
    later = [
        each for other in found if other.lineno > getattr(node, "lineno", 0) for each in _tests_of(other, function)
    ]
    return any(isinstance(each, ast.Compare) and ast.dump(each.left) == ast.dump(test.left) for each in later)


_READING: Final = re.compile(
    r"^_*(?:get|read|list|find|fetch|load|query|count|status|state|poll|show|describe|len|is|has)(?:_|$)"
)
"""Names of what is called to look how something is."""


def _is_reading(value: ast.expr) -> bool:
    value = value.value if isinstance(value, ast.Await) else value
    if isinstance(value, ast.Attribute | ast.Constant):
        return True
    return isinstance(value, ast.Call) and _READING.search(ast.unparse(value.func).rpartition(".")[2]) is not None


_KEEPS_OUT: Final = re.compile(r"lock|sem(?:aphore)?\b|mutex|budget|barrier|measure", re.IGNORECASE)
"""What is in the names of blocks in which others wait, or time is measured."""


def _is_held_back(call: ast.Call, function: Function) -> bool:
    """Tell whether a wait is inside a block that keeps others out: what is looked at is that they wait."""
    blocks = [each for each in function.ancestors(call) if isinstance(each, ast.With | ast.AsyncWith)]
    return any(_KEEPS_OUT.search(ast.unparse(item.context_expr)) for each in blocks for item in each.items)


def _is_measured(call: ast.Call, function: Function) -> bool:
    """Tell whether the clock is read after a wait: the wait itself is what is measured."""
    return any(_reads_clock(each.name) and each.node.lineno > call.lineno for each in function.calls)


def _reads_clock(name: str) -> bool:
    return (name.startswith("time.") and name != "time.sleep") or name.endswith((".time", ".now", ".perf_counter"))


def _words_of(node: ast.AST) -> set[str]:
    """Return the names in an expression, those of attributes and of keys too."""
    keys = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return names_in(node) | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)} | keys


def says_time(function: Function) -> bool:
    """Tell whether a function's name says that time has to pass, or how long something takes."""
    return _TIMES.search(function.name.lower()) is not None


def _said_of(call: ast.Call, module: Module) -> str:
    """Return the comments on the lines of a call, those right above it, and those between it and what follows."""
    last = call.end_lineno or call.lineno
    while not module.text(last + 1) or module.text(last + 1).startswith("#"):
        last += 1
        if last > len(module.lines):
            break
    said = dict(module.comment_lines(1, last))
    first = call.lineno
    while first - 1 in said and module.text(first - 1).startswith("#"):
        first -= 1
    return " ".join(text for line, text in sorted(said.items()) if line >= first)


def _is_own_time(call: ast.Call, length: ast.expr, function: Function) -> bool:
    """Tell whether a wait is computed from a setting, or about as long as what a call is given as one."""
    if isinstance(length, ast.BinOp) and _OWN_TIME.search(ast.unparse(length)):
        return True
    waited = _seconds(length)
    if waited is None:
        return False
    earlier = [each for each in function.calls if each.node.lineno < call.lineno]
    given = [
        _seconds(each.value)
        for of in earlier
        for each in of.node.keywords
        if each.arg and (_OWN_TIME.search(each.arg) or _OWN_TIME.search(of.last))
    ]
    given += [_seconds(each) for of in earlier if _OWN_TIME.search(of.last) for each in of.node.args]
    keeping = [of for of in earlier if "." in of.name and _KEEPS.search(of.last)]
    given += [_seconds(each) for of in keeping for each in of.node.args[2:]]
    given += [_seconds(each.value) for of in keeping for each in of.node.keywords if each.arg in _TERMS]
    return any(each is not None and each / _FACTOR <= waited <= _FACTOR * each for each in given)


def _seconds(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _nothing_happens(call: ast.Call, module: Module, function: Function) -> bool:
    """Tell whether what is checked next is that something is not there, or is as it was before."""
    found = sorted((check.node for check in checks(module, function)), key=lambda node: node.lineno)
    before = {ast.dump(test) for node in found if node.lineno < call.lineno for test in _tests_of(node, function)}
    before |= {
        ast.dump(arg.body)
        for each in function.calls
        if each.node.lineno < call.lineno and each.last.startswith("wait")
        for arg in each.node.args
        if isinstance(arg, ast.Lambda)
    }
    following = next((node for node in found if node.lineno > call.lineno), None)
    if following is None:
        return False
    unused = _UNUSED | {
        name
        for each in function.own(ast.Assign)
        if each.lineno < call.lineno and _is_nothing(each.value)
        for target in each.targets
        for name in names_in(target)
    }
    said = _SAYS_NOT.search(function.name) is not None
    return any(
        ast.dump(test) in before or (_is_absent(test) and (said or unused & _words(test)))
        for test in _tests_of(following, function)
    )


def _tests_of(node: ast.expr | ast.stmt, function: Function) -> Iterator[ast.expr]:
    """Yield what a check says must be true."""
    if isinstance(node, ast.Assert):
        yield node.test
    for call in function.calls:
        if call.node is node:
            test = as_test(call)
            if test is not None:
                yield test
            elif call.last in {"assert_not_called", "assert_not_awaited"}:
                yield ast.UnaryOp(ast.Not(), ast.Name("called", ast.Load()))


def _is_absent(test: ast.expr) -> bool:
    """Tell whether an expression is true where something is empty, or not among others."""
    match test:
        case ast.UnaryOp(op=ast.Not()) | ast.Compare(ops=[ast.NotIn()]):
            return True
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(_is_absent, values))
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            return _is_nothing(left) or _is_nothing(right)
    return False


def _words(node: ast.expr) -> set[str]:
    return names_in(node) | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _is_nothing(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=None | False | 0 | "" | b""):
            return True
        case ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="set" | "dict" | "list" | "tuple"), args=[], keywords=[]):
            return True
    return False
