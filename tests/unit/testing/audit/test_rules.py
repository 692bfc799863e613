"""Each rule finds its bad examples, and not its good ones."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from floe_testing.audit.model import Severity
from floe_testing.audit.registry import all_rules
from floe_testing.audit.rules import BUILT_IN

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository

    from floe_testing.audit.model import Example

RULES = {rule.id: rule for rule in all_rules()}
BAD = [(key, example) for key, rule in RULES.items() for example in rule.bad]
ARGUABLE = [(key, example) for key, rule in RULES.items() for example in rule.arguable]
GOOD = [(key, example) for key, rule in RULES.items() for example in rule.good]


@pytest.mark.parametrize(("key", "example"), BAD, ids=[key for key, _ in BAD])
def test_bad_example(key: str, example: Example, repository: Repository) -> None:
    """A rule finds what its bad example shows, with its severity, in a file of the example or in `pyproject.toml`."""
    findings = [finding for finding in repository.example(example).findings if finding.rule == key]
    assert findings
    assert {finding.severity for finding in findings} == {RULES[key].severity}
    assert {finding.path for finding in findings} <= {example.path, *example.others, "pyproject.toml"}


@pytest.mark.parametrize(("key", "example"), ARGUABLE, ids=[key for key, _ in ARGUABLE])
def test_arguable_example(key: str, example: Example, repository: Repository) -> None:
    """What a rule calls arguable it finds as a note, though it is about errors or warnings otherwise."""
    findings = [finding for finding in repository.example(example).findings if finding.rule == key]
    assert {finding.severity for finding in findings} == {Severity.NOTE}
    assert RULES[key].severity is not Severity.NOTE


@pytest.mark.parametrize(("key", "example"), GOOD, ids=[key for key, _ in GOOD])
def test_good_example(key: str, example: Example, repository: Repository) -> None:
    """No rule at all finds anything in a good example of any."""
    assert [(finding.rule, finding.message) for finding in repository.example(example).findings] == [], key


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_rule_documents_itself(rule: object) -> None:
    """A rule has an id, a name, a reason in full sentences, and examples of both kinds that are Python."""
    kind = RULES[rule.id]  # type: ignore[attr-defined]  # a rule
    assert kind.id.startswith("FT")
    assert len(kind.id) == 5
    assert kind.name == kind.name.lower().replace(" ", "-")
    assert kind.reason.endswith(".")
    assert kind.severity in Severity
    assert kind.bad
    assert kind.good
    for example in (*kind.bad, *kind.arguable, *kind.good):
        assert ast.parse(example.text).body


def test_names_and_ids_are_each_one_rule_s() -> None:
    """No two rules share an id or a name."""
    assert len({rule.id for rule in BUILT_IN}) == len({rule.name for rule in BUILT_IN}) == len(BUILT_IN)


MORE = {
    "FT101 except that notes the absence": (
        "try:\n    import orders\nexcept ImportError:\n    HAS = False\n    orders = Mock()\n",
        [],
    ),
    "FT101 look-up in a container": (
        "def helper(cache):\n    try:\n        return cache[1]\n    except KeyError:\n        return MagicMock()\n",
        [],
    ),
    "FT201 says that nothing is raised": ("def test_a(order):\n    # must not raise\n    order.total()\n", []),
    "FT201 checks by a mock": (
        "def test_a(order, bus):\n    order.total()\n    bus.send.assert_called_once_with(7)\n",
        [],
    ),
    "FT201 checks by raises": (
        "import pytest\ndef test_a(order):\n    with pytest.raises(ValueError):\n        order.total()\n",
        [],
    ),
    "FT201 checks by a method of the class": (
        "class TestA:\n    def right(self, x):\n        assert x == 1\n    def test_a(self):\n        self.right(1)\n",
        [],
    ),
    "FT201 a method that checks nothing": (
        "class TestA:\n    def total(self, x):\n        return x\n    def test_a(self):\n        self.total(1)\n",
        [("FT201", 4)],
    ),
    "FT201 a helper from beside": ("from .helpers import compare_all\ndef test_a():\n    compare_all(1)\n", []),
    "FT201 a mock alone is no check": (
        "from unittest.mock import Mock\ndef test_a():\n    total(Mock())\n",
        [("FT201", 2)],
    ),
    "FT201 a fixture that checks": ("def test_a(check_no_leaks):\n    place(7)\n", []),
    "FT201 raises something of its own": (
        "def test_a(orders):\n    if orders.open():\n        raise RuntimeError('open')\n",
        [],
    ),
    "FT201 a helper that leaves it to one from elsewhere": (
        (
            "from shop.testing import same_text\nclass TestA:\n    def right(self, x):\n        same_text(x, 'a')\n"
            "    def test_a(self):\n        self.right(1)\n"
        ),
        [],
    ),
    "FT201 skipped": ("import pytest\n@pytest.mark.skip(reason='no')\ndef test_a():\n    place(7)\n", []),
    "FT201 only imports": ("def test_a():\n    import orders\n", []),
    "FT201 imports and runs": ("def test_a():\n    import orders\n    orders.total(7)\n", [("FT201", 1)]),
    "FT201 a thread that checks": (
        (
            "import threading\nclass Go(threading.Thread):\n    def run(self):\n        assert place(7) == 1\n"
            "def test_a():\n    Go().start()\n"
        ),
        [],
    ),
    "FT201 a helper's object": (
        (
            "from .helpers import Shop\nclass TestA:\n    def setup_method(self):\n        self.shop = Shop()\n"
            "    def test_a(self):\n        self.shop.buy(7)\n"
        ),
        [],
    ),
    "FT201 an object of the code under test": (
        (
            "from shop import Shop\nclass TestA:\n    def setup_method(self):\n        self.shop = Shop()\n"
            "    def test_a(self):\n        self.shop.total(7)\n"
        ),
        [("FT201", 5)],
    ),
    "FT202 a key that is there": ("def test_a(event):\n    at = event.get('at')\n    assert at is not None\n", []),
    "FT202 a flag": (
        (
            "def test_a():\n    called = False\n    def go():\n        nonlocal called\n"
            "        called = True\n    run(go)\n    assert called\n"
        ),
        [],
    ),
    "FT202 not None, and more": (
        "def test_a():\n    order = Order(7)\n    assert order is not None\n    assert order.total == 7\n",
        [],
    ),
    "FT202 a look-up": ("def test_a(orders):\n    assert orders.find(7) is not None\n", []),
    "FT202 a pattern": ("import re\ndef test_a(text):\n    assert re.match('a', text) is not None\n", []),
    "FT202 starts as None": (
        "def test_a(orders):\n    seen = None\n    for seen in orders:\n        pass\n    assert seen is not None\n",
        [],
    ),
    "FT202 unittest": (
        "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        self.assertIsNotNone(load(7))\n",
        [("FT202", 4)],
    ),
    "FT203 two lengths": ("def test_a(orders):\n    found = orders.open()\n    assert len(found) == len(orders)\n", []),
    "FT201 a bug that is named": ("def test_a():\n    # see https://shop.example/issues/7\n    place(7)\n", []),
    "FT201 says so at its end": (
        "def test_a():\n    place(7)\n    # no errors is enough\n\ndef test_b(place):\n    assert place(7) == 1\n",
        [],
    ),
    "FT201 said of what follows": (
        "def test_a():\n    total(7)\n\n# no errors is enough\ndef test_b(place):\n    assert place(7) == 1\n",
        [("FT201", 1)],
    ),
    "FT201 defines and calls": (
        "def test_a():\n    @command('place')\n    def place():\n        return 7\n    total(place)\n",
        [("FT201", 1)],
    ),
    "FT201 opens something": ("def test_a(shop):\n    with shop.login('ada'):\n        pass\n", []),
    "FT201 opens something and closes it": (
        "def test_a(shop):\n    page = shop.login('ada')\n    page.close()\n",
        [],
    ),
    "FT201 opens something and asks another": (
        "def test_a(shop):\n    page = shop.page('ada')\n    shop.count()\n",
        [("FT201", 1)],
    ),
    "FT201 opens something and uses it": (
        "def test_a(shop):\n    with shop.login('ada') as page:\n        page.count()\n",
        [("FT201", 1)],
    ),
    "FT702 fails unless it returns": (
        "import pytest\ndef test_a():\n    if place(7):\n        return\n    pytest.fail('not placed')\n",
        [],
    ),
    "FT203 a name that speaks of a number": (
        "def test_replicas_are_capped():\n    found = replicas(3)\n    assert len(found) == 2\n",
        [],
    ),
    "FT203 a constructed thing": ("def test_a():\n    orders = Orders(1)\n    assert len(orders) == 2\n", []),
    "FT204 one of two outcomes": (
        (
            "def test_a():\n    try:\n        place(-1)\n"
            "        assert False\n    except ValueError:\n        assert True\n"
        ),
        [],
    ),
    "FT204 one of two outcomes of unittest's": (
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        try:\n            place(-1)\n"
            "        except ValueError:\n            self.assertTrue(True)\n"
            "        else:\n            self.assertTrue(False)\n"
        ),
        [],
    ),
    "FT204 the only outcome of unittest's": (
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        try:\n            place(-1)\n"
            "        finally:\n            self.assertTrue(True)\n"
        ),
        [("FT204", 7)],
    ),
    "FT204 or": ("def test_a(x):\n    assert x == 1 or {'a': 2}\n", [("FT204", 2)]),
    "FT204 two constants": ("def test_a():\n    assert 1 == 1\n", [("FT204", 2)]),
    "FT205 a tuple": (
        "import pytest\ndef test_a():\n    with pytest.raises((ValueError, Exception)):\n        place(-1)\n",
        [("FT205", 3)],
    ),
    "FT205 the error is looked at": (
        (
            "import pytest\ndef test_a():\n    with pytest.raises(Exception) as caught:\n"
            "        place(-1)\n    assert caught.value.code == 3\n"
        ),
        [],
    ),
    "FT205 a mock that raises it": (
        (
            "import pytest\ndef test_a(bus):\n    bus.send.side_effect = Exception\n"
            "    with pytest.raises(Exception):\n        place(-1)\n"
        ),
        [],
    ),
    "FT206 another look follows": (
        (
            "def test_a():\n    for _ in range(9):\n        try:\n            assert place(1) == 1\n"
            "            break\n        except AssertionError:\n            pass\n"
        ),
        [],
    ),
    "FT207 warns": (
        (
            "import pytest\ndef test_a():\n    with pytest.warns(UserWarning) as caught:\n"
            "        place(-1)\n        assert caught[0].lineno == 1\n"
        ),
        [],
    ),
    "FT209 checks in the end": (
        (
            "def test_a(order):\n    try:\n        order.pay()\n    except PaidError as error:\n"
            "        assert 'paid' in str(error)\n    finally:\n        assert order.paid\n"
        ),
        [],
    ),
    "FT209 an import that fails": (
        (
            "def test_a():\n    try:\n        import no_such_shop\n    except ImportError as error:\n"
            "        assert told(error) == 'no shop'\n"
        ),
        [],
    ),
    "FT209 an import from beside": (
        (
            "def test_a():\n    try:\n        from . import optional\n    except ImportError as error:\n"
            "        assert told(error) == 'no shop'\n"
        ),
        [],
    ),
    "FT209 a name that can't be imported": (
        (
            "def test_a():\n    try:\n        from shop import missing\n    except ImportError as error:\n"
            "        assert told(error) == 'no shop'\n"
        ),
        [],
    ),
    "FT209 a call with a switch": (
        (
            "def test_a(run):\n    try:\n        run('pay', expect_errors=True)\n    except PaidError as error:\n"
            "        assert 'paid' in str(error)\n"
        ),
        [("FT209", 5)],
    ),
    "FT207 a failure of pytest's": (
        (
            "import pytest\nfrom _pytest.outcomes import Failed\ndef test_a(bus):\n"
            "    with pytest.raises((Failed, pytest.fail.Exception)):\n        place(7)\n"
            "        bus.assert_called_once()\n"
        ),
        [],
    ),
    "FT207 a class called like a failure of pytest's": (
        (
            "import pytest\nfrom shop import Failed\ndef test_a(bus):\n    with pytest.raises(Failed):\n"
            "        place(7)\n        bus.assert_called_once()\n"
        ),
        [("FT207", 6)],
    ),
    "FT209 a division by zero": (
        (
            "def test_a():\n    try:\n        1 / 0\n    except ZeroDivisionError as error:\n"
            "        assert told(error) == 'by zero'\n"
        ),
        [],
    ),
    "FT702 a comment above checks on one platform": (
        (
            "import sys\ndef test_a():\n    place(7)\n    # other systems have no locks to be seen\n"
            "    if sys.platform == 'linux':\n        assert locks() == 1\n"
        ),
        [],
    ),
    "FT209 a call that is told what to expect": (
        (
            "def test_a(run):\n    try:\n        run('pay', expected_code=2)\n    except PaidError as error:\n"
            "        assert 'paid' in str(error)\n"
        ),
        [],
    ),
    "FT207 an assertion of unittest that is to fail": (
        (
            "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n"
            "        with self.assertRaises(self.failureException):\n            place(7)\n"
            "            bus.assert_called_once()\n        self.assertEqual(total(), 7)\n"
        ),
        [],
    ),
    "FT208 a spy of another package": (
        "import kgb\ndef test_a(spy):\n    place(7)\n    assert spy.called_with(7)\n",
        [],
    ),
    "FT208 a spy of its own": (
        (
            "class Spy:\n    def called_with(self, number):\n        return number in self.numbers\n"
            "def test_a(spy):\n    place(7)\n    assert spy.called_with(7)\n    spy.called_with(7)\n"
        ),
        [],
    ),
    "FT208 an order": ("def test_a(a, b):\n    a < b\n    assert a == b\n", []),
    "FT208 operators are tried": ("def test_a(a, b):\n    a==b; b==a; a!=b\n    assert a.kind == 1\n", []),
    "FT208 two on a line": (
        "def test_a(a, b):\n    a==b; b==a\n    assert a.kind == 1\n",
        [("FT208", 2), ("FT208", 2)],
    ),
    "FT208 an expectation that checks": ("def test_a(a):\n    expect(a.total) == 1\n    a.total.should == 1\n", []),
    "FT208 a call that checks nothing": (
        "def test_a(a):\n    total(a) == 1\n    a.total == 1\n",
        [("FT208", 2), ("FT208", 3)],
    ),
    "FT210 sets of parameters": (
        (
            "from parameterized import parameterized\nclass TestA:\n    @parameterized.expand(ORDERS)\n"
            "    def test_a(self, order):\n        assert order.total == 1\n"
            "    @parameterized.expand(REFUSED)\n    def test_a(self, order):\n        assert order.total == 0\n"
        ),
        [],
    ),
    "FT208 isinstance": ("def test_a(a):\n    isinstance(a, int)\n    assert a == 1\n", [("FT208", 2)]),
    "FT301 the mock is looked at": (
        (
            "from unittest.mock import Mock\ndef test_a():\n    publisher = Mock()\n"
            "    assert place(publisher) == 1\n    assert publisher.call_args.args == (1,)\n"
        ),
        [],
    ),
    "FT401 zero": (
        "import asyncio\nasync def test_a(orders):\n    await asyncio.sleep(0)\n    assert orders.open == 1\n",
        [],
    ),
    "FT401 imported by name": (
        "from time import sleep\ndef test_a(orders):\n    sleep(1)\n    assert orders.open == 1\n",
        [("FT401", 3)],
    ),
    "FT401 in a loop that looks at nothing": (
        (
            "import time\ndef test_a():\n    for each in range(3):\n        place(each)\n        time.sleep(1)\n"
            "    assert x == 1\n"
        ),
        [],
    ),
    "FT401 in a loop until something is so": (
        "import time\ndef test_a():\n    while not placed(7):\n        time.sleep(1)\n    assert x == 1\n",
        [],
    ),
    "FT401 a parameter called time": (
        "import time\ndef test_a(time):\n    time.sleep(1)\n    assert time.now == 1\n",
        [],
    ),
    "FT401 to be broken off": (
        (
            "import time\nimport pytest\ndef test_a():\n"
            "    with pytest.raises(KeyboardInterrupt):\n        time.sleep(9)\n"
        ),
        [],
    ),
    "FT401 in a fixture": (
        "import time\nimport pytest\n@pytest.fixture\ndef orders():\n    time.sleep(1)\n    return 1\n",
        [("FT401", 5)],
    ),
    "FT402 at least so long": (
        "import time\ndef test_a():\n    began = time.time()\n    place(1)\n    assert time.time() - began >= 1\n",
        [],
    ),
    "FT402 a time less a number": (
        (
            "import time\ndef test_a():\n    before = time.time() - 1\n    now = place(1).time\n"
            "    assert before <= now\n"
        ),
        [],
    ),
    "FT402 frozen": ("from datetime import date\ndef test_a(freezer):\n    assert place(1).day == date.today()\n", []),
    "FT402 in a name": (
        (
            "import time\ndef test_a():\n    began = time.time()\n"
            "    place(1)\n    took = time.time() - began\n    assert took < 0.5\n"
        ),
        [("FT402", 6)],
    ),
    "FT501 a server of its own": (
        "import httpx\ndef test_a(server):\n    assert httpx.get(server.url).status_code == 200\n",
        [],
    ),
    "FT502 below tmp_path": (
        "def test_a(tmp_path):\n    (tmp_path / 'a').write_text('1')\n    assert read(tmp_path) == 1\n",
        [],
    ),
    "FT701 a condition without a reason": (
        (
            "import sys\nimport pytest\n@pytest.mark.skipif(sys.platform == 'win32')\n"
            "def test_a():\n    assert place(1) == 1\n"
        ),
        [("FT701", 3)],
    ),
    "FT701 of the module": (
        "import pytest\npytestmark = [pytest.mark.skip]\ndef test_a():\n    assert place(1) == 1\n",
        [("FT701", 2)],
    ),
    "FT702 after a check": (
        "def test_a(x):\n    assert x == 1\n    if x:\n        return\n    assert x == 2\n",
        [],
    ),
    "FT801 used once": ("SEEN = []\ndef test_a():\n    SEEN.append(1)\n    assert SEEN == [1]\n", []),
    "FT801 its own name": (
        (
            "SEEN = []\ndef test_a():\n    SEEN = []\n    SEEN.append(1)\n"
            "    assert SEEN == [1]\ndef test_b():\n    assert SEEN == []\n"
        ),
        [],
    ),
    "FT802 put back at the end": (
        (
            "import os\ndef test_a():\n    os.environ['A'] = '1'\n    try:\n"
            "        assert place(1) == 1\n    finally:\n        del os.environ['A']\n"
        ),
        [],
    ),
    "FT802 patched": (
        (
            "import os\nfrom unittest.mock import patch\n@patch.dict(os.environ)\n"
            "def test_a():\n    os.environ['A'] = '1'\n    assert place(1) == 1\n"
        ),
        [],
    ),
    "FT802 saved": (
        (
            "import os\ndef test_a():\n    here = os.getcwd()\n"
            "    os.chdir('/')\n    assert place(1) == 1\n    os.chdir(here)\n"
        ),
        [],
    ),
    "FT803 run first": (
        "import pytest\n@pytest.mark.run(order=1)\ndef test_a():\n    assert place(1) == 1\n",
        [("FT803", 3)],
    ),
}
"""What a rule must and must not find beside its examples: source, and the findings of that rule."""

FORMS: dict[str, tuple[str, int | None]] = {
    "FT101 where a look says that nothing is there": (
        """
        import pytest
        from unittest.mock import MagicMock
        @pytest.fixture
        def store():
            if not server_is_available():
                yield MagicMock()
            else:
                yield Store("db")
        """,
        6,
    ),
    "FT101 by a condition": (
        """
        import shutil
        from unittest.mock import Mock
        from shop import Docker
        docker = Docker() if shutil.which("docker") else Mock()
        """,
        4,
    ),
    "FT101 by a flag of the module": (
        """
        import importlib.util
        from unittest.mock import MagicMock
        HAS_SPARK = importlib.util.find_spec("pyspark") is not None
        if HAS_SPARK:
            import pyspark
        else:
            pyspark = MagicMock()
        """,
        7,
    ),
    "FT101 a mock that is made where the real thing is there": (
        """
        import unittest
        from unittest.mock import Mock
        class A(unittest.TestCase):
            def setUp(self):
                if Curve.is_available():
                    fixed = Mock()
                    patch("shop.Curve", fixed).start()
            def test_a(self):
                self.assertEqual(place(7), 7)
        """,
        None,
    ),
    "FT101 that is asked for": (
        """
        import pytest
        from unittest.mock import Mock
        @pytest.fixture
        def store(request):
            if request.param == "has no server":
                return Mock()
            return Store("db")
        """,
        None,
    ),
    "FT201 a limit of time": (
        """
        import anyio
        async def test_a():
            with anyio.fail_after(1):
                await place(7)
        """,
        None,
    ),
    "FT201 a group of errors": (
        """
        import pytest
        def test_a():
            with pytest.RaisesGroup(ValueError):
                place(7)
        """,
        None,
    ),
    "FT201 says that it does not throw": (
        """
        def test_a():
            "Placing twice does not throw an exception."
            place(7)
        """,
        None,
    ),
    "FT201 says what failed before": (
        """
        def test_a():
            # This fails without the fix of #1234.
            place(7)
        """,
        None,
    ),
    "FT201 names a ticket": (
        """
        def test_a():
            "See ticket #19456"
            place(7)
        """,
        None,
    ),
    "FT201 of a class that is called after a bug": (
        """
        class TestIssue122:
            def test_a(self):
                place(7)
        """,
        None,
    ),
    "FT201 says in a comment above": (
        """
        # must not deadlock
        def test_a():
            place(7)
        """,
        None,
    ),
    "FT201 has a comment about something else": (
        """
        def test_a():
            # Counts an order.
            total(7)
        """,
        1,
    ),
    "FT201 a stand-in that looks at what it gets": (
        """
        def test_a(server):
            run(server.address)
            server.receives("find", 7)
        """,
        None,
    ),
    "FT202 unittest, a call": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                self.assertTrue(find_order())
        """,
        4,
    ),
    "FT202 walrus": (
        """
        def test_a():
            if order := load_order(7):
                pass
            assert (order := load_order(7))
        """,
        4,
    ),
    "FT202 not equal to None": (
        """
        def test_a():
            order = build_order(7)
            assert order != None
        """,
        3,
    ),
    "FT202 not is None": (
        """
        def test_a():
            order = build_order(7)
            assert not order is None
        """,
        3,
    ),
    "FT202 of a built-in type": (
        """
        def test_a():
            order = build_order(7)
            assert order is not None
            assert isinstance(order, list)
        """,
        3,
    ),
    "FT202 unittest, of a type": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                order = load_order(7)
                self.assertIsNotNone(order)
                self.assertIsInstance(order, dict)
        """,
        5,
    ),
    "FT202 a type alone": (
        """
        def test_a():
            assert isinstance(build_order(7), dict)
        """,
        None,
    ),
    "FT203 in a name": (
        """
        def test_a():
            count = len(list_orders())
            assert count == 3
        """,
        3,
    ),
    "FT203 by its method": (
        """
        def test_a():
            orders = list_orders()
            assert orders.__len__() == 3
        """,
        3,
    ),
    "FT203 of a call": (
        """
        def test_a():
            assert len(list_orders()) == 3
        """,
        2,
    ),
    "FT203 unittest": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                found = list_orders()
                self.assertEqual(3, len(found))
        """,
        5,
    ),
    "FT203 a comment says why so many": (
        """
        def test_a():
            found = list_orders()
            # two of January, and the one that was moved
            assert len(found) == 3
        """,
        None,
    ),
    "FT204 itself": (
        """
        def test_a():
            total = sum_up(7)
            assert total == total
        """,
        3,
    ),
    "FT204 itself, unittest": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                order = place(7)
                self.assertEqual(order.total, order.total)
        """,
        5,
    ),
    "FT204 how it compares with itself": (
        """
        def test_equality():
            order = place(7)
            assert order == order
        """,
        None,
    ),
    "FT204 twice the same call": (
        """
        def test_a():
            assert total(7) == total(7)
        """,
        None,
    ),
    "FT204 one or its opposite": (
        """
        def test_a(order):
            assert order.open or not order.open
        """,
        2,
    ),
    "FT206 suppress": (
        """
        from contextlib import suppress
        def test_a():
            with suppress(AssertionError, KeyError):
                assert total(7) == 7
        """,
        4,
    ),
    "FT206 unittest, and said": (
        """
        import logging
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                try:
                    self.assertEqual(total(7), 7)
                except AssertionError as error:
                    logging.getLogger(__name__).warning("%s", error)
        """,
        6,
    ),
    "FT206 unittest, and logged": (
        """
        import logging
        import unittest
        log = logging.getLogger(__name__)
        class A(unittest.TestCase):
            def test_a(self):
                try:
                    self.assertEqual(total(7), 7)
                except AssertionError as error:
                    log.warning("%s", error)
        """,
        7,
    ),
    "FT206 suppresses something else": (
        """
        import contextlib
        def test_a():
            with contextlib.suppress(KeyError):
                assert total(7) == 7
        """,
        None,
    ),
    "FT207 unittest": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                with self.assertRaises(ValueError) as caught:
                    place(-1)
                    self.assertIn("negative", str(caught.exception))
        """,
        6,
    ),
    "FT207 a mock": (
        """
        import pytest
        def test_a(bus):
            with pytest.raises(ValueError):
                place(-1, bus)
                bus.publish.assert_not_called()
        """,
        5,
    ),
    "FT208 in a block": (
        """
        def test_a(patcher):
            with patcher.open("a"):
                total(7) == 7
            assert total(8) == 8
        """,
        3,
    ),
    "FT208 in a helper": (
        """
        def assert_total(order, total):
            order.total == total
        def test_a():
            assert_total(place(7), 7)
        """,
        2,
    ),
    "FT208 in a helper inside": (
        """
        def test_a():
            def check_total(order):
                order.total == 7
            check_total(place(7))
            assert place(8).total == 8
        """,
        3,
    ),
    "FT208 where an error is expected": (
        """
        import pytest
        def test_a(a, b):
            with pytest.raises(TypeError), a.open():
                a == b
        """,
        None,
    ),
    "FT208 a query": (
        """
        def test_a(db):
            @db.query
            def by_name():
                db.name == "ada"
            assert by_name() == []
        """,
        None,
    ),
    "FT208 no method of a mock": (
        """
        def test_a(bus):
            place(7, bus)
            assert not bus.publish.called_once_with(7)
        """,
        3,
    ),
    "FT209 unittest": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                try:
                    place(-1)
                except ValueError as error:
                    self.assertIn("negative", str(error))
        """,
        7,
    ),
    "FT209 fails behind": (
        """
        def test_a():
            try:
                place(-1)
            except ValueError as error:
                assert "negative" in str(error)
                return
            raise AssertionError("not refused")
        """,
        None,
    ),
    "FT209 checks behind": (
        """
        def test_a():
            error = None
            try:
                place(-1)
            except ValueError as caught:
                assert caught.code == 7
                error = caught
            assert error is not None
        """,
        None,
    ),
    "FT210 a method": (
        """
        class TestA:
            def test_a(self):
                assert place(7) == 7
            def test_b(self):
                assert place(8) == 8
            def test_a(self):
                assert place(9) == 9
        """,
        2,
    ),
    "FT210 a class that is derived from": (
        """
        class TestA:
            def test_a(self):
                assert place(7) == 7
        class TestA(TestA):
            def test_b(self):
                assert place(8) == 8
        """,
        None,
    ),
    "FT301 puts back what it read": (
        """
        def test_a(config):
            text = config.read_text()
            config.write_text("x")
            assert load(config) == "x"
            config.write_text(text)
        """,
        None,
    ),
    "FT401 an event that nobody sets": (
        """
        import threading
        def test_a(orders):
            place(7)
            threading.Event().wait(2)
            assert orders.open == 1
        """,
        4,
    ),
    "FT401 an event with a name": (
        """
        from threading import Event
        def test_a(orders):
            never = Event()
            never.wait(timeout=2)
            assert orders.open == 1
        """,
        4,
    ),
    "FT401 an event that is handed on": (
        """
        from threading import Event
        def test_a(orders):
            done = Event()
            orders.place(7, done)
            done.wait(2)
            assert orders.open == 1
        """,
        None,
    ),
    "FT401 a helper": (
        """
        import time
        def settle(seconds=2):
            time.sleep(seconds)
        def test_a(orders):
            settle()
            assert orders.open == 1
        """,
        3,
    ),
    "FT401 a helper for a thread": (
        """
        import threading
        import time
        def slow():
            time.sleep(2)
        def test_a(orders):
            threading.Thread(target=slow).start()
            assert orders.open == 1
        """,
        None,
    ),
    "FT401 run by a loop": (
        """
        import asyncio
        def test_a(orders):
            asyncio.run(asyncio.sleep(2))
            assert orders.open == 1
        """,
        3,
    ),
    "FT401 a command": (
        """
        import subprocess
        def test_a(orders):
            subprocess.run(["sleep", "2"], check=True)
            assert orders.open == 1
        """,
        3,
    ),
    "FT401 a mock that nobody calls": (
        """
        import time
        from unittest.mock import Mock
        def test_a(worker):
            send = Mock()
            worker.start(send)
            time.sleep(0.3)
            send.assert_not_called()
        """,
        None,
    ),
    "FT401 unittest, what nobody adds to": (
        """
        import time
        import unittest
        class T(unittest.TestCase):
            def test_a(self):
                calls = []
                self.worker.start(calls.append)
                time.sleep(0.3)
                self.assertEqual(calls, [])
        """,
        None,
    ),
    "FT401 what somebody adds to": (
        """
        import time
        def test_a(worker):
            calls = []
            worker.start(calls.append)
            time.sleep(0.3)
            assert calls == [7]
        """,
        5,
    ),
    "FT401 until something has ended": (
        """
        import time
        def test_a(worker):
            worker.stop()
            time.sleep(0.3)
            assert not worker.is_alive()
        """,
        4,
    ),
    "FT401 until all is gone": (
        """
        import time
        def test_a(queue):
            queue.drain()
            time.sleep(0.3)
            assert queue.count == 0
        """,
        4,
    ),
    "FT401 nothing that anybody has ended is there": (
        """
        import time
        def test_a(queue):
            queue.put(7)
            time.sleep(0.3)
            assert queue.count == 0
        """,
        None,
    ),
    "FT401 a time that goes on": (
        """
        import time
        def test_a(shop):
            first = shop.place(7)
            time.sleep(0.3)
            assert shop.place(7).modified > first.modified
        """,
        None,
    ),
    "FT401 what is measured": (
        """
        import time
        def test_a(shop):
            began = shop.clock.time()
            time.sleep(0.3)
            assert shop.clock.time() - began > shop.least
        """,
        None,
    ),
    "FT401 nothing is checked after it": (
        """
        import time
        def test_a(shop):
            assert shop.place(7) == 7
            time.sleep(0.3)
            shop.close()
        """,
        None,
    ),
    "FT401 nothing changes in the meantime": (
        """
        import time
        def test_a(store):
            store.touch("a")
            assert store.version == 7
            time.sleep(0.3)
            assert store.version == 7
        """,
        None,
    ),
    "FT401 what changes in the meantime": (
        """
        import time
        def test_a(store):
            store.touch("a")
            assert store.version == 7
            time.sleep(0.3)
            assert store.version == 8
        """,
        5,
    ),
    "FT401 longer than its own time to live": (
        """
        import time
        def test_a(store):
            store.lock("a", lock_ttl=1)
            time.sleep(1.5)
            assert store.owner("a") == "b"
        """,
        None,
    ),
    "FT401 much longer than its own time to live": (
        """
        import time
        def test_a(store):
            store.lock("a", lock_ttl=1)
            time.sleep(8)
            assert store.owner("a") == "b"
        """,
        4,
    ),
    "FT401 longer than a request may take": (
        """
        import time
        def test_a(shop):
            shop.order(7, timeout=1)
            time.sleep(2)
            assert shop.shipped == [7]
        """,
        4,
    ),
    "FT401 computed from its own time to live": (
        """
        import time
        def test_a(store):
            store.lock("a")
            time.sleep(store.TTL + 0.1)
            assert store.owner("a") == "b"
        """,
        None,
    ),
    "FT401 a comment says that there is nothing to wait for": (
        """
        import time
        def test_a(store):
            store.send("a")
            # no good way to know when the store has seen it:
            # it does not answer
            time.sleep(0.3)
            assert store.seen == ["a"]
        """,
        None,
    ),
    "FT401 a comment that says no such thing": (
        """
        import time
        def test_a(store):
            store.send("a")
            # give the store a moment
            time.sleep(0.3)
            assert store.seen == ["a"]
        """,
        5,
    ),
    "FT205 a comment that tells of the error alone": (
        """
        import pytest
        def test_a():
            # should raise an exception
            with pytest.raises(Exception):
                place(None)
        """,
        4,
    ),
    "FT205 a comment that says why any will do": (
        """
        import pytest
        def test_a():
            with pytest.raises(Exception):  # which one depends on the driver
                place(None)
        """,
        None,
    ),
    "FT205 what something else raised": (
        """
        import pytest
        def test_error_of_callback_propagates(shop):
            with pytest.raises(Exception):
                shop.place(7, broken)
        """,
        None,
    ),
    "FT701 a comment says why": (
        """
        import pytest
        def test_a():
            # nothing covers this path so far
            pytest.skip()
        """,
        None,
    ),
    "FT201 must not explode": (
        """
        def test_a(store):
            # must not explode
            store.close()
        """,
        None,
    ),
    "FT401 as it was waited for": (
        """
        import time
        def test_a(shop):
            wait_for(lambda: 7 not in shop.orders)
            time.sleep(0.2)
            assert 7 not in shop.orders
        """,
        None,
    ),
    "FT401 a name says that it does not happen": (
        """
        import time
        def test_order_is_not_shipped(shop):
            shop.cancel(7)
            time.sleep(0.2)
            assert 7 not in shop.shipped
        """,
        None,
    ),
    "FT401 a name that says no such thing": (
        """
        import time
        def test_order_is_cancelled(shop):
            shop.cancel(7)
            time.sleep(0.2)
            assert 7 not in shop.open
        """,
        4,
    ),
    "FT204 what a decorator made is got twice": (
        """
        def test_methods_are_not_rebound():
            class Shop:
                def place(self, number):
                    return number

                send = validated(place)

            shop = Shop()
            assert shop.send == shop.send
        """,
        None,
    ),
    "FT204 a decorated method is got twice": (
        """
        def test_a():
            class Shop:
                @classmethod
                @validated
                def place(cls, number):
                    return number

            assert Shop.place == Shop.place
        """,
        None,
    ),
    "FT204 a plain method is got twice": (
        """
        def test_a():
            class Shop:
                @staticmethod
                def place(number):
                    return number

            assert Shop.place == Shop.place
        """,
        None,
    ),
    "FT204 a method of another module is got twice": (
        """
        def test_a():
            shop = place(7).shop()
            assert shop.place == shop.place
        """,
        3,
    ),
    "FT204 a comment above several says that equality is tested": (
        """
        def test_a(shop):
            assert shop.total(7) == 7

            # equality holds for what is got anew
            assert shop.place == shop.place
            assert shop.send == shop.send
        """,
        None,
    ),
    "FT204 a comment on something else": (
        """
        def test_a(shop):
            # both are equal
            assert shop.total(7) == shop.total(8)

            total = shop.total(9)
            assert total == total
        """,
        6,
    ),
    "FT209 what must not be in an error that need not come": (
        """
        def test_other_letters_are_accepted(shop):
            try:
                shop.place("Zoé")
            except ValueError as error:
                assert "letters" not in str(error)
        """,
        None,
    ),
    "FT209 what must not be in an error that must come": (
        """
        def test_login_tells_no_password(shop):
            try:
                shop.login("ada", "secret")
            except LoginError as error:
                assert "secret" not in str(error)
        """,
        5,
    ),
    "FT209 what must be in an error that need not come": (
        """
        def test_other_letters_are_accepted(shop):
            try:
                shop.place("Zoé")
            except ValueError as error:
                assert "letters" in str(error)
        """,
        5,
    ),
    "FT301 a handler of the test looks at it": (
        """
        def test_a(shop):
            def handler(message):
                assert message == "7"

            shop.subscribe(handler)
            shop.send("7")
        """,
        None,
    ),
    "FT301 a function of the test looked at something before": (
        """
        def test_a(shop):
            def check():
                assert shop.total(7) == 7

            check()
            shop.publish("7")
        """,
        6,
    ),
    "FT401 a time that a call of that name has set": (
        """
        import time
        def test_a(cache):
            cache.keep(7, until=expires_after(seconds=0.3))
            time.sleep(0.5)
            assert cache.get(7) == "new"
        """,
        None,
    ),
    "FT401 a time that a call of another name has set": (
        """
        import time
        def test_a(cache):
            cache.keep(7, until=begins_after(seconds=0.3))
            time.sleep(0.5)
            assert cache.get(7) == "new"
        """,
        4,
    ),
    "FT401 a comment on a clock's resolution": (
        """
        import time
        def test_a(shop, path):
            before = shop.read(path)
            # the resolution of the file system's times is a second
            time.sleep(1)
            assert shop.read(path) > before
        """,
        None,
    ),
    "FT401 a comment on a setting's time": (
        """
        import time
        def test_a(shop):
            shop.connect()
            # long enough for the server's connect_timeout
            time.sleep(1)
            assert shop.tasks == 1
        """,
        None,
    ),
    "FT401 a clock that the test is the master of": (
        """
        import trio
        async def test_a(shop, autojump_clock):
            shop.connect()
            await trio.sleep(60)
            assert shop.tasks == 1
        """,
        None,
    ),
    "FT401 a clock of another kind": (
        """
        import trio
        async def test_a(shop, clock_of_the_shop):
            shop.connect()
            await trio.sleep(60)
            assert shop.tasks == 1
        """,
        4,
    ),
    "FT402 a comment says that speed is tested": (
        """
        import time
        def test_a(shop):
            began = time.monotonic()
            shop.place(7)
            # it must be refused immediately, and not wait for the orders before it
            assert time.monotonic() - began < 2
        """,
        None,
    ),
    "FT402 a comment that says no such thing": (
        """
        import time
        def test_a(shop):
            began = time.monotonic()
            shop.place(7)
            # place the order
            assert time.monotonic() - began < 0.5
        """,
        6,
    ),
    "FT502 the folder of what a fixture gave": (
        """
        import os
        def test_a(shop):
            root, _ = shop
            target = os.path.join(root, "out", "orders.csv")
            os.makedirs(os.path.dirname(target))
            assert export(target) == 7
        """,
        None,
    ),
    "FT502 the folder of what the code made": (
        """
        import os
        import shutil
        def test_a(shop):
            out = shop.export()
            assert os.path.exists(out)
            shutil.rmtree(os.path.dirname(out))
        """,
        None,
    ),
    "FT502 beside the tests": (
        """
        import os
        def test_a(shop):
            os.makedirs(os.path.join(os.path.dirname(os.path.abspath(__file__)), "out"))
            assert export("out") == 7
        """,
        3,
    ),
    "FT502 the folder of a fixed path": (
        """
        import os
        def test_a(shop):
            target = "out/orders.csv"
            os.makedirs(os.path.dirname(target))
            assert export(target) == 7
        """,
        4,
    ),
    "FT701 an id that says why it must fail": (
        """
        import pytest
        @pytest.mark.parametrize("n", [
            pytest.param("x", marks=pytest.mark.xfail(strict=True), id="invalid number (not a list)"),
        ])
        def test_a(n):
            assert total(n) == 2
        """,
        None,
    ),
    "FT701 an id of its own": (
        """
        import pytest
        @pytest.mark.parametrize("n", [
            pytest.param(3, marks=pytest.mark.xfail(strict=True), id="three"),
        ])
        def test_a(n):
            assert total(n) == 2
        """,
        None,
    ),
    "FT701 an id that does not say why it is skipped": (
        """
        import pytest
        @pytest.mark.parametrize("n", [
            pytest.param("x", marks=pytest.mark.skip, id="invalid number"),
        ])
        def test_a(n):
            assert total(n) == 2
        """,
        3,
    ),
    "FT702 the error is what is waited for": (
        """
        def test_paths_outside_are_refused(shop):
            try:
                text = shop.read("/etc/orders")
            except (PermissionError, ValueError):
                return
            assert text == ""
        """,
        None,
    ),
    "FT702 the error is that something is not there": (
        """
        def test_orders_are_read(shop):
            try:
                text = shop.read("/etc/orders")
            except OSError:
                return
            assert text == "7"
        """,
        5,
    ),
    "FT201 a name that says what does not come": (
        """
        def test_stop_noassert(shop):
            shop.stop(check=False)
        """,
        None,
    ),
    "FT201 a mark that says that running is all": (
        """
        import pytest
        @pytest.mark.smoketest
        def test_stop(shop):
            shop.stop()
        """,
        None,
    ),
    "FT201 a name that says what is possible": (
        """
        def test_shop_is_mockable(shop):
            Mock(spec=shop)
        """,
        None,
    ),
    "FT201 a name that ends alike": (
        """
        def test_table(shop):
            shop.total()
        """,
        1,
    ),
    "FT802 sets again what it took away": (
        """
        import os
        def test_a(shop):
            del os.environ["SHOP"]
            assert shop.name == ""
            os.environ["SHOP"] = "agent"
        """,
        None,
    ),
    "FT802 goes back to where it began": (
        """
        import os
        from pathlib import Path
        def test_a(session):
            began = Path.cwd().resolve()
            session.enter("a")
            assert session.folder == "a"
            os.chdir(began)
        """,
        None,
    ),
    "FT802 goes elsewhere": (
        """
        import os
        from pathlib import Path
        def test_a(session):
            elsewhere = Path("a").resolve()
            os.chdir(elsewhere)
            assert session.folder == "a"
        """,
        5,
    ),
    "FT209 skipped where nothing is raised": (
        """
        import pytest
        def test_a(shop):
            try:
                shop.cancel(7)
                pytest.skip("it was shipped before")
            except Cancelled as error:
                assert str(error) == "7"
        """,
        None,
    ),
    "FT701 a comment above a set of parameters": (
        """
        import pytest
        @pytest.mark.parametrize("n", [
            # the clock of this library can't be set
            pytest.param(1, marks=pytest.mark.xfail),
        ])
        def test_a(n):
            assert n == 2
        """,
        None,
    ),
    "FT701 a comment for another tool": (
        """
        import pytest
        @pytest.mark.skip  # noqa: PT001 because it is old
        def test_a():
            assert total(7) == 2
        """,
        2,
    ),
    "FT202 a setting of its own": (
        """
        def test_a():
            class Shop(Base):
                use_lines = True
            assert create(Shop).get_use_lines()
        """,
        None,
    ),
    "FT201 a command that must succeed": (
        """
        import subprocess
        def test_a():
            subprocess.run(["shop", "7"], check=True)
        """,
        None,
    ),
    "FT201 a command that may fail": (
        """
        import subprocess
        def test_a():
            subprocess.run(["shop", "7"], check=False)
            total(7)
        """,
        2,
    ),
    "FT201 a method that a base of another module brings": (
        """
        from shop.testing import Case
        class Orders(Case):
            lines = 7
        def test_a():
            Orders.run_all()
        """,
        None,
    ),
    "FT205 by keyword": (
        """
        import pytest
        def test_a():
            with pytest.raises(expected_exception=Exception):
                place(-1)
        """,
        3,
    ),
    "FT204 is or is not": (
        """
        def test_a():
            assert total(7) is None or total(7) is not None
        """,
        2,
    ),
    "FT203 of a copy": (
        """
        def test_open():
            assert len(list(orders())) == 3
        """,
        2,
    ),
    "FT208 a mock's method that is none, alone": (
        """
        def test_a(bus):
            place(7, bus)
            bus.publish.called_once_with(7)
        """,
        3,
    ),
    "FT208 a helper that only compares": (
        """
        def test_a():
            def right(n):
                total(n) == n
            right(7)
        """,
        3,
    ),
    "FT208 a function that is handed on": (
        """
        def test_a(query):
            def where(n):
                n == 7
            query.filter(where)
            assert query.all() == [7]
        """,
        None,
    ),
    "FT501 a socket": (
        """
        import socket
        def test_a():
            assert socket.create_connection(("shop.example.org", 80)).recv(1) == b"7"
        """,
        3,
    ),
    "FT802 the environment is added to": (
        """
        import os
        def test_a():
            os.environ |= {"SHOP": "7"}
            assert total(7) == 7
        """,
        3,
    ),
    "FT401 hardly any time": (
        """
        import time
        def test_a(orders):
            first = orders.stamp()
            time.sleep(0.01)
            assert orders.stamp() > first
        """,
        None,
    ),
    "FT402 unittest, equal": (
        """
        import datetime as dt
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                self.assertEqual(place(7).day, dt.date.today())
        """,
        5,
    ),
    "FT402 unittest, short": (
        """
        import time
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                began = time.monotonic()
                place(7)
                self.assertLess(time.monotonic() - began, 0.5)
        """,
        7,
    ),
    "FT402 unittest, greater": (
        """
        import time
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                began = time.time()
                place(7)
                took = time.time() - began
                self.assertGreater(0.5, took)
        """,
        8,
    ),
    "FT402 unittest, at least": (
        """
        import time
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                began = time.time()
                place(7)
                self.assertGreaterEqual(time.time() - began, 1)
        """,
        None,
    ),
    "FT501 a session": (
        """
        import aiohttp
        async def test_a():
            async with aiohttp.ClientSession() as session:
                async with session.get("https://rates.example.com/today") as answer:
                    assert await answer.json() == {}
        """,
        4,
    ),
    "FT501 a session with an app": (
        """
        import httpx
        def test_a(app):
            with httpx.Client(app=app) as client:
                assert client.get("https://shop.example.com/").status_code == 200
        """,
        None,
    ),
    "FT701 of a parameter": (
        """
        import pytest
        @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.skip)])
        def test_a(n):
            assert place(n) == n
        """,
        2,
    ),
    "FT701 of a parameter, in a list": (
        """
        import pytest
        @pytest.mark.parametrize("n", [pytest.param(2, marks=[pytest.mark.xfail()])])
        def test_a(n):
            assert place(n) == n
        """,
        2,
    ),
    "FT701 an empty text of unittest": (
        """
        import unittest
        class A(unittest.TestCase):
            @unittest.skip("")
            def test_a(self):
                self.assertEqual(place(7), 7)
        """,
        3,
    ),
    "FT702 on one platform only": (
        """
        import sys
        def test_a():
            if sys.platform == "linux":
                assert place(7) == 7
        """,
        3,
    ),
    "FT702 with a package only": (
        """
        def test_a():
            data = load()
            if HAS_NUMPY:
                assert data.shape == (1,)
        """,
        3,
    ),
    "FT702 with something else otherwise": (
        """
        import sys
        def test_a():
            if sys.platform == "linux":
                assert place(7) == 7
            else:
                assert place(7) == 8
        """,
        None,
    ),
    "FT702 where the outcome is so": (
        """
        def test_a():
            order = place(7)
            if order.open:
                assert order.total == 7
        """,
        None,
    ),
    "FT702 without a package": (
        """
        def test_a():
            try:
                import pandas
            except ImportError:
                return
            assert pandas.DataFrame([1]).shape == (1, 1)
        """,
        5,
    ),
    "FT702 an error that is expected": (
        """
        def test_a():
            try:
                place(-1)
            except ValueError:
                return
            assert False
        """,
        None,
    ),
    "FT802 the root logger": (
        """
        import logging
        def test_a():
            logging.getLogger().setLevel(logging.DEBUG)
            assert place(7) == 7
        """,
        3,
    ),
    "FT802 a logger of one's own": (
        """
        import logging
        def test_a():
            logging.getLogger("shop").setLevel(logging.DEBUG)
            assert place(7) == 7
        """,
        None,
    ),
    "FT802 the root logger by a name": (
        """
        import logging
        def test_a():
            root = logging.getLogger()
            root.setLevel(logging.DEBUG)
            assert place(7) == 7
        """,
        4,
    ),
    "FT802 the mask": (
        """
        import os
        def test_a(tmp_path):
            os.umask(0o077)
            assert export(tmp_path) == 7
        """,
        3,
    ),
    "FT802 taken away at the end": (
        """
        import os
        def test_a():
            os.environ["A"] = "1"
            assert place(7) == 7
            del os.environ["A"]
        """,
        None,
    ),
    "FT802 popped at the end": (
        """
        import os
        def test_a():
            os.environ["A"] = "1"
            assert place(7) == 7
            os.environ.pop("A")
        """,
        None,
    ),
    "FT803 a global": (
        """
        placed = None
        def test_a():
            global placed
            placed = place(7)
            assert placed.open
        def test_b():
            assert ship(placed).done
        """,
        3,
    ),
    "FT803 a global that a fixture sets": (
        """
        import pytest
        placed = None
        @pytest.fixture(autouse=True)
        def fresh():
            global placed
            placed = None
        def test_a():
            global placed
            placed = place(7)
            assert placed.open
        def test_b():
            assert ship(placed).done
        """,
        None,
    ),
    "FT803 put back by the set-up": (
        """
        import unittest
        class A(unittest.TestCase):
            limit = 3
            def setUp(self):
                self.addCleanup(setattr, self.__class__, "limit", 3)
            def test_a(self):
                self.__class__.limit = 4
                self.assertEqual(place(4), 4)
            def test_b(self):
                self.assertEqual(place(self.limit), 3)
        """,
        None,
    ),
    "FT201 hands code on that asserts": (
        """
        def test_a(browser):
            browser.run("assert total(7) == 7")
        """,
        None,
    ),
    "FT201 hands on what raises where it is misused": (
        """
        def test_a():
            class Frozen(dict):
                def pop(self, *_):
                    raise RuntimeError("frozen")
            place(Frozen())
        """,
        None,
    ),
    "FT204 a comment says that equality is tested": (
        """
        def test_a():
            order = place(7)
            # check __eq__ and __hash__
            assert order == order
            assert {order} == {order}
        """,
        None,
    ),
    "FT204 a property that is asked twice": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                self.assertIs(place(7).lines, place(7).lines)
                self.assertIs(self.order.lines, self.order.lines)
        """,
        None,
    ),
    "FT205 a comment says why": (
        """
        import pytest
        def test_a():
            # an AttributeError now, which should be a nicer error
            with pytest.raises(Exception):
                place(None)
            with pytest.raises(Exception):
                place(3)
        """,
        None,
    ),
    "FT206 the handler says why": (
        """
        def test_a():
            try:
                assert total(7) == 7
            except Exception:
                pass  # now and then the clock is behind: #1420
        """,
        None,
    ),
    "FT802 the collector is switched on again": (
        """
        import gc
        def test_a():
            try:
                gc.disable()
                assert place(7) == 7
            finally:
                gc.enable()
        """,
        None,
    ),
    "FT802 the collector": (
        """
        import gc
        def test_a():
            gc.disable()
            assert place(7) == 7
        """,
        3,
    ),
    "FT202 of a bare maker": (
        """
        def test_a():
            order = find(7)
            assert order
        """,
        3,
    ),
    "FT202 made a truth value": (
        """
        def test_a():
            assert bool(find_order(7)) is True
        """,
        2,
    ),
    "FT202 that can't be tested": (
        """
        def test_a():
            rpc = find_rpc()
            # we can't really test this thing
            assert rpc is not None
        """,
        None,
    ),
    "FT202 beside what must not be called": (
        """
        def test_a():
            order = find_order(7)
            assert order is not None
            def f(*args):
                raise Exception("should not have been called")
            use(f)
        """,
        None,
    ),
    "FT203 of one at least": (
        """
        def test_a():
            assert len(open_orders()) > 0
        """,
        2,
    ),
    "FT203 of a walrus": (
        """
        def test_a():
            assert (n := len(open_orders())) == 3, n
        """,
        2,
    ),
    "FT203 in assertTrue": (
        """
        import unittest
        class T(unittest.TestCase):
            def test_a(self):
                self.assertTrue(len(open_orders()) == 3)
        """,
        4,
    ),
    "FT203 of a list of all": (
        """
        def test_a():
            orders = list(open_orders())
            assert 3 == len(orders)
        """,
        3,
    ),
    "FT204 never false": (
        """
        import unittest
        class T(unittest.TestCase):
            def test_a(self):
                self.assertFalse(total(7) and False)
        """,
        4,
    ),
    "FT204 None is None": (
        """
        import unittest
        class T(unittest.TestCase):
            def test_a(self):
                self.assertIsNone(None)
        """,
        4,
    ),
    "FT204 told apart from its copy": (
        """
        def test_a():
            x = measure(3)
            assert x == x
            assert x != copy(x)
        """,
        None,
    ),
    "FT206 return in finally": (
        """
        def test_a():
            try:
                assert total(7) == 7
            finally:
                return
        """,
        3,
    ),
    "FT208 a lonely not": (
        """
        def test_a():
            not total(7)
        """,
        2,
    ),
    "FT208 both at once": (
        """
        def test_a():
            total(7).startswith("a") and total(8).endswith("b")
        """,
        2,
    ),
    "FT208 of a mock in assertTrue": (
        """
        import unittest
        from unittest.mock import Mock
        class T(unittest.TestCase):
            def test_a(self):
                bus = Mock()
                place(7, bus)
                self.assertTrue(bus.publish.called_once_with(7))
        """,
        7,
    ),
    "FT201 a named error": (
        """
        def test_remove_keyerror():
            orders.remove(100)
        """,
        None,
    ),
    "FT301 the end of a process": (
        """
        def test_a(child):
            assert child.read() == b''
            child.sendeof()
        """,
        None,
    ),
    "FT301 before a close": (
        """
        def test_in_memory_close():
            with Store() as db:
                db.insert({})
        """,
        None,
    ),
    "FT401 the time of a key": (
        """
        import time
        def test_a(cache):
            cache.set("a", 0, 1)
            time.sleep(2)
            assert cache.get("a") == 7
        """,
        None,
    ),
    "FT401 the timeout of a key": (
        """
        import time
        def test_a(cache):
            cache.set("a", 0, timeout=1)
            time.sleep(2)
            assert cache.get("a") == 7
        """,
        None,
    ),
    "FT401 a name about time": (
        """
        import time
        def test_expire_all(cache):
            time.sleep(2)
            assert cache.size() == 7
        """,
        None,
    ),
    "FT401 a name about time and a wait": (
        """
        import time
        def test_expire_all(cache):
            time.sleep(2)  # wait for the server
            assert cache.size() == 7
        """,
        3,
    ),
    "FT401 not done meanwhile": (
        """
        import asyncio
        async def test_a(sender):
            await asyncio.sleep(0.3)
            assert not sender.done()
        """,
        None,
    ),
    "FT401 ten looks": (
        """
        import time
        import unittest
        class T(unittest.TestCase):
            def test_a(self):
                for _ in range(10):
                    if not alive():
                        self.fail('gone')
                    time.sleep(0.1)
        """,
        None,
    ),
    "FT402 a day that was kept": (
        """
        import datetime
        def test_a():
            today = datetime.date.today()
            assert place(7).day == today
        """,
        4,
    ),
    "FT402 a day that is written": (
        """
        from datetime import datetime
        def test_a():
            assert place(7).at == datetime.utcnow().strftime('%Y')
        """,
        3,
    ),
    "FT402 a day that is handed on": (
        """
        import datetime
        def test_a():
            today = datetime.date.today()
            assert place(7, today).day == today
        """,
        None,
    ),
    "FT402 a limit for what hangs": (
        """
        import time
        def test_a():
            start = time.time()
            place(7)
            assert time.time() - start < 30
        """,
        None,
    ),
    "FT402 two durations": (
        """
        import time
        def test_a():
            one = time.time() - place(7)
            two = time.time() - place(7)
            assert two > one
        """,
        None,
    ),
    "FT501 a host of one word": (
        """
        import psycopg2
        def test_a():
            assert psycopg2.connect(host="db").rows() == 1
        """,
        3,
    ),
    "FT501 the engine": (
        """
        import docker
        def test_a():
            assert docker.from_env().images() == 1
        """,
        3,
    ),
    "FT502 below a folder of the module": (
        """
        from pathlib import Path
        HERE = Path(__file__).parent
        def test_a():
            (HERE / "out.csv").write_text("a")
        """,
        4,
    ),
    "FT502 opened by a path": (
        """
        from pathlib import Path
        def test_a():
            with Path("/var/a.csv").open("w") as f:
                f.write("7")
        """,
        3,
    ),
    "FT702 a package that is there": (
        """
        import importlib.util
        def test_a():
            if importlib.util.find_spec("numpy"):
                assert total(7) == 7
        """,
        3,
    ),
    "FT702 with a reason": (
        """
        def test_a(db):
            if db.is_sqlite:
                # SQLite takes any type for any other
                return
            assert total(db) == 7
        """,
        None,
    ),
    "FT201 kept, and only printed": (
        """
        def test_a(shop):
            total = shop.bill(7)
            print(total)
        """,
        1,
    ),
    "FT201 kept, and read": (
        """
        def test_a(shop):
            bill = shop.bill(7)
            shop.pay(bill)
        """,
        None,
    ),
    "FT201 an object that is made": (
        """
        def test_a():
            order = Order(7)
        """,
        None,
    ),
    "FT201 called to have something": (
        """
        def test_a(shop):
            session = shop.connect(7)
        """,
        None,
    ),
    "FT201 called for an effect": (
        """
        def test_a(shop):
            shop.place(7)
        """,
        None,
    ),
    "FT201 all that there are, gone through": (
        """
        def test_a(shop):
            list(shop.orders())
        """,
        None,
    ),
    "FT201 a question that may be refused": (
        """
        def test_a(shop):
            shop.find_order(7, ignore_missing=False)
        """,
        None,
    ),
    "FT201 a comment at the question": (
        """
        def test_a(shop):
            # the key is there, or this is refused
            shop.get_order(7)
        """,
        None,
    ),
    "FT201 the number of an issue in the name": (
        """
        def test_bill_iss1862(shop):
            shop.get_order(7)
        """,
        None,
    ),
    "FT201 a comment that is broken": (
        """
        def test_a(shop):
            shop.get_order(7)
            # Nothing to assert here, this does
            # not raise.
        """,
        None,
    ),
    "FT201 a function that returns a suite": (
        """
        def test_suite():
            suite = unittest.TestSuite()
            suite.addTests(get_tests())
            return suite
        """,
        None,
    ),
    "FT201 a check of Twisted's": (
        """
        from twisted.trial.unittest import TestCase
        class A(TestCase):
            def test_a(self):
                self.failureResultOf(total(7), ValueError)
        """,
        None,
    ),
    "FT201 a helper that drops what it gets": (
        """
        def run(order):
            place(order)
            ship(order)
        def test_a():
            run(7)
        """,
        4,
    ),
    "FT201 a helper that gives something": (
        """
        def run(order):
            place(order)
            return ship(order)
        def test_a():
            run(7)
        """,
        None,
    ),
    "FT202 asked without an argument": (
        """
        def test_a(shop):
            assert shop.get_debug()
        """,
        None,
    ),
    "FT202 what is no answer of a call": (
        """
        def test_a(shop):
            order = shop.find_order(7)
            assert order['name'] is not None
        """,
        None,
    ),
    "FT203 a number that the test has given": (
        """
        def test_a():
            found = orders(3)
            assert len(found) == 3
        """,
        None,
    ),
    "FT203 a thing, and not several": (
        """
        def test_a(shop):
            path = shop.shortest_path(1)
            assert len(path) == 3
        """,
        None,
    ),
    "FT203 says that nothing is raised": (
        """
        def test_orders_iss416(shop):
            found = shop.orders()
            assert len(found) == 3
        """,
        None,
    ),
    "FT204 written in two ways": (
        """
        def test_a():
            assert 0x10 == 16
            assert 0o7 == 0O007
        """,
        None,
    ),
    "FT204 written in one way": (
        """
        def test_a():
            assert 16 == 16
        """,
        2,
    ),
    "FT204 an object compared with itself": (
        """
        def test_a():
            order = Order(7)
            assert order == order
        """,
        None,
    ),
    "FT204 a placeholder with a comment": (
        """
        def test_a():
            # it is enough to get here
            assert True
        """,
        None,
    ),
    "FT204 a name that says it stays": (
        """
        def test_total_is_stable():
            shop = shop_of(7)
            assert shop.total == shop.total
        """,
        None,
    ),
    "FT206 the failure is raised again": (
        """
        def test_a(shop):
            try:
                shop.run("no such order")
                assert False
            except AssertionError:
                raise
            except Exception:
                pass
        """,
        None,
    ),
    "FT209 a handler that must not be entered": (
        """
        def test_a(shop):
            try:
                shop.close()
            except Exception as error:
                assert False, error
        """,
        None,
    ),
    "FT205 another refusal follows": (
        """
        import pytest
        def test_a(shop):
            with pytest.raises(Exception):
                place(-1)
            with pytest.raises(ValueError):
                place(-2)
        """,
        3,
    ),
    "FT208 an operator of the test's own": (
        """
        class Order:
            def __eq__(self, other):
                calls.append(other)
        def test_a():
            order = Order()
            order == 7
            assert calls == [7]
        """,
        None,
    ),
    "FT208 a comment says why": (
        """
        def test_a():
            total(7) == 7  # it used to break
        """,
        None,
    ),
    "FT209 only some numbers of errors": (
        """
        import errno
        def test_a():
            try:
                place(7)
            except OSError as error:
                assert error.errno in {errno.EMFILE}
        """,
        None,
    ),
    "FT209 goes on to another try": (
        """
        def test_a():
            while True:
                try:
                    place(7)
                except OSError as error:
                    assert error.code == 7
                    continue
                break
        """,
        None,
    ),
    "FT209 compared with a parameter": (
        """
        import pytest
        @pytest.mark.parametrize('errors', [[], [7]])
        def test_a(errors):
            try:
                place(7)
            except ValueError as error:
                assert error.args == errors
        """,
        None,
    ),
    "FT301 a step, not an outcome": (
        """
        def test_a(shop):
            assert shop.total(7) == 7
            shop.write('7')
        """,
        None,
    ),
    "FT301 what the name says": (
        """
        def test_write(shop):
            assert shop.total(7) == 7
            shop.write('7')
        """,
        3,
    ),
    "FT301 a comment says why": (
        """
        def test_a(shop):
            assert shop.total(7) == 7
            shop.publish('7')  # the last one, so that nobody waits
        """,
        None,
    ),
    "FT401 a comment says what for": (
        """
        import time
        def test_a(shop):
            shop.start()
            time.sleep(1)  # wait for the shop to be ready
            with shop.door() as door:
                assert door.open == 7
        """,
        4,
    ),
    "FT401 something is done after it": (
        """
        import time
        def test_a(shop):
            shop.place(7)
            time.sleep(1)
            shop.place(8)
            assert shop.orders == [7, 8]
        """,
        None,
    ),
    "FT401 read, and then checked": (
        """
        import time
        def test_a(shop):
            shop.place(7)
            time.sleep(1)
            order = shop.get_order(7)
            assert order.number == 7
        """,
        4,
    ),
    "FT401 a server that was just started": (
        """
        import time
        def test_a(server, client):
            server.start()
            time.sleep(1)
            client.place(7)
            assert client.orders == [7]
        """,
        4,
    ),
    "FT401 others are kept out": (
        """
        import time
        def test_a(shop, lock):
            with lock:
                shop.place_in_thread(7)
                time.sleep(1)
                assert shop.waiting == 7
        """,
        None,
    ),
    "FT401 held back so far": (
        """
        import time
        def test_a(shop):
            shop.place_all(7)
            time.sleep(1)
            assert shop.shipped == 3
            shop.join()
            assert shop.shipped == 7
        """,
        None,
    ),
    "FT401 a comment on a delay": (
        """
        import time
        def test_a(shop):
            shop.place(7)
            time.sleep(1)

            # orders go out after a delay of half a second
            assert shop.orders == [7]
        """,
        None,
    ),
    "FT401 a fixture that starts something": (
        """
        import time
        import pytest
        @pytest.fixture
        def shop():
            shop = Shop()
            shop.start()
            time.sleep(1)
            return shop
        """,
        7,
    ),
    "FT401 a fixture that starts nothing": (
        """
        import time
        import pytest
        @pytest.fixture
        def shop():
            shop = Shop()
            shop.fill()
            time.sleep(1)
            return shop
        """,
        None,
    ),
    "FT402 a limit of a second": (
        """
        import time
        def test_a():
            began = time.time()
            place(7)
            assert time.time() - began < 1
        """,
        None,
    ),
    "FT402 a limit that is computed": (
        """
        import time
        def test_a(limit):
            began = time.time()
            place(7)
            assert time.time() - began < limit * 2
        """,
        None,
    ),
    "FT402 a time is taken apart": (
        """
        import time
        def test_a(shop):
            assert shop.day(0) == time.gmtime(0)
        """,
        None,
    ),
    "FT402 a comment on the limit": (
        """
        import time
        def test_a():
            began = time.time()
            place(7)
            assert time.time() - began < 0.5  # ten times what it takes on the slowest machine
        """,
        None,
    ),
    "FT701 the docstring gives the reason": (
        '''
        import pytest
        @pytest.mark.skip
        def test_a():
            """Override the inherited test, as this shop has no prices."""
        ''',
        None,
    ),
    "FT701 a docstring that gives none": (
        '''
        import pytest
        @pytest.mark.skip
        def test_a():
            """Add the prices of an order."""
            assert total(7) == 7
        ''',
        2,
    ),
    "FT701 what goes wrong": (
        """
        import pytest
        @pytest.mark.xfail(raises=NotImplementedError)
        def test_a():
            assert total(7) == 7
        """,
        None,
    ),
    "FT701 a condition by its name": (
        """
        import pytest
        @pytest.mark.skipif(no_shop)
        def test_a():
            assert total(7) == 7
        """,
        None,
    ),
    "FT702 what the class is for": (
        """
        class A:
            prices = None
        class TestB(A):
            def test_a(self):
                if self.prices is None:
                    return
                assert total(self.prices) == 7
        """,
        None,
    ),
    "FT801 a comment says what for": (
        """
        SEEN = []
        def test_a():
            # looked at by test_b below
            SEEN.append(7)
            assert total(7) == 7
        def test_b():
            assert SEEN == [7]
        """,
        None,
    ),
    "FT802 a decorator of the suite's own": (
        """
        import os
        from shop.helpers import with_environment
        @with_environment
        def test_a():
            os.environ['SHOP'] = '7'
            assert total(7) == 7
        """,
        None,
    ),
    "FT802 a marker": (
        """
        import os
        import pytest
        @pytest.mark.slow
        def test_a():
            os.environ['SHOP'] = '7'
            assert total(7) == 7
        """,
        5,
    ),
    "FT802 a base from elsewhere": (
        """
        import os
        from shop.helpers import Base
        class TestA(Base):
            def test_a(self):
                os.environ['SHOP'] = '7'
                assert total(7) == 7
        """,
        None,
    ),
    "FT802 a clean-up of the set-up": (
        """
        import os
        import unittest
        class A(unittest.TestCase):
            def setUp(self):
                self.addCleanup(restore)
            def test_a(self):
                os.environ['SHOP'] = '7'
                self.assertEqual(total(7), 7)
        """,
        None,
    ),
    "FT802 a base that others inherit": (
        """
        import os
        class Base:
            def setup_method(self):
                os.environ['SHOP'] = '7'
        """,
        None,
    ),
    "FT803 a whole class is put first": (
        """
        import pytest
        @pytest.mark.order(0)
        class TestA:
            def test_a(self):
                assert total(7) == 7
        """,
        None,
    ),
    "FT803 a test of it is put first": (
        """
        import pytest
        class TestA:
            @pytest.mark.order(0)
            def test_a(self):
                assert total(7) == 7
        """,
        4,
    ),
    "FT101 a stand-in of the test's own, by a flag": (
        """
        import pytest
        @pytest.fixture
        def shop():
            return Shop if has_shop else MockShop
        """,
        None,
    ),
    "FT101 a mock, by a flag": (
        """
        import pytest
        from unittest.mock import Mock
        @pytest.fixture
        def shop():
            return Shop() if has_shop else Mock()
        """,
        5,
    ),
    "FT204 the good outcome, and a failure last": (
        """
        def test_a():
            try:
                place(-1)
            except ValueError:
                assert True
                return
            assert False
        """,
        None,
    ),
    "FT204 the good outcome last": (
        """
        def test_a():
            try:
                place(7)
            except ValueError:
                assert False
            assert True
        """,
        None,
    ),
    "FT204 another failure before": (
        """
        def test_a():
            if place(7) is None:
                raise AssertionError
            assert True
        """,
        4,
    ),
    "FT208 asks whether it is there": (
        """
        class TestA:
            def check(self):
                try:
                    self.assertRaisesRegex
                except AttributeError:
                    return
            def test_a(self):
                assert total(7) == 7
        """,
        None,
    ),
    "FT209 a test of many sets of parameters": (
        """
        import pytest
        @pytest.mark.parametrize('kind', [int, str])
        def test_a(kind):
            try:
                kind('a')
            except ValueError as error:
                assert 'a' in str(error)
        """,
        None,
    ),
    "FT401 nothing has broken": (
        """
        import time
        def test_a(shop):
            shop.place(7).close()
            # give the shop time to react
            time.sleep(0.5)
            assert not shop.is_closed
        """,
        None,
    ),
    "FT301 a test that is expected to fail": (
        """
        import pytest
        @pytest.mark.xfail(reason='shop#7')
        def test_a(shop):
            assert shop.total(7) == 7
            shop.publish('7')
        """,
        None,
    ),
    "FT202 a comment says what is there": (
        """
        def test_a(shop):
            order = shop.find_order(7)
            # an empty order takes the place of one that is missing
            assert order is not None
        """,
        None,
    ),
    "FT201 a docstring says what is to be seen": (
        'def test_a(orders):\n    """The second order takes the first one\'s place."""\n    orders.get_total(7)\n',
        None,
    ),
    "FT201 a comment says what is to be seen": (
        "def test_a(orders):\n    place(7)\n    # the second takes\n    # that of the first\n    orders.get_total(7)\n",
        None,
    ),
    "FT201 a comment says what is to be seen before that": (
        "def test_a(orders):\n    # the second takes the first one's place\n    place(7)\n    orders.get_total(7)\n",
        1,
    ),
    "FT201 a docstring of a word": ('def test_a(orders):\n    """x"""\n    orders.get_total(7)\n', 1),
    "FT201 a docstring that repeats the name": (
        'def test_total_of_orders(a):\n    """Test that it is the total of orders."""\n    a.get_total(7)\n',
        1,
    ),
    "FT201 a check that was put out of use": (
        "def test_a(orders):\n    orders.get_total(7)\n    # assert orders.total == 7, 'not the right total'\n",
        1,
    ),
    "FT201 a block that was put out of use": (
        "def test_a(orders):\n    orders.get_total(7)\n    # for order in orders.of(7, 8):\n",
        1,
    ),
    "FT201 words that could be code": (
        "def test_a(orders):\n    orders.get_total(7)  # this is not what is kept\n",
        None,
    ),
    "FT201 a comment for another tool": (
        "def test_a(orders):\n    orders.get_total(7)  # type: ignore[attr-defined, call-arg, misc, arg-type]\n",
        1,
    ),
    "FT201 of each set of parameters": (
        (
            "import pytest\n@pytest.mark.parametrize('name', ['a', 'b'])\ndef test_a(orders, name):\n"
            "    orders.get_total(name)\n"
        ),
        None,
    ),
    "FT201 what is got may have to be allowed": ("def test_a(orders):\n    orders.list()\n", None),
    "FT202 the name says that something is handled": (
        "def test_handles_text():\n    order = read_order('a')\n    assert order is not None\n",
        None,
    ),
    "FT202 the name says so in capitals": (
        "def testSupportsText():\n    order = read_order('a')\n    assert order is not None\n",
        None,
    ),
    "FT202 the name is of a handler": (
        "def test_find_handler():\n    handler = find_handler(7)\n    assert handler is not None\n",
        3,
    ),
    "FT202 a comment on something else": (
        (
            "def test_a(shop):\n    # supports what an older shop has kept\n    shop.open()\n"
            "    order = find_order(7)\n    assert order\n"
        ),
        5,
    ),
    "FT203 a number is only in a part of the name": (
        "def test_accounts_by_phone():\n    found = accounts_by(load('phones.json'))\n    assert len(found) == 2\n",
        3,
    ),
    "FT203 the name says that the number is the point": (
        "def testLimitedAccounts():\n    found = accounts_by(load('phones.json'))\n    assert len(found) == 2\n",
        None,
    ),
    "FT204 a placeholder where a docstring says that nothing is raised": (
        'def test_a():\n    """A path is taken."""\n    with open_order("a"):\n        assert True\n',
        4,
    ),
    "FT204 an answer compared with itself in a test of a request": (
        "def test_request():\n    total = place(7)\n    assert total == total\n",
        3,
    ),
    "FT204 an answer compared with itself in a test of equality": (
        "def testEq():\n    total = place(7)\n    assert total == total\n",
        None,
    ),
    "FT204 a constant with a comment for another tool": (
        "def test_a():\n    place(7)\n    assert True  # noqa: S101\n",
        3,
    ),
    "FT204 equality that a constant tells apart": (
        "def test_a():\n    order = place(7)\n    assert order == order\n    assert (order == 7) is False\n",
        None,
    ),
    "FT204 a named bug of equality": (
        "def test_github_81():\n    order = place(7)\n    assert order == order\n",
        3,
    ),
    "FT205 a plain exception among the parameters": (
        (
            "import pytest\n@pytest.mark.parametrize('error', [None, Exception])\ndef test_a(orders, error):\n"
            "    with pytest.raises(Exception):\n        orders.place(error)\n"
        ),
        None,
    ),
    "FT301 a fixture that goes on after the test": (
        (
            "import pytest\n@pytest.fixture\ndef sent():\n    with Sent() as sent:\n        yield sent\n"
            "def test_a(orders, sent):\n    order = orders.place(7)\n    order.save()\n"
        ),
        None,
    ),
    "FT301 a fixture that looks after the test": (
        (
            "import pytest\n@pytest.fixture\ndef sent():\n    sent = []\n    yield sent\n    assert sent == [7]\n"
            "def test_a(orders, sent):\n    order = orders.place(7)\n    order.save()\n"
        ),
        None,
    ),
    "FT301 a fixture that only closes": (
        (
            "import pytest\n@pytest.fixture\ndef shop():\n    shop = Shop()\n    yield shop\n    shop.close()\n"
            "def test_a(shop):\n    order = shop.place(7)\n    order.save()\n"
        ),
        9,
    ),
    "FT202 a docstring says what is there": (
        (
            'def test_a():\n    """An order that was placed twice is found."""\n'
            "    order = find_order(7)\n    assert order is not None\n"
        ),
        None,
    ),
    "FT208 what is in a result": ("def test_a():\n    result = names()\n    'ada' in result\n", 3),
    "FT301 a class that the test puts in a place checks": (
        """
        def test_a(monkeypatch, orders):
            class Bus:
                def publish(self, order):
                    assert order.number == 7
            monkeypatch.setattr(orders, "bus", Bus())
            orders.publish(7)
        """,
        None,
    ),
    "FT301 a docstring says what is to be seen": (
        'def test_a(orders):\n    """A shop can be entered twice."""\n    orders.publish(7)\n',
        None,
    ),
    "FT401 something must not be there afterwards": (
        """
        import time
        def test_a(orders):
            called = watch(orders)
            orders.kill(7)
            time.sleep(1)
            assert not called
        """,
        None,
    ),
    "FT701 a comment above several sets of parameters": (
        """
        import pytest
        @pytest.mark.parametrize("text", [
            # must match the whole of it
            pytest.param("a", marks=pytest.mark.xfail),
            pytest.param("b", marks=pytest.mark.xfail),
        ])
        def test_a(text):
            assert total(text) == 7
        """,
        None,
    ),
    "FT701 the class's name gives the reason": (
        """
        import pytest
        class TestDoesntSupportCascade:
            @pytest.mark.xfail
            def test_a(self):
                assert total(7) == 7
        """,
        None,
    ),
    "FT701 a set of parameters that was put out of use": (
        (
            "import pytest\n@pytest.mark.parametrize('n', [\n    # pytest.param(1, id='a'), (2, 3, 4),\n"
            "    pytest.param(1, marks=pytest.mark.xfail),\n])\ndef test_a(n):\n    assert n == 2\n"
        ),
        4,
    ),
    "FT701 a class of what is not implemented": (
        """
        import pytest
        class TestUnimplementedCases:
            @pytest.mark.xfail
            def test_a(self):
                assert total(7) == 7
        """,
        None,
    ),
    "FT701 a comment at the begin": (
        """
        import pytest
        @pytest.mark.xfail
        def test_a():
            # issue 487: the wrong part is taken for the hour
            assert total(7) == 7
        """,
        None,
    ),
    "FT701 another comment at the begin": (
        """
        import pytest
        @pytest.mark.xfail
        def test_a():
            # found in a file of the exchange
            assert total(7) == 7
        """,
        2,
    ),
    "FT701 a suite that is given to the code": (
        """
        import unittest
        def test_a(plugin):
            class Given(unittest.TestCase):
                def test_b(self):
                    self.skipTest("")
            plugin.run(Given)
            assert plugin.skipped == 1
        """,
        None,
    ),
    "FT208 a mock of another kind": (
        """
        def test_a(requests_mock):
            place(7)
            assert requests_mock.called_once
        """,
        None,
    ),
    "FT209 which case may raise": (
        """
        def test_a():
            for key in KEYS:
                try:
                    press(key)
                except KeyboardInterrupt:
                    assert key == "c"
        """,
        None,
    ),
    "FT209 an error of each case": (
        """
        def test_a():
            for key in KEYS:
                try:
                    press(key)
                except ValueError as error:
                    assert key in str(error)
        """,
        6,
    ),
    "FT209 what is made to raise": (
        """
        def crash(number=0):
            return 7 // number
        def test_a(errors):
            try:
                crash()
            except ZeroDivisionError:
                assert "crash" in errors.text()
        """,
        None,
    ),
    "FT209 what somebody else calls so": (
        """
        from shop import crash
        def test_a(errors):
            try:
                crash()
            except ZeroDivisionError:
                assert "crash" in errors.text()
        """,
        6,
    ),
    "FT203 a copy of its own name": (
        """
        def test_a(shop):
            found = shop.orders()
            found = list(found)
            assert len(found) == 2
        """,
        4,
    ),
    "FT701 a comment above the condition": (
        """
        import pytest
        import shop
        def test_a():
            # the shop's own rounding is only there in its second version
            if shop.version < (2, 0):
                pytest.skip()
            assert total(7) == 7
        """,
        None,
    ),
    "FT701 a comment above another condition": (
        """
        import pytest
        import shop
        def test_a():
            # the shop's own rounding is only there in its second version
            if shop.version < (2, 0):
                shop.round = round
                pytest.skip()
            assert total(7) == 7
        """,
        7,
    ),
    "FT702 a comment above the condition": (
        """
        def test_a(self, kind):
            # only kinds that are derived have a slope
            number = kind.number
            if not kind.has_slope:
                return
            assert total(number) == 7
        """,
        None,
    ),
    "FT201 what would refuse it is replaced": (
        """
        from unittest.mock import patch
        def test_a(shop):
            with patch('shop.rules'):
                shop.get_order(7)
        """,
        None,
    ),
    "FT209 a call that must raise above": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                self.assertRaises(ValueError, place, -1, by="mail")
                try:
                    place(-1, by="mail")
                except ValueError as error:
                    self.assertIn("negative", str(error))
        """,
        None,
    ),
    "FT209 a message that must be raised above": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                self.assertRaisesRegex(ValueError, "-1", place, -1)
                try:
                    place(-1)
                except ValueError as error:
                    self.assertIn("negative", str(error))
        """,
        None,
    ),
    "FT209 a block that must raise above": (
        """
        import pytest
        def test_a():
            with pytest.raises(ValueError):
                place(-1)
            try:
                place(-1)
            except ValueError as error:
                assert "negative" in str(error)
        """,
        None,
    ),
    "FT209 something else that must raise above": (
        """
        import pytest
        def test_a():
            with pytest.raises(ValueError):
                place(-1)
            try:
                place(-2)
            except ValueError as error:
                assert "negative" in str(error)
        """,
        8,
    ),
    "FT209 a call that must raise below": (
        """
        import unittest
        class A(unittest.TestCase):
            def test_a(self):
                try:
                    place(-1)
                except ValueError as error:
                    self.assertIn("negative", str(error))
                self.assertRaises(ValueError, place, -1)
        """,
        None,
    ),
    "FT209 an error that depends on the machine": (
        """
        def test_a(orders):
            '''The order may or may not be in memory any more.'''
            try:
                orders.last()
            except LookupError as error:
                assert "gone" in str(error)
        """,
        None,
    ),
    "FT702 a marker that skips it, with a reason": (
        """
        import pytest
        @pytest.mark.skipif(PY2, reason="no such error before")
        def test_a():
            if not PY2:
                assert place(7) == 1
        """,
        None,
    ),
    "FT702 a marker that skips all else, with a reason": (
        """
        import unittest
        @unittest.skipUnless(HAS_BROKER, "needs a broker")
        class A(unittest.TestCase):
            def test_a(self):
                if not HAS_BROKER:
                    return
                self.assertEqual(place(7), 1)
        """,
        None,
    ),
    "FT702 a marker that lets only the return run": (
        """
        import pytest
        @pytest.mark.skipif(not HAS_BROKER, reason="needs a broker")
        def test_a():
            if HAS_BROKER:
                return
            assert place(7) == 1
        """,
        5,
    ),
    "FT702 a marker of something else": (
        """
        import pytest
        @pytest.mark.skipif(HAS_BROKER, reason="not with a broker")
        def test_a():
            if HAS_STORE:
                return
            assert place(7) == 1
        """,
        5,
    ),
}
"""What people write in place of what the examples have: source, and the line of the finding, None if there is none."""

