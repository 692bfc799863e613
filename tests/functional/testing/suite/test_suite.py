"""The tests that are read from syntax trees are those that pytest collects."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from floe_testing.suite.collection import CollectionRules, NoSuchPathError, PathNameError, read_collection_rules
from floe_testing.suite.markers import Expression
from floe_testing.suite.reading import ParsedModule, Suite, parse_module, read_suite

pytestmark = pytest.mark.requirement("T039")

MODULES = {
    "plain": """
        import sys

        def test_one(): ...
        async def test_two(): ...
        def helper(): ...
        def testing_three(): ...
        if sys.version_info > (3, 0):
            def test_in_if(): ...
        try:
            def test_in_try(): ...
        except ImportError:
            pass
    """,
    "classes": """
        class TestOrders:
            def test_total(self): ...
            def helper(self): ...
            @staticmethod
            def test_static(): ...
            class TestInner:
                def test_deep(self): ...
        class Orders:
            def test_no(self): ...
        class TestWithInit:
            def __init__(self): ...
            def test_no(self): ...
        class TestWithNew:
            def __new__(cls): ...
            def test_no(self): ...
        class TestSwitchedOff:
            __test__ = False
            def test_no(self): ...
        class SwitchedOn:
            __test__ = True
            def test_yes(self): ...
    """,
    "inherited": """
        class Base:
            def test_shared(self): ...
            def test_redefined(self): ...
        class TestPostgres(Base):
            def test_redefined(self): ...
            def test_own(self): ...
        class TestMySQL(TestPostgres):
            pass
    """,
    "unittests": """
        import unittest
        from unittest import IsolatedAsyncioTestCase as Async

        class Orders(unittest.TestCase):
            def test_total(self): ...
            def check_total(self): ...
        class More(Orders):
            def test_more(self): ...
        class Later(Async):
            async def test_later(self): ...
    """,
    "fixtures": """
        import pytest

        @pytest.fixture
        def test_data(): ...
        @pytest.fixture(scope="module")
        def test_more(): ...
        def test_it(test_data): ...
    """,
    "redefined": """
        def test_twice(): ...
        def test_twice(): ...
        def test_lost(): ...
        test_kept = 1
    """,
    "off": """
        __test__ = False
        def test_no(): ...
    """,
}


def node_ids(suite: Suite) -> set[str]:
    """Return the ids of a suite's tests."""
    return {test.node_id for test in suite.tests}


BASES = {
    "shop_bases": """
        import unittest
        import pytest
        from shop_roots import Root

        class Store(Root):
            def setUp(self):
                self.orders = [7]

            @pytest.mark.slow
            def test_of_base(self):
                self.assertEqual(self.orders, [7])

        class Plain:
            def test_plain(self):
                assert True
    """,
    "shop_roots": """
        import unittest

        class Root(unittest.TestCase):
            pass
    """,
    "test_orders": """
        import shop_bases
        from shop_bases import Plain, Store as Base

        class Orders(Base):
            def test_own(self):
                self.assertEqual(self.orders, [7])

        class MoreOrders(shop_bases.Store):
            def test_of_base(self):
                self.assertEqual(self.orders, [7])

        class TestPlain(Plain):
            pass

        class NoTests(Plain):
            def test_no(self):
                assert False
    """,
}


@pytest.mark.filterwarnings("ignore:Unknown pytest.mark.slow")
def test_classes_whose_base_is_in_another_module(pytester: pytest.Pytester) -> None:
    """A class has the tests that pytest finds in it, its own and inherited ones, wherever its bases are."""
    pytester.makepyfile(**BASES)
    listed = pytester.runpytest("--collect-only", "-q", "-p", "no:cacheprovider", "-W", "ignore").outlines
    suite = read_suite([pytester.path], pytester.path)
    imported = "test_orders.py::Base::test_of_base"  # pytest runs the base itself too, under the name it has here
    assert node_ids(suite) == {line for line in listed if "::" in line} - {imported}
    inherited = next(test for test in suite.tests if test.node_id == "test_orders.py::Orders::test_of_base")
    assert ([marker.name for marker in inherited.markers], inherited.line) == (["slow"], 4)


