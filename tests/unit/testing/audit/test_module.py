"""What rules see of a module."""

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from floe_testing.audit.module import Module
from floe_testing.suite.collection import CollectionRules
from floe_testing.suite.reading import ParsedModule, parse_module


def look(tmp_path: Path, code: str, tier: str = "", default_tier: str = "") -> Module:
    """Return a module of this source."""
    file = tmp_path / "test_orders.py"
    file.write_text(dedent(code), encoding="utf-8")
    parsed = parse_module(file, tmp_path, CollectionRules())
    assert isinstance(parsed, ParsedModule)
    return Module(parsed, tier, default_tier)


def test_kinds_of_functions(tmp_path: Path) -> None:
    """Tests, fixtures, set-ups and helpers are told apart, with the names of the classes they are in."""
    module = look(
        tmp_path,
        """
        import pytest

        @pytest.fixture(scope="module")
        def orders(): ...
        def helper(): ...
        class TestOrders:
            def setup_method(self): ...
            def test_total(self): ...
            class Inner:
                def own(self): ...
        """,
    )
    assert [(function.symbol, function.kind) for function in module.functions] == [
        ("orders", "fixture"),
        ("helper", "helper"),
        ("TestOrders.setup_method", "setup"),
        ("TestOrders.test_total", "test"),
        ("TestOrders.Inner.own", "helper"),
    ]
    assert list(module.classes) == ["TestOrders", "Inner"]


def test_whole_names_of_calls(tmp_path: Path) -> None:
    """A call has the whole name behind imports and aliases; a parameter hides an import, and a value has no name."""
    module = look(
        tmp_path,
        """
        import os.path
        import time as clock
        from unittest import mock
        from . import helpers

        nap = clock.sleep

        def test_a(mock_bus, clock):
            import json
            os.path.join("a")
            mock.patch("a")
            nap(1)
            clock.sleep(1)
            json.loads("1").get("a")
            helpers.go()
            unknown()
        """,
    )
    (function,) = module.functions
    assert [call.name for call in function.calls] == [
        *("os.path.join", "unittest.mock.patch", "time.sleep", "$clock.sleep", ".get", "json.loads"),
        *("..helpers.go", "unknown"),
    ]


def test_functions_inside_functions(tmp_path: Path) -> None:
    """What a function inside a test does is the test's, and known to run only when that does."""
    module = look(
        tmp_path,
        """
        def test_a():
            def inner():
                assert one()
            later = lambda: two()
            assert three()
        """,
    )
    (function,) = module.functions
    assert [(call.name, call.nested) for call in function.calls] == [("one", True), ("two", True), ("three", False)]
    assert len(function.own(ast.Assert)) == 1
    assert len(function.all(ast.Assert)) == 2


def test_what_stands_outside_of_functions(tmp_path: Path) -> None:
    """Statements of the module and of class bodies belong to no function."""
    module = look(tmp_path, "setup()\nclass TestA:\n    state = new()\n    def test_a(self):\n        assert run()\n")
    assert [call.name for call in module.top.calls] == ["setup", "new"]
    assert module.function_at(3) is module.top
    assert module.function_at(5).symbol == "TestA.test_a"


@pytest.mark.parametrize(
    ("tier", "default", "expected"), [("unit", "e2e", "unit"), ("", "unit", "integration"), ("", "", "integration")]
)
def test_tier_of_folder_marker_and_default(tier: str, default: str, expected: str, tmp_path: Path) -> None:
    """The folder tells the tier before the marker, and the marker before the default."""
    module = look(
        tmp_path,
        "import pytest\n@pytest.mark.integration\ndef test_a(): ...\ndef test_b(): ...\n",
        tier,
        default,
    )
    marked, unmarked = module.functions
    assert module.tier_of(marked) == expected
    assert module.tier_of(unmarked) == (tier or default)


def test_remarks(tmp_path: Path) -> None:
    """What a person wrote of a function is its name, its docstring and the comments in it, and nobody else's."""
    module = look(
        tmp_path,
        '''
        # before
        def test_Total():
            """Sums up."""
            name = "# no comment"  # Within
        # after
        ''',
    )
    (function,) = module.functions
    assert module.remarks(function).splitlines() == ["test_total", "# before", "sums up.", "# within"]


def test_texts(tmp_path: Path) -> None:
    """A function's texts are all that stand in it: in decorators, defaults, annotations and functions inside it too."""
    module = look(
        tmp_path,
        """
        @named("a")
        def test_total(shop: "b" = "c", *, more: list["d"]) -> "e":
            "f"
            def inner(): return f"g{shop}"
            return {"h": inner, 7: b"no"}
        OTHER = "no"
        """,
    )
    (function,) = module.functions
    assert sorted(function.texts) == ["a", "b", "c", "d", "e", "f", "g", "h"]


def test_functions_of_a_class(tmp_path: Path) -> None:
    """A class has its own functions and those of classes inside it, and none of a class whose name begins alike."""
    module = look(
        tmp_path,
        """
        class Shop:
            def open(self): ...
            class Till:
                def count(self): ...
        class Shopper:
            def buy(self): ...
        """,
    )
    assert [each.symbol for each in module.functions_in("Shop")] == ["Shop.open", "Shop.Till.count"]
    assert [each.symbol for each in module.functions_in("Shop.Till")] == ["Shop.Till.count"]
    assert list(module.functions_in("")) == []


def test_every_kind_of_node_is_walked(tmp_path: Path) -> None:
    """Whatever the syntax has, constants that are no nodes among it, is walked: a pattern of `True`, say."""
    module = look(
        tmp_path,
        """
        async def test_a(shop):
            match shop.total():
                case True | None | -1 | 1.5 | 1j | b"x":
                    assert shop.open
                case {"a": 1, **rest} | [1, *rest]:
                    assert rest
                case Order(x=1, y=False) as order:
                    assert order
            async with shop as first, shop:
                found = [each async for each in first if (name := each)]
            try:
                del found[1:2, ...]
            except* ValueError:
                lambda a, /, b, *c, d=1, **e: f"{a!r:>{10}}"
        """,
    )
    assert [function.name for function in module.functions] == ["test_a"]
    assert len(list(module.functions[0].all(ast.Assert))) == 3