UPPER: dict[str, tuple[str, int | None]] = {
    "FT102 a client's function": (
        """
        import requests
        def test_a(monkeypatch):
            monkeypatch.setattr(requests, "post", lambda *_, **__: {"id": 7})
            assert place(7)["id"] == 7
        """,
        3,
    ),
    "FT102 by its name": (
        """
        def test_a(monkeypatch):
            class FakeClient: ...
            monkeypatch.setattr("shop.orders.boto3.client", FakeClient)
            assert place(7).id == 7
        """,
        3,
    ),
    "FT102 handed in": (
        """
        from unittest.mock import AsyncMock
        async def test_a():
            bus = AsyncMock()
            await place(7, bus)
            bus.publish.assert_awaited_once_with(7)
        """,
        3,
    ),
    "FT102 a callback": (
        """
        from unittest.mock import Mock
        def test_a(shop):
            seen = Mock()
            shop.place(7, seen)
            seen.assert_called_once_with(7)
        """,
        None,
    ),
    "FT102 watches a log": (
        """
        def test_a(mocker, engine):
            log = mocker.patch.object(Engine, "_log_sql")
            engine.run()
            assert log.call_count == 2
        """,
        None,
    ),
    "FT102 a client's function by its whole path": (
        """
        from unittest.mock import patch
        @patch("shop.orders.requests.post")
        def test_a(post):
            assert place(7).id == 7
        """,
        2,
    ),
    "FT102 another setting": (
        """
        def test_a(monkeypatch, postgres):
            monkeypatch.setattr("shop.settings.LIMIT", 7)
            monkeypatch.setattr("shop.clock.now", lambda: 7)
            assert place(7).id == 7
        """,
        None,
    ),
    "FT504 a sum": (
        """
        from shop import total
        def test_a():
            assert total([3, 4]) == 7
        """,
        2,
    ),
    "FT102 what calls the original": (
        """
        def test_a(monkeypatch, postgres):
            original_execute = postgres.execute
            def execute(*args):
                return original_execute(*args)
            monkeypatch.setattr('shop.db.execute', execute)
            assert place(7).id == 7
        """,
        None,
    ),
    "FT102 the whole of a client without a network": (
        """
        import requests_mock
        def test_a():
            with requests_mock.mock() as m:
                m.get('http://shop/7', text='7')
                assert place(7).id == 7
        """,
        None,
    ),
    "FT503 a marker of less than the folder": (
        """
        import pytest
        @pytest.mark.unit
        def test_a(postgres):
            assert place(7).id == 7
        """,
        None,
    ),
}
"""The same in the integration tier."""


