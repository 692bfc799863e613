"""Which requirements the markers of a suite name, and what is wrong with those that name none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_testing.suite.reading import read_suite
from floe_testing.traceability.config import Ids
from floe_testing.traceability.marks import Marks, find_unmarked, read_marks

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository

pytestmark = pytest.mark.requirement("T034")


SHARED = (
    'LOGIN = "REQ-003"',
    "MARKS = [pytest.mark.requirement('REQ-002'), pytest.mark.requirement(LOGIN)]",
    "def covers(*ids):",
    "    return pytest.mark.requirement(*ids)",
    "def make(name):",
    "    if name:",
    "        return pytest.mark.requirement(find(name))",
    "    return pytest.mark.other",
)
"""A module that others import."""


def read(repository: Repository) -> Marks:
    """Return the marks of a repository's tests."""
    suite = read_suite([repository.root / "tests"], repository.root)
    return read_marks(suite, ["REQ-001", "REQ-002", "REQ-003"], Ids([r"REQ-\d{3}"]))


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        (['@pytest.mark.requirement("REQ-001")', "def test_a(): ..."], ("REQ-001",)),
        (['@pytest.mark.requirement("REQ-001", "REQ-002")', "def test_a(): ..."], ("REQ-001", "REQ-002")),
        (
            ['@pytest.mark.requirement("REQ-002")', '@pytest.mark.requirement("REQ-001")', "async def test_a(): ..."],
            ("REQ-002", "REQ-001"),
        ),
        (['pytestmark = pytest.mark.requirement("REQ-001")', "def test_a(): ..."], ("REQ-001",)),
        (
            [
                'pytestmark = [pytest.mark.slow, pytest.mark.requirement("REQ-001")]',
                '@pytest.mark.requirement("REQ-001")',
                '@pytest.mark.requirement("REQ-002")',
                "def test_a(): ...",
            ],
            ("REQ-001", "REQ-002"),
        ),
        (['ID = "REQ-001"', "@pytest.mark.requirement(ID)", "def test_a(): ..."], ("REQ-001",)),
        (
            [
                '@pytest.mark.parametrize("n", [',
                '    pytest.param(1, marks=pytest.mark.requirement("REQ-001")),',
                '    pytest.param(2, marks=[pytest.mark.slow, pytest.mark.requirement("REQ-003")]),',
                "    3,",
                "])",
                "def test_a(n): ...",
            ],
            ("REQ-001", "REQ-003"),
        ),
        (['MARKS = [pytest.mark.requirement("REQ-001")]', "pytestmark = MARKS", "def test_a(): ..."], ("REQ-001",)),
        (
            [
                'MARKS = [pytest.mark.requirement("REQ-001")]',
                'pytestmark = MARKS + [pytest.mark.requirement("REQ-002")]',
                "def test_a(): ...",
            ],
            ("REQ-001", "REQ-002"),
        ),
        (
            [
                'MARKS = (pytest.mark.requirement("REQ-001"),)',
                'pytestmark = [*MARKS, pytest.mark.requirement("REQ-002")]',
                "def test_a(): ...",
            ],
            ("REQ-001", "REQ-002"),
        ),
        (
            [
                "pytestmark = []",
                'pytestmark.append(pytest.mark.requirement("REQ-001"))',
                'pytestmark += [pytest.mark.requirement("REQ-002")]',
                'pytestmark.extend([pytest.mark.requirement("REQ-003")])',
                "def test_a(): ...",
            ],
            ("REQ-001", "REQ-002", "REQ-003"),
        ),
        (
            ['IDS = ["REQ-001", "REQ-003"]', "@pytest.mark.requirement(*IDS)", "def test_a(): ..."],
            ("REQ-001", "REQ-003"),
        ),
        (['N = "001"', '@pytest.mark.requirement("REQ-" + N, f"REQ-{N}")', "def test_a(): ..."], ("REQ-001",)),
        (
            ["class Ids:", '    LOGIN = "REQ-002"', "@pytest.mark.requirement(Ids.LOGIN)", "def test_a(): ..."],
            ("REQ-002",),
        ),
        (
            [
                "import enum",
                "class Ids(enum.Enum):",
                '    LOGIN = "REQ-002"',
                "@pytest.mark.requirement(Ids.LOGIN.value)",
                "def test_a(): ...",
            ],
            ("REQ-002",),
        ),
        (
            [
                "def covers(*ids):",
                "    return pytest.mark.requirement(*ids)",
                '@covers("REQ-001", "REQ-002")',
                "def test_a(): ...",
            ],
            ("REQ-001", "REQ-002"),
        ),
        (
            [
                "def covers(first, other='REQ-003'):",
                "    def put(function):",
                "        return pytest.mark.requirement(first, other)(function)",
                "    return put",
                '@covers("REQ-001")',
                "def test_a(): ...",
            ],
            ("REQ-001", "REQ-003"),
        ),
        (
            ["covers = lambda one: pytest.mark.requirement(one)", '@covers("REQ-001")', "def test_a(): ..."],
            ("REQ-001",),
        ),
        (
            [
                'CASES = [pytest.param(1, marks=pytest.mark.requirement("REQ-001")), 2]',
                '@pytest.mark.parametrize("n", CASES)',
                "def test_a(n): ...",
            ],
            ("REQ-001",),
        ),
        (["from shared import MARKS", "pytestmark = MARKS", "def test_a(): ..."], ("REQ-002", "REQ-003")),
        (["from .shared import LOGIN", "@pytest.mark.requirement(LOGIN)", "def test_a(): ..."], ("REQ-003",)),
        (["from tests import shared", "@shared.covers('REQ-001')", "def test_a(): ..."], ("REQ-001",)),
        (["from .shared import *", "@pytest.mark.requirement(LOGIN)", "def test_a(): ..."], ("REQ-003",)),
        (["@unittest.mock.patch('shop.orders')", "@given(st.text())", "def test_a(): ..."], ()),
        (["from shop.testing import MARKS", "pytestmark = MARKS", "def test_a(): ..."], ()),
        (["def test_a(): ..."], ()),
        (['@pytest.mark.other("REQ-001")', "def test_a(): ..."], ()),
    ],
)
def test_marker_names_requirements(repository: Repository, lines: list[str], ids: tuple[str, ...]) -> None:
    """Markers of the test, its parameters and its module count, several of them and several ids in one."""
    repository.test("tests/shared.py", *SHARED)
    repository.test("tests/test_login.py", *lines)
    marks = read(repository)
    assert marks.tests == ({"tests/test_login.py::test_a": ids} if ids else {})
    assert marks.problems == ()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (2, ["pytestmark = [pytest.mark.requirement('REQ-001') for _ in (1,)]", "def test_a(): ..."]),
        (2, ["pytestmark = pytest.mark.requirement('REQ-001') if find() else []", "def test_a(): ..."]),
        (2, ["@somewhere.covers('REQ-001')", "def test_a(): ..."]),
        (3, ["from shared import make", "@make('anything')", "def test_a(): ..."]),
        (3, ["from shared import MISSING", "pytestmark = MISSING", "def test_a(): ..."]),
        (3, ["def test_a(): ...", "test_b = pytest.mark.requirement('REQ-001')(test_a)"]),
        (4, ["def test_a(): ...", "for each in [test_a]:", "    pytest.mark.requirement('REQ-001')(each)"]),
        (
            5,
            [
                "REQ = pytest.mark.requirement",
                "for each in IDS:",
                "    pass",
                "    @REQ(each)",
                "    def test_a(): ...",
            ],
        ),
        (4, ["from shared import covers", "for each in IDS:", "    @covers(each)", "    def test_a(): ..."]),
        (3, ["def test_a(): ...", "test_a.pytestmark = [pytest.mark.requirement('REQ-001')]"]),
        (3, ["def test_a(): ...", "setattr(test_a, 'pytestmark', [pytest.mark.requirement('REQ-001')])"]),
        (
            4,
            [
                "def cases():",
                "    return [pytest.param(1, marks=pytest.mark.requirement('REQ-001'))]",
                "@pytest.mark.parametrize('n', cases())",
                "def test_a(n): ...",
            ],
        ),
        (2, ["@pytest.mark.requirement(*find())", "def test_a(): ..."]),
        (2, ["@pytest.mark.requirement(f'REQ-{1:03}')", "def test_a(): ..."]),
    ],
)
def test_marker_that_cannot_be_read_is_told(repository: Repository, line: int, code: list[str]) -> None:
    """What may name a requirement, and only running would tell, is a problem at its line and never left out."""
    repository.test("tests/shared.py", *SHARED)
    repository.test("tests/test_login.py", *code)
    marks = read(repository)
    assert [(problem.path, problem.line) for problem in marks.problems] == [("tests/test_login.py", line)]
    assert "without running it" in marks.problems[0].message


