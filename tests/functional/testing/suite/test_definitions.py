"""The modules of a repository that imports lead to."""

import ast
import pickle
from pathlib import Path

import pytest

from floe_testing.suite.definitions import Modules


def write(file: Path, text: str = "") -> Path:
    """Write a file, and the folders that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("level", "names", "expected"),
    [
        (0, "orders.stores.Store", ("src/orders/stores.py", ("Store",))),
        (0, "orders.Order", ("src/orders/__init__.py", ("Order",))),
        (0, "helpers.shop.open", ("tests/unit/helpers/shop.py", ("open",))),
        (0, "helpers", ("tests/unit/helpers/__init__.py", ())),
        (1, "helpers.shop", ("tests/unit/helpers/shop.py", ())),
        (2, "support.orders", ("tests/support.py", ("orders",))),
        (1, "support.orders", None),
        (0, "test_orders.Order", ("test_orders.py", ("Order",))),
        (0, "billing.Invoice", ("billing/src/billing.py", ("Invoice",))),
        (0, "json.loads", None),
        (9, "json.loads", None),
    ],
)
def test_what_an_import_means(
    level: int, names: str, expected: tuple[str, tuple[str, ...]] | None, tmp_path: Path
) -> None:
    """An import means the nearest module with the most of its names, of `src` or a workspace's package at last."""
    for file in ("src/orders/__init__.py", "src/orders/stores.py", "tests/support.py", "tests/unit/helpers/shop.py"):
        write(tmp_path / file)
    for file in ("tests/unit/helpers/__init__.py", "test_orders.py", "billing/src/billing.py"):
        write(tmp_path / file)
    by = write(tmp_path / "tests/unit/test_orders.py")
    found = Modules(tmp_path).imported(by, level, names.split("."))
    assert found == (None if expected is None else (tmp_path / expected[0], expected[1]))


def test_each_is_read_once(tmp_path: Path) -> None:
    """A module stays what it was when it was first read, for those who ask the same; others see what it is now."""
    file = write(tmp_path / "shop.py", "LIMIT = 7\n")
    modules = Modules(tmp_path)
    first = (modules.read(file), modules.text(file), modules.digest(file))
    write(file, "OTHER = 7\n")
    assert (modules.read(file), modules.text(file), modules.digest(file)) == first
    read = Modules(tmp_path).read(file)
    assert read is not None
    assert list(read[0].constants) == ["OTHER"]


def test_a_process_keeps_what_it_has_read(tmp_path: Path) -> None:
    """Whatever parts of a suite a process is handed, it has the same modules, and not those of who hands them out."""
    modules = Modules(tmp_path)
    first, second = (pickle.loads(pickle.dumps(modules)) for _ in range(2))  # noqa: S301 - what was just written
    assert first is second
    assert first is not modules
    assert first.root == tmp_path


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def test_a(self): self.assertEqual(1, 1)", True),
        ("def test_a(self):\n        if self: self.assertIn(1, [1])", True),
        ("def assertOpen(self): ...\n    def test_a(self): self.assertOpen()", False),
        ("def test_a(self): self.asserted()", False),
        ("def test_a(self): shop.assertOpen()", False),
    ],
)
def test_classes_that_assert_as_a_test_case(code: str, expected: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """A class that calls assertions of `unittest` on itself, which it does not define, is one of test cases."""
    (node,) = ast.parse(f"class TestOrders(Base):\n    {code}\n").body
    assert isinstance(node, ast.ClassDef)
    modules = Modules(tmp_path)
    assert modules.of_class(node).asserts_as_test_case is expected
    assert modules.of_class(node) is modules.of_class(node)