@pytest.mark.parametrize("name", FORMS | UPPER)
def test_other_forms(name: str, repository: Repository) -> None:
    """A rule knows what it is about in other forms, and what looks like them and is fine."""
    code, line = (FORMS | UPPER)[name]
    found = repository.found(code, f"tests/{'integration' if name in UPPER else 'unit'}/test_orders.py")
    assert [each for rule, each in found if rule == name[:5]] == ([] if line is None else [line])


@pytest.mark.parametrize(
    "code",
    [
        "def test_a(orders):\n    orders = list(orders)\n    assert len(orders) == 2\n",
        "async def test_a(order):\n    order = await order\n    assert order is not None\n",
        (
            "import pytest\nORDERS = [7]\nORDERS = [ORDERS]\n@pytest.mark.parametrize('orders', [ORDERS])\n"
            "def test_a(orders):\n    assert total(orders) == 7\n"
        ),
    ],
)
def test_name_that_is_set_to_what_is_made_of_it(code: str, repository: Repository) -> None:
    """A name that is given what is made of the name itself is followed no further than to there."""
    assert repository.found(code) == []


HELPER = """
def build(shop):
    order = shop.new(7)
    for line in shop.lines():
        order.add(line, 3)
    shop.save(order)
    return order
"""


def test_copies_in_projects_of_their_own(repository: Repository) -> None:
    """What stands in two projects of one repository can't be shared; what stands twice in one of them can."""
    for path in ("one/tests/test_a.py", "two/tests/test_a.py"):
        repository.write(path, HELPER)
    assert [finding.rule for finding in repository.audit().findings] == ["FT602"]
    repository.write("two/pyproject.toml", "")
    assert repository.audit().findings == ()
    repository.write("two/tests/test_b.py", HELPER)
    assert [finding.path for finding in repository.audit().findings] == ["two/tests/test_b.py"]