def test_id_that_is_only_mentioned_is_told_with_its_place(repository: Repository) -> None:
    """A marker of an id that a document has, and doesn't state, says where that is and how to state it."""
    repository.test("tests/test_login.py", '@pytest.mark.requirement("REQ-004")', "def test_a(): ...")
    suite = read_suite([repository.root / "tests"], repository.root)
    marks = read_marks(suite, ["REQ-001"], Ids([r"REQ-\d{3}"]), {"REQ-004": "docs/login.md:7"})
    (problem,) = marks.problems
    assert problem.message.startswith("docs/login.md:7 mentions REQ-004 and states it nowhere")


def test_module_that_markers_come_from_is_watched(repository: Repository, tmp_path: Path) -> None:
    """A change of the module that a test's markers are imported from is seen through the cache."""
    repository.test("tests/shared.py", *SHARED)
    repository.test("tests/test_login.py", "from shared import MARKS", "pytestmark = MARKS", "def test_a(): ...")
    folder = tmp_path / "cache"
    for wanted in ("REQ-002", "REQ-009"):
        repository.write("tests/shared.py", "\n".join(["import pytest", *SHARED]).replace("REQ-002", wanted))
        suite = read_suite([repository.root / "tests"], repository.root, folder)
        assert [marker.args for test in suite.tests for marker in test.markers] == [(wanted,), ("REQ-003",)]