def test_class_whose_base_can_not_be_read(tmp_path: Path) -> None:
    """Where a base is in no file of the repository, a class that asserts as test cases do is one."""
    file = tmp_path / "test_orders.py"
    file.write_text(
        "from kit import Base, Mixin\n"
        "class Orders(Base):\n    def test_a(self):\n        self.assertEqual(total(7), 7)\n"
        "class Helpers(Mixin):\n    def test_b(self):\n        return 7\n"
        "class Plain(object):\n    def test_c(self):\n        self.assertEqual(total(7), 7)\n"
        "class Typed(Generic[T]):\n    def test_d(self):\n        self.assertGood()\n"
        "class OfInts(Base[int]):\n    def test_f(self):\n        self.assertEqual(total(7), 7)\n"
        "class Own(Mixin):\n    def test_e(self):\n        self.assertGood()\n    def assertGood(self): ...\n"
    )
    found = {"test_orders.py::Orders::test_a", "test_orders.py::OfInts::test_f"}
    assert node_ids(read_suite([tmp_path], tmp_path)) == found


def test_decorators_of_a_base_class(tmp_path: Path) -> None:
    """What stands at an inherited function is known by the imports of the module where it is written."""
    (tmp_path / "bases.py").write_text(
        "import pytest as pt\nfrom pytest import fixture as given, mark as m\n"
        "class Base:\n"
        "    @given\n    def test_data(self): ...\n"
        "    @m.parametrize('a', ['one', 'two'])\n    def test_a(self, a): ...\n"
    )
    (tmp_path / "test_orders.py").write_text("from bases import Base\nclass TestOrders(Base): ...\n")
    (test,) = read_suite([tmp_path / "test_orders.py"], tmp_path).tests
    assert test.name == "test_a"
    assert [[case.ids for case in cases] for cases in test.parameters] == [[("one",), ("two",)]]


def test_base_class_in_a_package_of_the_workspace(tmp_path: Path) -> None:
    """A base is found in the sources of any package beside the tests."""
    package = tmp_path / "kit" / "src" / "kit"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("class Checks:\n    def test_inherited(self): ...\n")
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_orders.py").write_text("from kit import Checks\nclass TestOrders(Checks): ...\n")
    assert node_ids(read_suite([tests], tmp_path)) == {"tests/test_orders.py::TestOrders::test_inherited"}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore:cannot collect test class")
def test_the_same_tests_as_pytest(name: str, pytester: pytest.Pytester) -> None:
    """A module's node ids are those that `pytest --collect-only` lists."""
    pytester.makepyfile(**{f"test_{name}": MODULES[name]})
    listed = pytester.runpytest("--collect-only", "-q", "-p", "no:cacheprovider", "-W", "ignore").outlines
    expected = {line for line in listed if "::" in line and not line.startswith("<")}
    assert node_ids(read_suite([pytester.path], pytester.path)) == expected
    assert expected or name == "off"


def test_both_branches_count(tmp_path: Path) -> None:
    """A test in either branch of an `if` is one: which of them runs, only running it tells."""
    (tmp_path / "test_orders.py").write_text(
        "import os\nif os.name:\n    def test_one(): ...\nelse:\n    def test_two(): ...\n", encoding="utf-8"
    )
    assert node_ids(read_suite([tmp_path], tmp_path)) == {"test_orders.py::test_one", "test_orders.py::test_two"}


INI = "python_files = check_*.py\npython_classes = Check *Suite\npython_functions = check_*\n"
TOML = 'python_files = ["check_*.py"]\npython_classes = "Check *Suite"\npython_functions = ["check_*"]\n'


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", f"[tool.pytest.ini_options]\n{TOML}"),
        ("pytest.ini", f"[pytest]\n{INI}"),
        ("tox.ini", f"[pytest]\n{INI}"),
        ("setup.cfg", f"[tool:pytest]\n{INI}"),
    ],
)
def test_the_configured_names(file: str, text: str, pytester: pytest.Pytester) -> None:
    """What pytest's configuration calls a test is one, wherever it is written."""
    pytester.path.joinpath(file).write_text(text, encoding="utf-8")
    pytester.path.joinpath("check_orders.py").write_text(
        "def check_one(): ...\ndef test_no(): ...\nclass CheckTotal:\n    def check_two(self): ...\n"
        "class OrderSuite:\n    def check_three(self): ...\nclass TestNo:\n    def check_no(self): ...\n",
        encoding="utf-8",
    )
    pytester.path.joinpath("test_orders.py").write_text("def check_no(): ...\n", encoding="utf-8")
    listed = pytester.runpytest("--collect-only", "-q", "-p", "no:cacheprovider").outlines
    expected = {line for line in listed if "::" in line}
    assert node_ids(read_suite([pytester.path], pytester.path)) == expected
    assert len(expected) == 3