def test_plugin_of_a_suite_without_the_tier(repository: Repository) -> None:
    """That no integration test mentions a plugin is told where there are integration tests."""
    plugins = {"postgres": "orders.stores.postgres:PostgresStore"}
    repository.write("tests/unit/test_a.py", "def test_a(shop):\n    assert shop.open == 1\n")
    assert repository.audit(plugins=plugins).findings == ()
    repository.write("tests/integration/test_b.py", "def test_b(shop):\n    assert shop.open == 1\n")
    assert [finding.rule for finding in repository.audit(plugins=plugins).findings] == ["FT902"]


def test_stand_in_of_a_migration(repository: Repository) -> None:
    """What stands in for a type in a migration is in no test's way; a test's own is."""
    code = "try:\n    from shop import Index\nexcept ImportError:\n    Index = Mock()\n    Table = Mock()\n"
    assert repository.found(code, "tests/migrations/test_first.py") == []
    assert [rule for rule, _ in repository.found(code, "tests/unit/test_first.py")] == ["FT101"]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("", "", ["tests/test_b.py"]),
        ("class Order:\n    pass\n", "", []),
        ("shop = Shop()\n", "", ["tests/test_b.py"]),
        ("stock = Shop()\n", "    stock.fill()\n", []),
        ("LIMIT = 3\n", "    shop.fill(LIMIT)\n", ["tests/test_b.py"]),
        ("", "    # a copy of what the other test has, which must not share it\n", []),
    ],
)
def test_copies_that_can_not_be_shared(before: str, after: str, found: list[str], repository: Repository) -> None:
    """A helper that works with what its own module makes can't move, and one that says so is a copy on purpose."""
    helper = HELPER.replace("shop.new(7)", "Order(7)") if "class" in before else HELPER
    for path in ("tests/test_a.py", "tests/test_b.py"):
        repository.write(path, before + helper.replace("    shop.save(order)\n", f"{after}    shop.save(order)\n"))
    assert [finding.path for finding in repository.audit().findings] == found


