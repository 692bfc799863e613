"""Which tests name which requirements, as the suite's markers have it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from floe_testing.settings import suggest
from floe_testing.suite.markers import Case, Expression, Marker, Unread, Value
from floe_testing.suite.reading import Problem, Suite, TestFunction
from floe_testing.traceability.config import MARKER, Ids


@dataclass(frozen=True)
class CaseMark:
    """What the marker of one set of parameters names."""

    requirement: str
    shown: str
    """The set's id, as far as it is known."""
    pattern: str | None
    """What stands in the brackets of such a case; None where only running the test can tell."""

    def is_of(self, parameters: str) -> bool:
        """Tell whether the parameters of a case, as JUnit has them, are those of this set."""
        return self.pattern is not None and re.fullmatch(self.pattern, parameters, re.DOTALL) is not None


@dataclass(frozen=True)
class Marks:
    """What the markers say."""

    tests: Mapping[str, tuple[str, ...]]
    """The ids that each marked test names, by node id: those of its parameters too."""
    whole: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids that every case of a test names."""
    cases: Mapping[str, tuple[CaseMark, ...]] = field(default_factory=dict)
    """What single cases of a test name."""
    problems: tuple[Problem, ...] = field(default=())


def read_marks(suite: Suite, known: Iterable[str], ids: Ids, mentioned: Mapping[str, str] | None = None) -> Marks:
    """Return the requirements that each test names.

    Args:
        suite: The tests.
        known: The ids of the requirements there are.
        ids: What an id looks like.
        mentioned: Where the documents have other ids, which they don't state.
    """
    reader = _Reader(frozenset(known), ids, mentioned or {})
    tests: dict[str, tuple[str, ...]] = {}
    whole: dict[str, tuple[str, ...]] = {}
    cases: dict[str, tuple[CaseMark, ...]] = {}
    for module in suite.modules:
        reader.path = module.relative
        reader.refuse(module.unread)
        for test in module.tests:
            reader.refuse(test.unread)
            own = tuple(dict.fromkeys(reader.named(test.markers)))
            single = tuple(reader.of_cases(test))
            if own or single:
                tests[test.node_id] = tuple(dict.fromkeys([*own, *(each.requirement for each in single)]))
                whole[test.node_id] = own
                cases[test.node_id] = single
    return Marks(tests, whole, cases, tuple(reader.problems.values()))


class _Reader:
    """Reads the markers of one module after the other, and gathers what is wrong with them."""

    def __init__(self, known: frozenset[str], ids: Ids, mentioned: Mapping[str, str]) -> None:
        self.path = ""
        # A marker of a class or a module applies to many tests; what is wrong with it is told once.
        self.problems: dict[tuple[str, int, str], Problem] = {}
        self._known = known
        self._ids = ids
        self._mentioned = mentioned

    def named(self, markers: Iterable[Marker]) -> Iterator[str]:
        """Yield the ids that markers name."""
        for marker in markers:
            for value in marker.args or (None,) if marker.name == MARKER else ():
                wrong = self._wrong(value)
                if wrong:
                    self._tell(marker.line, wrong)
                else:
                    yield str(value)

    def of_cases(self, test: TestFunction) -> Iterator[CaseMark]:
        """Yield what the markers of single sets of parameters name."""
        for place, sets in enumerate(test.parameters):
            for case in sets:
                self.refuse(case.unread)
                pattern = _pattern(test.parameters, place, case)
                for requirement in dict.fromkeys(self.named(case.markers)):
                    yield CaseMark(requirement, "".join(case.ids) or "…", pattern)

    def refuse(self, unread: Iterable[Unread]) -> None:
        """Take down what may be a marker of a requirement, and can't be read as one."""
        for each in unread:
            named = "parametrize" not in each.code and any(map(self._ids.match, _texts(each.code)))
            if named or f"mark.{MARKER}" in f"{each.code}\n{each.behind}":
                what = each.code if len(each.code) < _LONGEST else f"{each.code[:_LONGEST]}…"
                message = (
                    f'can\'t be read as a marker without running it: {what}. Write pytest.mark.{MARKER}("…") here, '
                    "or a name that stands for it"
                )
                self._tell(each.line, message)

    def _wrong(self, value: Value) -> str | None:
        if value is None:
            return "the marker names no requirement"
        if isinstance(value, Expression):
            return f"write the id as a string: what {value.code} is can't be told without running it"
        if not isinstance(value, str):
            return f"an id is a string, not {value!r}"
        if value in self._known:
            return None
        if value in self._mentioned:
            return f"{self._mentioned[value]} mentions {value} and states it nowhere; write `- **{value}**: …` there"
        known = self._ids.match(value)
        problem = f"no requirement is called '{value}'" if known else f"'{value}' is no id ({self._ids.shown})"
        hint = suggest(value, self._known)
        return f"{problem}; {hint}" if hint.endswith("?") else problem

    def _tell(self, line: int, message: str) -> None:
        problem = Problem(path=self.path, line=line, message=message)
        self.problems.setdefault((problem.path, line, message), problem)


_LONGEST = 80


def _texts(code: str) -> Iterator[str]:
    return (
        each.value
        for each in ast.walk(ast.parse(code))
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )


def _pattern(parameters: Sequence[Sequence[Case]], place: int, case: Case) -> str | None:
    """Return what stands in the brackets of the cases with a set of parameters, as a regular expression.

    Pytest joins the ids of all `parametrize` of a test, that of the one written last first.
    """
    if not case.ids:
        return None
    parts = []
    for number, sets in enumerate(parameters):
        ids = case.ids if number == place else [each for other in sets for each in other.ids]
        known = number == place or (bool(sets) and all(other.ids for other in sets))
        parts.append(f"(?:{'|'.join(map(re.escape, ids))})" if known else ".+")
    return "-".join(reversed(parts))


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