def test_files_by_their_folder(pytester: pytest.Pytester) -> None:
    """A pattern with a folder in it is of the end of a path, as pytest has it."""
    pytester.makeini("[pytest]\npython_files = tests/test_*.py\n")
    for folder in ("tests", "other"):
        (pytester.path / folder).mkdir()
        (pytester.path / folder / f"test_{folder}.py").write_text("def test_one(): ...\n", encoding="utf-8")
    listed = pytester.runpytest("--collect-only", "-q", "-p", "no:cacheprovider").outlines
    expected = {line for line in listed if "::" in line}
    assert node_ids(read_suite([pytester.path], pytester.path)) == expected == {"tests/test_tests.py::test_one"}


def test_folders_that_pytest_skips(tmp_path: Path) -> None:
    """Hidden folders, builds, virtual environments and what the configuration names are not looked into."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nnorecursedirs = attic .*\n", encoding="utf-8")
    for folder in ("tests", "attic", ".hidden", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_orders.py").write_text("def test_one(): ...\n", encoding="utf-8")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert node_ids(read_suite([tmp_path], tmp_path)) == {"tests/test_orders.py::test_one"}


def test_markers_of_function_class_and_module(tmp_path: Path) -> None:
    """A test has its own markers, then those of its class and of the class's bases, then those of the module."""
    (tmp_path / "test_orders.py").write_text(
        """
import pytest
from pytest import mark

pytestmark = [pytest.mark.unit, pytest.mark.requirement("REQ-001")]

class Base:
    pytestmark = pytest.mark.of_base

@mark.outer
class TestOrders(Base):
    pytestmark = pytest.mark.of_class

    @pytest.mark.requirement("REQ-002", "REQ-003", level=2)
    @mark.own
    def test_total(self):
        "Orders have a total."
""",
        encoding="utf-8",
    )
    (test,) = read_suite([tmp_path], tmp_path).tests
    assert [marker.name for marker in test.markers] == [
        *("requirement", "own", "outer", "of_class", "of_base", "unit", "requirement")
    ]
    first = test.markers[0]
    assert (first.args, first.kwargs, first.line) == (("REQ-002", "REQ-003"), {"level": 2}, 14)
    assert (test.docstring, test.class_name, test.line) == ("Orders have a total.", "TestOrders", 16)


def test_markers_by_other_names(tmp_path: Path) -> None:
    """A marker is known by an alias too, with arguments or without, and a constant stands for its value."""
    (tmp_path / "test_orders.py").write_text(
        """
import pytest as pt
import os

slow = pt.mark.slow
needs = pt.mark.requirement
total = pt.mark.requirement("REQ-001")
REQ = "REQ-002"

@slow
@total
@needs(REQ, os.name, ["REQ-003"])
@unknown("REQ-004")
def test_total(): ...
""",
        encoding="utf-8",
    )
    (test,) = read_suite([tmp_path], tmp_path).tests
    assert [(marker.name, marker.args) for marker in test.markers] == [
        ("slow", ()),
        ("requirement", ("REQ-001",)),
        ("requirement", ("REQ-002", Expression("os.name"), ("REQ-003",))),
    ]


def test_what_can_not_be_read_need_not_be_told(tmp_path: Path) -> None:
    """Who does not ask what can't be read as a marker gets the markers that can, and nothing else."""
    file = tmp_path / "test_orders.py"
    file.write_text(
        "import pytest\nfrom marks import *\n@slow_mark\n@pytest.mark.unit\n@pytest.mark.parametrize('a', more())\n"
        "def test_one(a): ...\nfor each in ():\n    pytest.mark.slow(each)\n",
        encoding="utf-8",
    )
    modules = [parse_module(file, tmp_path, CollectionRules(), explains=explains) for explains in (True, False)]
    told, silent = (each.module for each in modules if isinstance(each, ParsedModule))
    assert len(told.unread) == 1
    assert len(told.tests[0].unread) > 1
    assert silent == replace(told, unread=(), tests=(replace(told.tests[0], unread=()),))