def test_copies_beside_tests(repository: Repository) -> None:
    """What is no module of tests may be data, or a program of its own, and shares nothing."""
    for path in ("tests/samples/one.py", "tests/samples/two.py"):
        repository.write(path, HELPER)
    repository.write("tests/test_a.py", "def test_a():\n    assert total(7) == 7\n")
    assert repository.audit().findings == ()


def test_set_ups_that_are_alike(repository: Repository) -> None:
    """A few lines of two classes' set-up are no copy; many are."""
    for lines, found in ((2, []), (8, ["FT602"])):
        body = "".join(f"        self.shop_{each} = self.open(each={each}, name='shop')\n" for each in range(lines))
        for name in ("a", "b"):
            code = f"class Test{name.upper()}:\n    def setup_method(self):\n{body}"
            repository.write(
                f"tests/test_{name}.py", f"{code}    def test_{name}(self):\n        assert total(7) == 7\n"
            )
        assert [finding.rule for finding in repository.audit().findings] == found


def test_copies_of_versions_and_of_applications(repository: Repository) -> None:
    """Tests of an old version and a new one are alike by design, and an application of an image can't share."""
    repository.write("tests/v2/test_a.py", HELPER)
    repository.write("tests/v3/test_a.py", HELPER)
    assert repository.audit().findings == ()
    repository.write("tests/v3/test_b.py", HELPER)
    assert [finding.path for finding in repository.audit().findings] == ["tests/v3/test_a.py", "tests/v3/test_b.py"]


