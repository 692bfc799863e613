"""Tests that take their time from the machine's clock."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.checks import as_test
from floe_testing.audit.fixed_waits import could_be_waited_for, is_needed, says_time
from floe_testing.audit.look import is_inside, is_worded, names_in, patched, strings_in
from floe_testing.audit.model import Example, Finding, Severity
from floe_testing.audit.module import Call, Function, Module
from floe_testing.audit.rule import Rule

_BLOCKING: Final = frozenset({"time.sleep", "gevent.sleep", "eventlet.sleep"})
_AWAITED: Final = frozenset({"asyncio.sleep", "anyio.sleep", "trio.sleep"})
_EVENTS: Final = frozenset({"threading.Event", "multiprocessing.Event", "asyncio.Event"})
_RUNNERS: Final = frozenset({"asyncio.run", "anyio.run", "trio.run"})
_COMMANDS: Final = frozenset({"subprocess.run", "subprocess.check_call", "subprocess.call", "os.system"})
_HARDLY: Final = 0.05
"""Seconds up to which a fixed wait makes two times differ, or lets others run, and slows nobody down."""
_GENEROUS: Final = 1
"""Seconds from which on a limit is there for what hangs, or waits in vain, and hardly for what is slow."""
_CLOCKS: Final = frozenset(
    {
        *("time.time", "time.time_ns", "time.monotonic", "time.perf_counter", "time.localtime", "time.gmtime"),
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
        *("timeit.default_timer", "time.process_time", "time.monotonic_ns", "time.perf_counter_ns"),
    }
)
_FROZEN: Final = ("freezegun.", "time_machine.", "freeze_time", "$freezer", "$time_machine", "$frozen")
_MOCKED: Final = re.compile(r"^(?:(?:auto_?jump|mock(?:ed)?|fake|frozen|virtual|manual|test)_?clock|looptime)$")
"""Fixtures of a clock of which a test is the master: what sleeps by it takes no time."""
_SPEED: Final = re.compile(r"\b(?:fast|faster|quick(?:ly|er)?|immediate(?:ly)?|at once|promptly)\b")
"""How comments and messages say that how long something takes is what a test is about."""
_BREAKS: Final = ("KeyboardInterrupt", "CancelledError", "TimeoutError", "BaseException", "Interrupt", "Timeout")
_WRAPPERS: Final = frozenset(
    {"abs", "approx", "round", "int", "float", "timestamp", "date", "replace", "total_seconds"}
    | {"strftime", "isoformat", "isocalendar", "weekday", "astimezone", "time"}
)


class Sleep(Rule):
    """A wait of a fixed time."""

    id = "FT401"
    name = "sleep"
    severity = Severity.NOTE
    reason = (
        "A fixed time is too long on a fast machine and too short on a busy one: the suite is slow, and fails now "
        "and then. Wait for the condition instead, with a timeout (`floe_testing.wait_for_condition`), or advance a "
        "fake clock. Where there is nothing to wait for, say so in a comment."
    )
    bad = (
        Example("""
            import time

            def test_order_is_shipped(orders):
                orders.place(7)
                time.sleep(2)
                assert orders.shipped(7)
        """),
        Example("""
            import asyncio

            async def test_order_is_shipped(orders):
                orders.place(7)
                await asyncio.sleep(0.5)
                assert orders.shipped(7)
        """),
        Example("""
            import time
            import pytest

            @pytest.fixture
            def shop(server):
                server.start()
                time.sleep(0.5)  # wait for the server
                return server.shop()
        """),
    )
    good = (
        Example("""
            from floe_testing import wait_for_condition

            def test_order_is_shipped(orders):
                orders.place(7)
                wait_for_condition(lambda: orders.shipped(7))
        """),
        Example("""
            import asyncio
            import pytest

            async def test_slow_order_is_given_up(orders):
                async def slow():
                    await asyncio.sleep(60)
                with pytest.raises(TimeoutError):
                    await orders.place(7, slow)
                await asyncio.sleep(0)
        """),
        Example("""
            import time

            def test_order_is_shipped(orders):
                orders.place(7)
                for _ in range(50):
                    if orders.shipped(7):
                        break
                    time.sleep(0.1)
                assert orders.shipped(7)
        """),
        Example("""
            import time

            def test_paused_worker_ships_nothing(worker):
                shipped = []
                worker.ship = shipped.append
                worker.pause()
                worker.place(7)
                time.sleep(0.2)
                assert shipped == []
        """),
        Example("""
            import time

            def test_lock_is_given_up(store):
                store.lock("orders", ttl=1)
                time.sleep(1.5)
                assert store.lock("orders", ttl=1).owner == "this"
        """),
        Example("""
            import time

            def test_backs_off(orders, monkeypatch):
                slept = []
                monkeypatch.setattr(time, "sleep", slept.append)
                orders.place(7)
                time.sleep(1)
                assert slept == [1, 2, 4, 1]
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at what sleeps where the test itself, or a fixture, runs."""
        for function in module.functions:
            sleeps = [call for call in function.calls if _sleeps(call, module, function)]
            if not sleeps or any("sleep" in word for word in patched(module, function)):
                continue
            if any(_MOCKED.search(name) for name in function.parameters):
                continue
            if function.kind == "helper" and not _is_called_by_tests(function, module):
                continue
            for call in sleeps:
                if could_be_waited_for(call.node, module, function):
                    yield self.finding(module, call.node, "waits a fixed time", function)


class RealClock(Rule):
    """An assertion of the machine's clock."""

    id = "FT402"
    name = "real-clock"
    severity = Severity.NOTE
    reason = (
        "What is asserted depends on when the test runs, and how busy the machine is: it fails at midnight, or "
        "under load. Pass the time in, freeze the clock, or assert the order of events and not their duration."
    )
    bad = (
        Example("""
            import time

            def test_total_is_fast():
                started = time.monotonic()
                Order(lines=[3, 4]).total()
                assert time.monotonic() - started < 0.1
        """),
        Example("""
            from datetime import date

            def test_order_is_of_today():
                assert Order(7).placed == date.today()
        """),
    )
    good = (
        Example("""
            from datetime import date

            def test_order_is_of_the_day():
                assert Order(7, today=lambda: date(2024, 2, 29)).placed == date(2024, 2, 29)
        """),
        Example("""
            from datetime import datetime

            def test_round_trip():
                now = datetime.now()
                assert parse(now.isoformat()) == now
        """),
        Example("""
            import time

            def test_order_is_placed_now():
                before = time.time() - 1
                placed = place_order(7).time
                assert before <= placed
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at assertions with a clock in them."""
        for function in module.functions:
            calls: set[ast.expr] = {call.node for call in function.calls if _is_clock(call)}
            if not calls or any(word.startswith(_FROZEN) for word in _helps(module, function)):
                continue
            if says_time(function):
                continue  # how long it takes is the subject
            asserted: list[tuple[ast.AST, ast.expr]] = [(node, node.test) for node in function.all(ast.Assert)]
            asserted += [(call.node, test) for call in function.calls if (test := as_test(call)) is not None]
            for node, test in asserted:
                if any(isinstance(each, ast.While) for each in function.ancestors(node)):
                    continue  # the timeout of a wait
                if _SPEED.search(_said_at(node, module)) or _is_explained(node, module):
                    continue
                if _depends_on_clock(test, calls | _expected_now(test, calls, function), function):
                    yield self.finding(module, node, "what is asserted depends on the machine's clock", function)


def _is_clock(call: Call) -> bool:
    """Tell whether a call reads the clock; `time.gmtime(0)` only takes a time apart."""
    apart = call.last in {"localtime", "gmtime"} and bool(call.node.args)
    return call.name in _CLOCKS and not apart


_WORDS: Final = 5


def _is_explained(node: ast.AST, module: Module) -> bool:
    """Tell whether a comment at an assertion says so much that the limit was thought about."""
    return is_worded(module.comment_at(getattr(node, "lineno", 0)), _WORDS)


def _said_at(node: ast.AST, module: Module) -> str:
    """Return the comment at an assertion, or right above it, and the texts in it."""
    line = getattr(node, "lineno", 0)
    return " ".join([module.comment_at(line), *strings_in(node)]).lower()


def _is_called_by_tests(helper: Function, module: Module) -> bool:
    """Tell whether a test, a fixture or a set-up of the module calls a helper itself, and not a thread or a mock."""
    owner = helper.symbol.rpartition(".")[0]
    for each in module.functions:
        if each.kind == "helper":
            continue
        names = {helper.symbol} if not owner else {f"self.{helper.name}", f"cls.{helper.name}"}
        near = not owner or each.class_node is helper.class_node
        if near and any(call.name in names and not call.nested for call in each.calls):
            return True
    return False


def _length(call: Call, module: Module, function: Function) -> ast.expr | None:  # noqa: PLR0911 - one for each way
    """Return how long a call waits, None if it is no wait of a fixed time."""
    given = call.node.args[0] if call.node.args else next((each.value for each in call.node.keywords), None)
    if call.name in _BLOCKING:
        return given
    if call.name in _AWAITED:
        around = next(function.ancestors(call.node), None)
        run = isinstance(around, ast.Call) and (
            module.resolve(around.func, function) in _RUNNERS or ast.unparse(around.func).endswith("run_until_complete")
        )
        return given if run or isinstance(around, ast.Await) else None  # otherwise it is work for a task
    if call.last == "wait" and isinstance(call.node.func, ast.Attribute):
        return given if _is_own_event(call.node.func.value, module, function) else None
    if call.last == "wait_for_timeout" and isinstance(given, ast.Constant):
        return given
    if call.name == "select.select" and len(call.node.args) > 3:  # noqa: PLR2004 - the timeout is the fourth
        nothing = all(isinstance(each, ast.List) and not each.elts for each in call.node.args[:3])
        return call.node.args[3] if nothing else None
    if call.name in _COMMANDS and given is not None:
        words = given.elts if isinstance(given, ast.List | ast.Tuple) else [given]
        first = words[0] if words else None
        if isinstance(first, ast.Constant) and str(first.value).partition(" ")[0] == "sleep":
            return words[-1]
    return None


def _is_own_event(value: ast.expr, module: Module, function: Function) -> bool:
    """Tell whether an event is made here, and used for nothing but to wait for it: nobody can set it."""
    if isinstance(value, ast.Call):
        return module.resolve(value.func, function) in _EVENTS
    if not isinstance(value, ast.Name):
        return False
    made = [
        each
        for each in function.own(ast.Assign)
        if isinstance(each.value, ast.Call)
        and module.resolve(each.value.func, function) in _EVENTS
        and value.id in names_in(each.targets[0])
    ]
    loads = [
        node
        for node in ast.walk(function.node)
        if isinstance(node, ast.Name) and node.id == value.id and isinstance(node.ctx, ast.Load)
    ]
    around = [next(function.ancestors(node), None) for node in loads]
    return bool(made) and all(isinstance(each, ast.Attribute) and each.attr == "wait" for each in around)


def _sleeps(call: Call, module: Module, function: Function) -> bool:
    length = None if call.nested else _length(call, module, function)
    if length is None:
        return False
    if isinstance(length, ast.Constant) and isinstance(length.value, int | float) and length.value <= _HARDLY:
        return False
    if is_inside(function, call.node, "raises", "timeout", "fail_after", "move_on", "cancel", "interrupt"):
        return False
    if is_needed(call.node, length, module, function):
        return False
    # A sleep that something is to break off is work, and one between two looks is a wait for a condition.
    return not any(
        (isinstance(each, ast.Try) and _is_broken_off(each)) or _looks(each) for each in function.ancestors(call.node)
    )


def _looks(node: ast.AST) -> bool:
    """Tell whether a node is a loop that ends as soon as something is so."""
    if isinstance(node, ast.While) and not isinstance(node.test, ast.Constant):
        return True
    return isinstance(node, ast.For | ast.AsyncFor | ast.While) and any(
        isinstance(each, ast.Break | ast.Return) or _is_fail(each)
        for statement in node.body
        for each in ast.walk(statement)
    )


def _is_fail(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"self.fail", "pytest.fail"}


def _is_broken_off(node: ast.Try) -> bool:
    return any(each.type is None or ast.unparse(each.type).endswith(_BREAKS) for each in node.handlers)


def _helps(module: Module, function: Function) -> Iterator[str]:
    """Yield what a function asks for, calls, is decorated with, or replaces."""
    yield from (f"${name}" for name in function.parameters)
    yield from (call.name for call in function.calls)
    yield from (f"freeze_time {word}" for word in patched(module, function) if "time" in word)
    for decorator in function.all_decorators:
        yield module.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator, function)


def _depends_on_clock(test: ast.expr, clocks: set[ast.expr], function: Function) -> bool:
    """Tell whether a clock's reading must equal something, or a duration be short enough.

    That something took at least so long, or is not in the future, is so on the slowest machine too.
    """
    lengths = _durations(function, clocks)
    for compare in ast.walk(test):
        if not isinstance(compare, ast.Compare):
            continue
        sides = [compare.left, *compare.comparators]
        for left, op, right in zip(sides, compare.ops, sides[1:], strict=False):
            if isinstance(op, ast.Eq) and (_reads(left, clocks) or _reads(right, clocks)):
                return True
            if lengths & names_in(left) and lengths & names_in(right):
                continue  # one reading is compared with another, as fast or slow as the machine is
            small = left if isinstance(op, ast.Lt | ast.LtE) else right if isinstance(op, ast.Gt | ast.GtE) else None
            limit = right if small is left else left
            if not isinstance(limit, ast.Constant) or _is_generous(limit.value):
                continue  # as long as what the test waits for, or what only a hang would reach
            if small is not None and (lengths & names_in(small) or _is_duration(small, clocks)):
                return True
    return False


def _is_generous(value: object) -> bool:
    return isinstance(value, int | float) and value >= _GENEROUS


def _expected_now(test: ast.expr, clocks: set[ast.expr], function: Function) -> set[ast.expr]:
    """Return the names in an assertion that hold a clock's reading, and that nothing but this assertion gets."""
    read = {
        target.id
        for statement in function.own(ast.Assign)
        if _reads(statement.value, clocks)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    found = [each for each in ast.walk(test) if isinstance(each, ast.Name) and each.id in read]
    loads = Counter(
        each.id for each in ast.walk(function.node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    )
    return {each for each in found if loads[each.id] == 1}


def _is_duration(node: ast.expr, clocks: set[ast.expr]) -> bool:
    """Tell whether an expression is the difference of two times; with a number taken from it, a time is still one."""
    differences = [each for each in ast.walk(node) if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Sub)]
    return any(not isinstance(each.right, ast.Constant) for each in differences) and _reads(node, clocks)


def _durations(function: Function, clocks: set[ast.expr]) -> set[str]:
    """Return the names that hold the difference of two times."""
    found: set[str] = set()
    for statement in function.all(ast.Assign):
        value = statement.value
        if _is_duration(value, clocks):
            found.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    return found


def _reads(node: ast.AST, clocks: set[ast.expr]) -> bool:
    """Tell whether the value of an expression is a clock's reading, or computed from one."""
    if isinstance(node, ast.Call) and node not in clocks:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in _WRAPPERS:
            return False  # the reading is sample data
    return node in clocks or any(_reads(child, clocks) for child in ast.iter_child_nodes(node))