def test_a_file_that_is_no_python(tmp_path: Path) -> None:
    """A file that can't be parsed or decoded is a problem with its line; the others are read."""
    (tmp_path / "test_broken.py").write_text("def test_one(): ...\n\ndef test_two(:\n", encoding="utf-8")
    (tmp_path / "test_latin.py").write_bytes(b"# coding: utf-8\nname = '\xe9'\n")
    (tmp_path / "test_null.py").write_bytes(b"name = '\x00'\n")
    (tmp_path / "test_fine.py").write_text("def test_one(): ...\n", encoding="utf-8")
    suite = read_suite([tmp_path], tmp_path)
    assert node_ids(suite) == {"test_fine.py::test_one"}
    assert [(problem.path, problem.line) for problem in suite.problems] == [
        ("test_broken.py", 3),
        ("test_latin.py", 2),
        ("test_null.py", 1),
    ]
    assert str(suite.problems[0]) == "test_broken.py:3: invalid syntax"


def test_a_named_file_needs_no_pattern(tmp_path: Path) -> None:
    """A file is read whatever its name where it is named itself; below a folder its name counts."""
    file = tmp_path / "orders.py"
    file.write_text("def test_one(): ...\n", encoding="utf-8")
    assert node_ids(read_suite([file], tmp_path)) == {"orders.py::test_one"}
    assert node_ids(read_suite([tmp_path], tmp_path)) == set()
    assert node_ids(read_suite([file, tmp_path, file], tmp_path)) == {"orders.py::test_one"}


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    """Every path that is missing is named, not only the first."""
    with pytest.raises(NoSuchPathError, match=r"no such file or folder: .*one, .*two"):
        read_suite([tmp_path / "one", tmp_path / "two"], tmp_path)