def test_applications_of_images(repository: Repository) -> None:
    """An application beside a `Dockerfile` of its own can't share what another one has; a test there can."""
    for name in ("one", "two"):
        repository.write(f"tests/{name}/Dockerfile", "FROM python")
        repository.write(f"tests/{name}/app.py", HELPER)
        repository.write(f"tests/{name}/test_{name}.py", "def test_a():\n    assert total(7) == 7\n")
    assert repository.audit().findings == ()
    repository.write("tests/one/test_one.py", HELPER)
    repository.write("tests/two/test_two.py", HELPER)
    assert [finding.path for finding in repository.audit().findings if "test_" in finding.path] == [
        "tests/two/test_two.py"
    ]


def test_helper_that_is_no_python(repository: Repository) -> None:
    """A test that can't be read is an error; a template or a script beside it that no runner collects is none."""
    repository.write("tests/test_a.py", "def test_a():\n    assert total(7) == 7\n")
    repository.write("tests/template.py", "{% if a %}\n")
    assert repository.audit().findings == ()
    repository.write("tests/test_b.py", "{% if a %}\n")
    assert [(finding.rule, finding.path) for finding in repository.audit().findings] == [("FT000", "tests/test_b.py")]


def unread(repository: Repository) -> dict[str, Severity]:
    """Return the files that can't be read, and how severe that is."""
    return {finding.path: finding.severity for finding in repository.audit().findings if finding.rule == "FT000"}