def test_marker_of_a_class_is_that_of_its_tests(repository: Repository) -> None:
    """A class's marker holds for each of its tests, beside their own."""
    repository.test(
        "tests/test_login.py",
        '@pytest.mark.requirement("REQ-001")',
        "class TestLogin:",
        '    pytestmark = [pytest.mark.requirement("REQ-003")]',
        "    def test_a(self): ...",
        '    @pytest.mark.requirement("REQ-002")',
        "    def test_b(self): ...",
    )
    assert read(repository).tests == {
        "tests/test_login.py::TestLogin::test_a": ("REQ-001", "REQ-003"),
        "tests/test_login.py::TestLogin::test_b": ("REQ-002", "REQ-001", "REQ-003"),
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ('"REQ-004"', "no requirement is called 'REQ-004'; did you mean 'REQ-003'?"),
        ('"XYZ"', r"'XYZ' is no id (REQ-\d{3})"),
        ('"REQ-1"', r"'REQ-1' is no id (REQ-\d{3}); did you mean 'REQ-001'?"),
        ("", "the marker names no requirement"),
        ("1", "an id is a string, not 1"),
        ("find()", "write the id as a string: what find() is can't be told without running it"),
    ],
)
def test_marker_that_names_nothing_is_told(repository: Repository, argument: str, message: str) -> None:
    """An unknown id, a malformed one and none at all are problems at the marker's line."""
    repository.test("tests/test_login.py", "", f"@pytest.mark.requirement({argument})", "def test_a(): ...")
    marks = read(repository)
    (problem,) = marks.problems
    assert problem.path == "tests/test_login.py"
    assert problem.line == 3
    assert problem.message.startswith(message)
    assert marks.tests == {}


def test_wrong_marker_of_a_parameter_is_told(repository: Repository) -> None:
    """An id that a parameter's marker computes is a problem too."""
    repository.test(
        "tests/test_login.py",
        '@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.requirement(find()))])',
        "def test_a(n): ...",
    )
    assert [problem.line for problem in read(repository).problems] == [2]


def test_problem_of_many_tests_is_told_once(repository: Repository) -> None:
    """What is wrong with a module's marker is told once, not for each test; good ids beside it count."""
    repository.test(
        "tests/test_login.py",
        'pytestmark = pytest.mark.requirement("REQ-009", "REQ-001")',
        "def test_a(): ...",
        "def test_b(): ...",
    )
    marks = read(repository)
    assert [str(each) for each in marks.problems] == [
        "tests/test_login.py:2: no requirement is called 'REQ-009'; did you mean 'REQ-003'?"
    ]
    assert list(marks.tests.values()) == [("REQ-001",), ("REQ-001",)]


def test_tests_are_not_imported(repository: Repository) -> None:
    """A module that would fail to import is traced all the same."""
    repository.test(
        "tests/test_login.py", "raise SystemExit(1)", '@pytest.mark.requirement("REQ-001")', "def test_a(): ..."
    )
    assert read(repository).tests == {"tests/test_login.py::test_a": ("REQ-001",)}


@pytest.mark.parametrize(
    ("tiers", "found"),
    [
        ((), []),
        (("e2e",), ["tests/e2e/test_a.py::test_bare"]),
        (("unit",), ["tests/unit/test_b.py::test_bare", "tests/unit/test_b.py::test_slow"]),
        (("slow",), ["tests/unit/test_b.py::test_slow"]),
        (("e2e", "slow"), ["tests/e2e/test_a.py::test_bare", "tests/unit/test_b.py::test_slow"]),
        (("test_b.py",), []),
    ],
)
def test_tier_is_a_folder_or_a_marker(repository: Repository, tiers: tuple[str, ...], found: list[str]) -> None:
    """Tests without a requirement are found in the tiers that are named, by folder and by marker."""
    marked = ['@pytest.mark.requirement("REQ-001")', "def test_marked(): ..."]
    bare = ["def test_bare(): ..."]
    repository.test("tests/e2e/test_a.py", *marked, *bare)
    repository.test("tests/unit/test_b.py", *marked, *bare, "@pytest.mark.slow", "def test_slow(): ...")
    suite = read_suite([repository.root / "tests"], repository.root)
    assert list(find_unmarked(suite, read(repository).tests, tiers)) == found