def test_paths_that_are_no_text(tmp_path: Path) -> None:
    """A test's file whose name is no text is named as that; a file that is no test is left out for it."""
    (tmp_path / "test_one.py").write_text("def test_one(): ...\n", encoding="utf-8")
    for name in (b"caf\xe9.py", b"test_\xe9.py"):
        try:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
        except OSError:
            pytest.skip("the names of files are text here")
    with pytest.raises(PathNameError, match=r"rename '[^']*/test_\\udce9\.py'$"):
        read_suite([tmp_path], tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/test_\xe9.py")).unlink()
    assert node_ids(read_suite([tmp_path], tmp_path)) == {"test_one.py::test_one"}


def test_many_files_are_read_in_order(tmp_path: Path) -> None:
    """More files than one process reads come in the order of their paths too."""
    names = [f"test_{number:03}.py" for number in range(60)]
    for name in reversed(names):
        (tmp_path / name).write_text("def test_one(): ...\n", encoding="utf-8")
    suite = read_suite([tmp_path], tmp_path)
    assert [module.relative for module in suite.modules] == names
    assert len(list(suite.tests)) == 60


@pytest.mark.parametrize("text", ["[tool.pytest\n", "[tool]\npytest = 1\n", "[tool.pytest]\nini_options = 3\n"])
def test_configuration_that_makes_no_sense(text: str, tmp_path: Path) -> None:
    """What can't be read of pytest's configuration leaves pytest's defaults, as it is not ours to judge."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert read_collection_rules(tmp_path).python_files == ("test_*.py", "*_test.py")


VALUES = """
import pytest

class TestOrders:
    @pytest.mark.requirement("REQ-001", ["REQ-002", ("REQ-003", 4)], level=2, total=1.5, wide=None, here=unknown(7))
    @pytest.mark.codes(b"pen", 3j, ..., True, "\\ud83d")
    def test_total(self):
        "Orders have a total."
"""


def test_cache_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from the cache is what was read, values of all kinds and problems too; no file is parsed again."""
    tests, folder = tmp_path / "tests", tmp_path / "cache"
    tests.mkdir()
    (tests / "test_orders.py").write_text(VALUES, encoding="utf-8")
    (tests / "test_broken.py").write_text("def test_one(:\n", encoding="utf-8")
    first = read_suite([tests], tmp_path, folder)
    assert first == read_suite([tests], tmp_path)
    monkeypatch.setattr("floe_testing.suite.reading.parse_module", None)
    again = read_suite([tests], tmp_path, folder)
    assert again == first
    assert [repr(test) for test in again.tests] == [repr(test) for test in first.tests]


def test_cache_notices_changes(tmp_path: Path) -> None:
    """A file that changed is read again, a new one is read, and one that is gone is not there."""
    tests, folder = tmp_path / "tests", tmp_path / "cache"
    tests.mkdir()
    (tests / "test_a.py").write_text("def test_one(): ...\n", encoding="utf-8")
    (tests / "test_b.py").write_text("def test_one(): ...\n", encoding="utf-8")
    read_suite([tests], tmp_path, folder)
    (tests / "test_a.py").write_text("def test_two(): ...\n", encoding="utf-8")
    (tests / "test_b.py").rename(tests / "test_c.py")
    expected = {"tests/test_a.py::test_two", "tests/test_c.py::test_one"}
    assert node_ids(read_suite([tests], tmp_path, folder)) == expected
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_functions = check_*\n", encoding="utf-8")
    assert node_ids(read_suite([tests], tmp_path, folder)) == set()


NEWER = """
type Total[T: int] = list[T]
def make[
    T, *Ts
](one: T) -> T: ...
class Order[T](dict): ...
text = f"{names["a"]} {"\\n".join(names)}"
more = t"hello {text}"

def test_one[T = int](shop):
    try:
        assert shop.open == 1
    except ValueError, KeyError:
        raise
    try: ...
    except* OSError, TypeError: ...
"""


def test_a_syntax_newer_than_this_python(tmp_path: Path) -> None:
    """Parameters of types, templates and errors without brackets are read whatever Python reads them, line by line."""
    (tmp_path / "test_orders.py").write_text(NEWER, encoding="utf-8")
    suite = read_suite([tmp_path], tmp_path)
    assert suite.problems == ()
    assert [(test.node_id, test.line) for test in suite.tests] == [("test_orders.py::test_one", 10)]


@pytest.mark.parametrize("code", ["-" * 50_000 + "1", "(" * 5_000 + ")" * 5_000])
def test_nested_too_deeply(code: str, tmp_path: Path) -> None:
    """A module that is nested deeper than any person writes is a problem, and no crash."""
    (tmp_path / "test_orders.py").write_text(f"def test_one():\n    assert {code}\n", encoding="utf-8")
    (problem,) = read_suite([tmp_path], tmp_path).problems
    assert problem.path == "test_orders.py"


def test_a_link_to_a_module(tmp_path: Path) -> None:
    """A link to a module is that module, once, whether it is found by its own name or by that of its folder."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "test_orders.py").write_text("def test_one(): ...\n", encoding="utf-8")
    (tmp_path / "test_link.py").symlink_to(tmp_path / "own" / "test_orders.py")
    (tmp_path / "folder").symlink_to(tmp_path / "own")
    for paths in ([tmp_path], [tmp_path / "folder"], [tmp_path / "test_link.py"]):
        assert node_ids(read_suite(paths, tmp_path)) == {"own/test_orders.py::test_one"}


def test_a_link_that_leads_to_itself(tmp_path: Path) -> None:
    """A link in a circle is a problem with its name, in a folder and where it is named; the others are read."""
    (tmp_path / "test_orders.py").write_text("def test_one(): ...\n", encoding="utf-8")
    link = tmp_path / "test_link.py"
    link.symlink_to(link)
    for paths in ([tmp_path], [tmp_path / "test_orders.py", link]):
        suite = read_suite(paths, tmp_path)
        assert node_ids(suite) == {"test_orders.py::test_one"}
        assert [problem.path for problem in suite.problems] == ["test_link.py"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("manage.py", ""),
        ("tests/runtests.py", ""),
        ("pyproject.toml", '[project]\nname = "shop"\ndependencies = ["Django>=4.2"]\n'),
    ],
)
def test_django_layout(file: str, text: str, tmp_path: Path) -> None:
    """Where Django's own runner is used its pattern counts; not for an extension of it, nor where pytest is told."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "tests.py").write_text("def test_one(): ...\n", encoding="utf-8")
    assert node_ids(read_suite([tmp_path], tmp_path)) == set()
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert node_ids(read_suite([tmp_path], tmp_path)) == {"tests/tests.py::test_one"}
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\n", encoding="utf-8")
    assert node_ids(read_suite([tmp_path], tmp_path)) == set()
    (tmp_path / file).write_text(text.replace("Django", "django-filter"), encoding="utf-8")