def test_output_of_tests_that_is_no_python(repository: Repository) -> None:
    """A file of a test's name without a test, as tests write them, is a note; one that tests need is an error."""
    output = "'a': 1\n"
    repository.write("tests/test_b.py", "def test_b(:\n")
    for path in ("written/test_a.py", "conftest.py", "__init__.py"):
        repository.write(f"tests/{path}", output)
    assert unread(repository) == {
        "tests/written/test_a.py": Severity.NOTE,
        "tests/test_b.py": Severity.ERROR,
        "tests/conftest.py": Severity.ERROR,
        "tests/__init__.py": Severity.ERROR,
    }


BROKEN = "def test_a(:\n"
TAGGED = "{% if unit %}\ndef test_a():\n    assert total('{{ name }}') == {{ total }}\n{% endif %}\n"
TEXT = 'TEXT = """\n{% if a %}\n{{ a }}\n{% endif %}\n"""\n'
CONFLICT = "<<<<<<< HEAD\ntotal = 7\n=======\ntotal = 8\n>>>>>>> other\n"
PRINTED = '"""How to\nprint orders\nprint totals\n"""\n'


@pytest.mark.parametrize(
    ("path", "code", "severity"),
    [
        ("tests/test_a.py", BROKEN, Severity.ERROR),
        ("tests/orders/test_a.py", BROKEN, Severity.ERROR),
        ("tests/output/test_a.py", BROKEN, Severity.ERROR),
        ("tests/data/test_a.py", BROKEN, Severity.ERROR),
        ("tests/data/test_a.py", "'a': 1\n", Severity.NOTE),
        ("testdata/tests/test_a.py", BROKEN, Severity.ERROR),
        ("tests/testdata/test_a.py", BROKEN, Severity.NOTE),
        ("tests/unit/linter_fixtures/broken/test_a.py", BROKEN, Severity.NOTE),
        ("tests/test-data/shop/tests/test_a.py", BROKEN, Severity.NOTE),
        ("tests/testpackages/syntax_error/__init__.py", BROKEN, Severity.NOTE),
        ("tests/syntax_error/test_a.py", BROKEN, Severity.NOTE),
        ("tests/invalid/test_a.py", BROKEN, Severity.ERROR),
        ("tests/fixtures/conftest.py", "def order(:\n", Severity.ERROR),
        ("tests/fixtures/__init__.py", "def order(:\n", Severity.ERROR),
        ("tests/test_a.py", CONFLICT, Severity.ERROR),
        ("tests/test_a.py", "from pytest_bdd import scenarios\nscenarios('orders'\n", Severity.ERROR),
        ("tests/test_a.py", TAGGED, Severity.NOTE),
        ("tests/conftest.py", TAGGED, Severity.NOTE),
        ("tests/test_a.py", TEXT + BROKEN, Severity.ERROR),
        ("tests/test_a.py", TEXT + CONFLICT + "def test_a():\n    assert total == 7\n", Severity.ERROR),
        ("tests/test_a.py", "'{% if'\n" + BROKEN + "'%}'\n", Severity.ERROR),
        ("tests/test_a.py", "def test_a():\n    print 'a' % (\n        7)\n    if total(): exec 'b'\n", Severity.NOTE),
        ("tests/test_a.py", "def test_a():\n    try: raise A, 'b'\n    except A, error: print error\n", Severity.NOTE),
        ("tests/test_a.py", "def test_a():\n    print 'a'\n    assert total() == 7\n", Severity.ERROR),
        ("tests/test_a.py", PRINTED + BROKEN, Severity.ERROR),
        ("tests/test_a.py", PRINTED + "def test_a():\n    print 'a'\n", Severity.ERROR),
        ("tests/conftest.py", "print 'a'\nprint 'b'\n", Severity.ERROR),
        ("tests/test_a.py", "def test_a(:\n    except A, B:\n    except C, D:\n", Severity.ERROR),
    ],
)
def test_what_is_plainly_no_test(path: str, code: str, severity: Severity, repository: Repository) -> None:
    """A file that can't be read is an error, unless it is of data that tests have, a template, or wholly Python 2."""
    repository.write("tests/test_b.py", "def test_b():\n    assert total(7) == 7\n")
    repository.write(path, code)
    assert unread(repository) == {path: severity}


