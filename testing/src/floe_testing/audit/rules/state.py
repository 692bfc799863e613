"""What one test leaves behind for the next."""

import ast
from collections.abc import Iterator
from typing import Final

from floe_testing.audit.look import names_in
from floe_testing.audit.model import Example, Finding, Severity
from floe_testing.audit.module import Function, Module
from floe_testing.audit.rule import Rule
from floe_testing.suite.syntax import FunctionNode, dotted, statements

_MUTATORS: Final = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard", "appendleft"}
)
_CONTAINERS: Final = frozenset(
    {"list", "dict", "set", "collections.defaultdict", "collections.deque", "collections.Counter"}
)
_WIDE: Final = frozenset({"class", "module", "package", "session"})
_ORDERED: Final = frozenset({"order", "run", "dependency", "incremental"})


class SharedState(Rule):
    """A container that tests share and change."""

    id = "FT801"
    name = "shared-mutable-state"
    severity = Severity.NOTE
    reason = (
        "A test changes what other tests of the module see: the outcome depends on which ran before, and on which "
        "worker. Make it new for each test, in a fixture."
    )
    bad = (
        Example("""
            PLACED = []

            def test_place():
                PLACED.append(place_order(7))
                assert PLACED[0].number == 7

            def test_list():
                assert list_orders() == PLACED
        """),
        Example("""
            class TestOrders:
                placed = {}

                def test_place(self):
                    self.placed["seven"] = place_order(7)
                    assert self.placed["seven"].number == 7

                def test_list(self):
                    assert list_orders() == list(self.placed.values())
        """),
        Example("""
            import pytest

            @pytest.fixture(scope="module")
            def placed():
                return []

            def test_place(placed):
                placed.append(place_order(7))
                assert placed[0].number == 7
        """),
    )
    good = (
        Example("""
            import pytest

            @pytest.fixture
            def placed():
                return []

            def test_place(placed):
                placed.append(place_order(7))
                assert placed[0].number == 7
        """),
        Example("""
            import pytest

            LOG = []

            @pytest.fixture(autouse=True)
            def clean_log():
                LOG.clear()

            def test_place():
                LOG.append(place_order(7))
                assert LOG[0].number == 7

            def test_list():
                LOG.append(place_order(9))
                assert list_orders() == LOG
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at what tests change that is not theirs."""
        shared = _module_containers(module)
        wide = _wide_containers(module)
        for function in module.functions:
            if function.test is None:
                continue
            for node, name in _mutations(function):
                if module.comment_at(node.lineno):
                    continue  # it is known, and said for what
                if _is_shared(name, shared, module, function) or _is_class_attribute(name, module, function):
                    yield self.finding(module, node, f"{name} is changed here, and other tests see it", function)
                elif name in wide and name in function.parameters:
                    message = f"the fixture {name} is changed here, and made once for several tests"
                    yield self.finding(module, node, message, function)


class OrderDependence(Rule):
    """A test that needs another one to have run."""

    id = "FT803"
    name = "order-dependence"
    severity = Severity.NOTE
    reason = (
        "The test needs another one to have run before it: alone, or on another worker, it fails. Let each test "
        "bring what it needs, by a fixture; what must happen in a row is one test."
    )
    bad = (
        Example("""
            class TestOrders:
                def test_place(self):
                    self.__class__.order = place_order(7)
                    assert self.order.number == 7

                def test_pay(self):
                    assert pay(self.order).paid
        """),
        Example("""
            import pytest

            @pytest.mark.order(2)
            def test_pay():
                assert pay(7).paid
        """),
    )
    good = (
        Example("""
            import pytest

            @pytest.fixture
            def order():
                return place_order(7)

            def test_pay(order):
                assert pay(order).paid
        """),
    )

    def check(self, module: Module) -> Iterator[Finding]:
        """Look at markers that order tests, and at what tests hand on through their class."""
        for function in module.functions:
            if function.test is None or isinstance(function.node, ast.Module):
                continue
            ordered = [marker for marker in function.test.markers if marker.name in _ORDERED]
            # A whole class or module may be put first or last, whatever its tests need of each other.
            if ordered and ordered[0].name in _decorators(function.node):
                message = f"ordered by the marker {ordered[0].name}"
                yield self.finding(module, function.node, message, function)
            for target in _set_on_class(function):
                if _reads_elsewhere(target.attr, module, function) and not _is_prepared(target.attr, module, function):
                    message = f"{target.attr} is handed to other tests through the class"
                    yield self.finding(module, target, message, function)
            for node, name in _set_globally(function):
                if _is_read_by_another(name, module, function):
                    yield self.finding(module, node, f"{name} is handed to other tests as a global", function)


def _module_containers(module: Module) -> set[str]:
    found: set[str] = set()
    for statement in statements(module.tree.body):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if _is_container(statement.value, module, module.top):
                found.update(target.id for target in targets if isinstance(target, ast.Name))
    return found


def _wide_containers(module: Module) -> set[str]:
    """Return the fixtures of this module that give several tests one container."""
    found: set[str] = set()
    for function in module.functions:
        if function.kind != "fixture" or isinstance(function.node, ast.Module) or not _is_wide(function.node):
            continue
        given = [node.value for node in function.own(ast.Return)] + [node.value for node in function.own(ast.Yield)]
        if any(value is not None and _is_container(value, module, function) for value in given):
            found.add(function.name)
    return found


def _is_wide(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    calls = [decorator for decorator in node.decorator_list if isinstance(decorator, ast.Call)]
    scopes = [each.value for call in calls for each in call.keywords if each.arg == "scope"]
    return any(isinstance(scope, ast.Constant) and scope.value in _WIDE for scope in scopes)


def _is_container(value: ast.expr, module: Module, function: Function) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    return isinstance(value, ast.Call) and module.resolve(value.func, function) in _CONTAINERS


def _mutations(function: Function) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Yield what a function changes in place, by name."""
    for call in function.calls:
        if call.last in _MUTATORS and isinstance(call.node.func, ast.Attribute):
            name = dotted(call.node.func.value)
            if name is not None:
                yield call.node, name
    targets = [target for statement in function.all(ast.Assign) for target in statement.targets]
    targets += [target for statement in function.all(ast.Delete) for target in statement.targets]
    targets += [statement.target for statement in function.all(ast.AugAssign)]
    for target in targets:
        name = dotted(target.value) if isinstance(target, ast.Subscript) else None
        if name is not None:
            yield target, name


def _is_shared(name: str, shared: set[str], module: Module, function: Function) -> bool:
    if name not in shared or name in function.parameters or name in _assigned(function):
        return False
    users = [each for each in module.functions if name in names_in(each.node)]
    if any(each.kind in {"fixture", "setup"} for each in users) or _is_reset(name, function):
        return False
    tests = [each for each in users if each.test is not None]
    # Where each test sets what it reads, none sees another's.
    return len(tests) > 1 and not all(_sets(name, each) for each in tests)


def _sets(name: str, function: Function) -> bool:
    """Tell whether a function begins by setting an item of a container."""
    targets = [target for statement in function.own(ast.Assign) for target in statement.targets]
    return any(isinstance(target, ast.Subscript) and dotted(target.value) == name for target in targets)


def _assigned(function: Function) -> set[str]:
    declared = {name for node in function.all(ast.Global) for name in node.names}
    stored = {
        node.id for node in ast.walk(function.node) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return stored - declared


def _is_reset(name: str, function: Function) -> bool:
    if any(call.name == f"{name}.clear" for call in function.calls):
        return True
    slices = [target for statement in function.all(ast.Assign) for target in statement.targets]
    slices += [target for statement in function.all(ast.Delete) for target in statement.targets]
    if any(
        isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Slice) and dotted(each.value) == name
        for each in slices
    ):
        return True
    return any(name in names_in(each) for node in function.all(ast.Try) for each in node.finalbody)


def _is_class_attribute(name: str, module: Module, function: Function) -> bool:
    first, _, attribute = name.partition(".")
    node = function.class_node
    if node is None or first not in {"self", "cls", node.name} or "." in attribute:
        return False
    shared = {
        target.id
        for statement in node.body
        if isinstance(statement, ast.Assign) and _is_container(statement.value, module, module.top)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    if attribute not in shared or _is_reset(name, function):
        return False
    methods = [each for each in module.functions if each.class_node is node]
    return not any(attribute in set(_attributes_set(each)) for each in methods) and not any(
        call.name.endswith(f".{attribute}.clear") for each in methods for call in each.calls
    )


def _attributes_set(function: Function) -> Iterator[str]:
    for statement in function.all(ast.Assign):
        yield from (target.attr for target in statement.targets if isinstance(target, ast.Attribute))


def _decorators(node: FunctionNode) -> set[str]:
    """Return the last parts of the names of a function's decorators."""
    return {ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in node.decorator_list}


def _set_on_class(function: Function) -> Iterator[ast.Attribute]:
    """Yield the attributes of its own class that a test sets."""
    if function.class_node is None:
        return
    own = {"type(self)", "self.__class__", "cls", function.class_node.name}
    for statement in function.own(ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) in own:
                yield target


def _is_prepared(attribute: str, module: Module, function: Function) -> bool:
    """Tell whether a set-up or a fixture of the class sets an attribute, or puts it back."""
    around = [each for each in module.functions if each.class_node is function.class_node]
    return any(
        (isinstance(node, ast.Attribute) and node.attr == attribute)
        or (isinstance(node, ast.Constant) and node.value == attribute)
        for each in around
        if each.kind in {"setup", "fixture"} and not each.name.lower().endswith("class")
        for node in ast.walk(each.node)
    )


def _set_globally(function: Function) -> Iterator[tuple[ast.Global, str]]:
    """Yield the names of the module that a test sets."""
    if not function.own(ast.Global):
        return
    stored = {
        node.id for node in ast.walk(function.node) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in function.own(ast.Global):
        yield from ((node, name) for name in node.names if name in stored)


def _is_read_by_another(name: str, module: Module, function: Function) -> bool:
    """Tell whether another test reads a name of the module that nothing sets before each test."""
    for each in module.functions:
        if each.kind in {"setup", "fixture"} and name in names_in(each.node):
            return False
    if _put_back(name, function):
        return False
    readers = [each for each in module.functions if each.test is not None and each is not function]
    return any(name in names_in(each.node) and name not in _assigned_first(name, each) for each in readers)


def _put_back(name: str, function: Function) -> bool:
    """Tell whether a test itself sets a name again where it ends."""
    return any(name in names_in(each) for node in function.all(ast.Try) for each in node.finalbody)


def _assigned_first(name: str, function: Function) -> set[str]:
    """Return the name, if the first thing that a function does with it is to set it, or if it is its own."""
    if name in function.parameters:
        return {name}
    uses = sorted(
        (node.lineno, node.col_offset, isinstance(node.ctx, ast.Store))
        for node in ast.walk(function.node)
        if isinstance(node, ast.Name) and node.id == name
    )
    return {name} if uses and uses[0][2] else set()


def _reads_elsewhere(attribute: str, module: Module, function: Function) -> bool:
    others = [each for each in module.functions if each.class_node is function.class_node and each is not function]
    return any(
        isinstance(node, ast.Attribute) and node.attr == attribute and isinstance(node.ctx, ast.Load)
        for each in others
        for node in ast.walk(each.node)
    )
