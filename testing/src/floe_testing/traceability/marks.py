"""Which tests name which requirements, as the suite's markers have it."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from floe_testing.settings import suggest
from floe_testing.suite import Expression, Marker, Problem, Suite, TestFunction, Value
from floe_testing.traceability.config import MARKER, Ids


@dataclass(frozen=True)
class Marks:
    """What the markers say."""

    tests: Mapping[str, tuple[str, ...]]
    """The ids that each marked test names, by node id."""
    problems: tuple[Problem, ...] = field(default=())


def read_marks(suite: Suite, known: Iterable[str], ids: Ids) -> Marks:
    """Return the requirements that each test names.

    Args:
        suite: The tests.
        known: The ids of the requirements there are.
        ids: What an id looks like.
    """
    known = frozenset(known)
    tests: dict[str, tuple[str, ...]] = {}
    # A marker of a class or a module applies to many tests; what is wrong with it is told once.
    problems: dict[tuple[str, int, str], Problem] = {}
    for module in suite.modules:
        for test in module.tests:
            named: list[str] = []
            for line, value in _named(test):
                wrong = _wrong(value, known, ids)
                if wrong:
                    problem = Problem(path=module.relative, line=line, message=wrong)
                    problems.setdefault((problem.path, line, wrong), problem)
                else:
                    named.append(str(value))
            if named:
                tests[test.node_id] = tuple(dict.fromkeys(named))
    return Marks(tests, tuple(problems.values()))


def find_unmarked(suite: Suite, marks: Mapping[str, tuple[str, ...]], tiers: Iterable[str]) -> tuple[str, ...]:
    """Return the node ids of the tests of some tiers that name no requirement.

    A test is of a tier that it has the marker of, or that a folder above it is called after.
    """
    wanted = frozenset(tiers)
    return tuple(
        test.node_id
        for module in suite.modules
        for test in module.tests
        if test.node_id not in marks
        and wanted & {*module.relative.split("/")[:-1], *(marker.name for marker in test.markers)}
    )


def _named(test: TestFunction) -> Iterator[tuple[int, Value]]:
    """Yield the arguments of the markers of a test and of its parameters, each with its line."""
    for marker in test.markers:
        if marker.name == MARKER:
            yield from ((marker.line, value) for value in marker.args or (None,))
        elif marker.name == "parametrize":
            yield from ((marker.line, value) for value in _of_parameters(marker))


def _of_parameters(marker: Marker) -> Iterator[Value]:
    """Yield what `pytest.param(…, marks=pytest.mark.requirement(…))` names."""
    waiting: list[Value] = [*marker.args, *marker.kwargs.values()]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, tuple):
            waiting += value
        elif isinstance(value, Expression) and f"mark.{MARKER}" in value.code:
            for node in ast.walk(ast.parse(value.code, mode="eval")):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f"mark.{MARKER}"):
                    yield from map(_value, node.args)


def _value(node: ast.expr) -> Value:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return ast.literal_eval(node) if is_text else Expression(ast.unparse(node))


def _wrong(value: Value, known: frozenset[str], ids: Ids) -> str | None:
    if value is None:
        return "the marker names no requirement"
    if isinstance(value, Expression):
        return f"write the id as a string: what {value.code} is can't be told without running it"
    if not isinstance(value, str):
        return f"an id is a string, not {value!r}"
    if value in known:
        return None
    problem = f"no requirement is called '{value}'" if ids.match(value) else f"'{value}' is no id ({ids.shown})"
    hint = suggest(value, known)
    return f"{problem}; {hint}" if hint.endswith("?") else problem