def test_broken_test_of_another_name(repository: Repository) -> None:
    """A broken function that the repository's own settings make a test is an error, whatever it is called."""
    repository.write("pyproject.toml", '[tool.pytest.ini_options]\npython_functions = "check_*"\n')
    repository.write("tests/test_a.py", "def check_a(:\n")
    assert unread(repository) == {"tests/test_a.py": Severity.ERROR}


def test_copied_models(repository: Repository) -> None:
    """A model that a fixture defines is that of the tests beside it, however alike another one is."""
    columns = "".join(f"        column_{each} = Column(Integer, key={each})\n" for each in range(8))
    for name in ("a", "b"):
        code = f"import pytest\n@pytest.fixture\ndef model(base):\n    class Model(base):\n{columns}    return Model\n"
        repository.write(f"tests/test_{name}.py", f"{code}def test_{name}(model):\n    assert model.total() == 7\n")
    assert repository.audit().findings == ()


def test_copies_of_a_synchronous_twin(repository: Repository) -> None:
    """A module that is made of its asynchronous twin shares what that has; one without a twin is its author's."""
    for path in ("tests/test_async_a.py", "tests/test_sync_a.py", "tests/test_sync_b.py"):
        repository.write(path, HELPER)
    assert [finding.path for finding in repository.audit().findings] == ["tests/test_sync_b.py"]


def test_a_twin_that_comes_or_goes(repository: Repository, tmp_path: Path) -> None:
    """Whether there is an asynchronous twin is seen anew, though what was read of the others is still known."""

    def found() -> list[str]:
        audit = repository.audit(cache_folder=tmp_path / "cache")
        return [finding.path for finding in audit.findings]

    for path in ("tests/test_sync_a.py", "tests/test_sync_b.py"):
        repository.write(path, HELPER)
    assert found() == ["tests/test_sync_b.py"]
    twin = repository.write("tests/test_async_b.py", "def test_a(shop):\n    assert shop.open == 1\n")
    assert found() == []
    twin.unlink()
    assert found() == ["tests/test_sync_b.py"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("    first = class_mock(a, 'shop')\n    other = class_mock(a, 'orders', True)\n    return first, other\n", []),
        (
            "    first = mock_shop.add(a, 'shop')\n    other = mock_shop.add(a, 'a', True)\n    return first, other\n",
            ["FT602"],
        ),
        (
            "    number, name, text = a.param, a.name, a.text\n    return number, name, text\n",
            [],
        ),
        (
            "    first = shop.open(a, 'shop')\n    other = shop.open(a, 'orders', True)\n    return first, other\n",
            ["FT602"],
        ),
    ],
    ids=["mocks", "of a thing called a mock", "two statements", "helper"],
)
def test_short_copies(body: str, found: list[str], repository: Repository) -> None:
    """What only makes mocks, and two short statements, are alike by chance; three of a helper are a copy."""
    for name in ("a", "b"):
        repository.write(
            f"tests/test_{name}.py", f"def build(a):\n{body}\ndef test_{name}():\n    assert total(7) == 7\n"
        )
    assert [finding.rule for finding in repository.audit().findings] == found


@pytest.mark.parametrize("name", MORE)
def test_more_cases(name: str, repository: Repository) -> None:
    """A rule tells apart what its examples leave open."""
    code, expected = MORE[name]
    found = [each for each in repository.found(code) if each[0] == name[:5]]
    assert found == expected


def in_block(name: str) -> str:
    """Return a test with a comparison alone in a block of some name."""
    return f"def test_a(order):\n    with {name}('de'):\n        order.total == 7\n"


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        (in_block("count"), Severity.NOTE),
        (in_block("CountingCalls"), Severity.NOTE),
        (in_block("track_calls"), Severity.NOTE),
        (in_block("tracing"), Severity.NOTE),
        (in_block("self.assertNumQueries"), Severity.NOTE),
        (in_block("country"), Severity.ERROR),
        (in_block("tractor"), Severity.ERROR),
        (in_block("traction"), Severity.ERROR),
        ("def test_comparing_does_not_crash(order):\n    order == None\n", Severity.NOTE),
        ("def test_comparing(order):\n    order.total == None\n", Severity.ERROR),
        (
            (
                "def test_a():\n    try:\n        main(['--bad'])\n    except SystemExit as exited:\n"
                "        assert exited.code == 2\n"
            ),
            Severity.WARNING,
        ),
    ],
)
def test_what_is_sure(code: str, severity: Severity, repository: Repository) -> None:
    """What a rule can't be sure of is a note, and only that: not what has a name, an exit or a branch like it."""
    repository.write("tests/unit/test_orders.py", code)
    assert [finding.severity for finding in repository.audit().findings] == [severity]


REFUSED = "def test_a(self):\n    try:\n        place(-1)\n    except OrderError as error:\n        {check}\n"


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        (REFUSED.format(check="assert 'negative' in str(error)"), [Severity.WARNING]),
        (REFUSED.format(check="assert error is None"), []),
        (REFUSED.format(check="assert not error, 'refused'"), []),
        (REFUSED.format(check="self.assertIsNone(error)"), []),
        (REFUSED.format(check="self.assertEqual(1, 0, str(error))"), []),
        (REFUSED.format(check="assert 'refused' == ''"), []),
        (REFUSED.format(check="assert error is not None"), [Severity.WARNING]),
        (REFUSED.format(check="assert not error.retried"), [Severity.WARNING]),
        (REFUSED.format(check="fail(str(error))"), []),
        (REFUSED.format(check="assert True"), []),
        (REFUSED.format(check="self.assertTrue(True, str(error))"), []),
        (REFUSED.format(check="# the shop opens soon\n        assert error.code == 2"), []),
        (REFUSED.format(check="assert shop.last == 'refused'"), [Severity.NOTE]),
        (REFUSED.format(check="assert isinstance(error, ShopError)"), [Severity.NOTE]),
        (REFUSED.format(check="self.assertIsInstance(error, ShopError)"), [Severity.NOTE]),
        (REFUSED.format(check="text = str(error)\n        assert shop.last == text"), [Severity.WARNING]),
        (REFUSED.replace("OrderError", "ImportError").format(check="assert 'pip' in str(error)"), [Severity.NOTE]),
        (
            REFUSED.format(check="assert error.code == 2\n    except Exception as error:\n        self.fail(error)"),
            [Severity.NOTE],
        ),
        (
            (
                "def test_a():\n    def work():\n        try:\n            place(-1)\n"
                "        except OrderError as error:\n            assert error.code == 2\n    run(work)\n"
            ),
            [Severity.NOTE],
        ),
        ("@given(orders())\n" + REFUSED.format(check="assert error.code == 2"), []),
        (
            (
                "from nose.tools import assert_raises\ndef test_a():\n    with assert_raises(OrderError):\n"
                "        place(-1)\n    try:\n        place(-1)\n    except OrderError as error:\n"
                "        assert error.code == 2\n"
            ),
            [],
        ),
        (REFUSED.format(check="# some shops can never refuse\n        assert error.code == 2"), []),
        (REFUSED.format(check="# the code that a shop has\n        assert error.code == 2"), [Severity.WARNING]),
        (REFUSED.format(check="pass\n    except ShopError as error:\n        assert error.code == 2"), []),
        (
            REFUSED.format(check="assert error.code == 2").replace(
                "    try", "    'Either succeeds, or says why.'\n    try"
            ),
            [],
        ),
        (REFUSED.replace("place(-1)", "place(-1); fail('not refused')").format(check="assert error.code == 2"), []),
        (REFUSED.replace("place(-1)", "check_order(-1)").format(check="assert error.code == 2"), [Severity.NOTE]),
        (
            REFUSED.replace("place(-1)", "self.assertRaises(OrderError, place, -1)").format(check="assert error.code"),
            [],
        ),
    ],
)
def test_where_nothing_need_be_raised(code: str, severity: list[Severity], repository: Repository) -> None:
    """An `except` that must not be entered, and a `try` that fails by itself, are no check that may be passed by."""
    repository.write("tests/unit/test_orders.py", code)
    found = [finding.severity for finding in repository.audit().findings if finding.rule == "FT209"]
    assert found == severity
