"""What rules find by the tier of a test, and by what stands in other modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Repository

BODY = (
    "def build(shop):\n    order = shop.new(7)\n    for line in shop.lines():\n"
    "        order.add(line, 3)\n    shop.save(order)\n    return order\n"
)
"""A helper that is large enough to be a copy."""


@pytest.mark.parametrize(
    ("tier", "code", "expected"),
    [
        (
            "integration",
            (
                "from unittest.mock import patch\ndef test_a(db):\n"
                "    with patch('shop.Client'):\n        assert place(db) == 1\n"
            ),
            [("FT102", 3)],
        ),
        (
            "integration",
            (
                "from unittest.mock import patch\ndef test_a(db):\n"
                "    with patch('shop.Client', wraps=Client):\n        assert place(db) == 1\n"
            ),
            [],
        ),
        (
            "integration",
            (
                "from unittest.mock import patch\ndef test_a(db):\n"
                "    with patch('shop.style', 'qmark'):\n        assert place(db) == 1\n"
            ),
            [],
        ),
        (
            "integration",
            (
                "from unittest.mock import patch\ndef test_a(db):\n"
                "    with patch.object(db, 'client', object()):\n        assert place(db) == 1\n"
            ),
            [("FT102", 3)],
        ),
        (
            "unit",
            (
                "from unittest.mock import patch\ndef test_a(db):\n"
                "    with patch('shop.Client'):\n        assert place(db) == 1\n"
            ),
            [],
        ),
        (
            "unit",
            "import redis\ndef test_a():\n    assert redis.from_url('redis://cache:6379').get('a') == b'1'\n",
            [("FT501", 3)],
        ),
        (
            "integration",
            "import redis\ndef test_a(x):\n    assert redis.from_url('redis://cache:6379').get('a') == b'1'\n",
            [],
        ),
    ],
)
def test_what_depends_on_the_tier(
    tier: str, code: str, expected: list[tuple[str, int]], repository: Repository
) -> None:
    """Mocks count in the upper tiers, and the network in the unit tier."""
    assert repository.found(code, f"tests/{tier}/test_orders.py") == expected


def test_configuration_in_a_fixture_and_a_test(repository: Repository) -> None:
    """The address in `conftest.py` and in a test is one too many; in one file alone, it may stand twice."""
    repository.write("tests/conftest.py", "import os\nHOST = os.environ.get('DB_HOST', 'localhost')\n")
    code = "import os\ndef test_a(db):\n    assert db.at(os.environ.get('DB_HOST', 'localhost')) == 1\n"
    assert repository.found(code, "tests/integration/test_orders.py") == [("FT601", 3)]
    repository.write("tests/conftest.py", "")
    assert repository.found(code + code.replace("test_a", "test_b"), "tests/integration/test_orders.py") == []


def test_a_conftest_that_puts_the_environment_back(repository: Repository) -> None:
    """What a fixture of a `conftest.py` above keeps in order is in order."""
    code = "import os\ndef test_a():\n    os.environ['A'] = '1'\n    assert place(1) == 1\n"
    assert repository.found(code) == [("FT802", 3)]
    repository.write(
        "tests/conftest.py",
        """
        import os
        import pytest

        @pytest.fixture(autouse=True)
        def environment():
            before = dict(os.environ)
            yield
            os.environ.clear()
            os.environ.update(before)
        """,
    )
    assert repository.found(code) == []


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("tests/test_shop.py", "tests/test_asyncio/test_shop.py", 0),
        ("tests/shop.py", "tests/asynchronous/shop.py", 0),
        ("tests/test_shop.py", "tests/test_asyncio/test_bills.py", 1),
        ("tests/a/test_shop.py", "tests/b/test_shop.py", 1),
    ],
)
def test_twins(one: str, other: str, count: int, repository: Repository) -> None:
    """The synchronous and the asynchronous side of a suite are alike by design; other copies are none of that."""
    repository.write("tests/test_a.py", "def test_a(shop):\n    assert shop.open == 1\n")
    repository.write("tests/asynchronous/test_a.py", "def test_a(shop):\n    assert shop.open == 1\n")
    for path in (one, other):
        repository.write(path, BODY)
    assert len(repository.audit().findings) == count


def test_generated_copies_are_nobody_s_to_mend(repository: Repository) -> None:
    """A module that says it was generated is no copy."""
    repository.write("tests/unit/test_a.py", BODY)
    repository.write("tests/unit/test_b.py", "# generated from test_a.py\n" + BODY)
    assert repository.audit().findings == ()
    repository.write("tests/unit/test_b.py", BODY.replace("order", "it"))
    (finding,) = repository.audit().findings
    assert (finding.rule, finding.path, finding.message) == (
        *("FT602", "tests/unit/test_b.py"),
        "build is a copy of what is in tests/unit/test_a.py:1",
    )
