"""Each rule finds its bad examples, and not its good ones."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from floe_testing.audit.model import Severity
from floe_testing.audit.rule import all_rules
from floe_testing.audit.rules import BUILT_IN

if TYPE_CHECKING:
    from conftest import Repository

    from floe_testing.audit.model import Example

RULES = {rule.id: rule for rule in all_rules()}
BAD = [(key, example) for key, rule in RULES.items() for example in rule.bad]
GOOD = [(key, example) for key, rule in RULES.items() for example in rule.good]


@pytest.mark.parametrize(("key", "example"), BAD, ids=[key for key, _ in BAD])
def test_bad_example(key: str, example: Example, repository: Repository) -> None:
    """A rule finds what its bad example shows, with its severity, in a file of the example or in `pyproject.toml`."""
    findings = [finding for finding in repository.example(example).findings if finding.rule == key]
    assert findings
    assert {finding.severity for finding in findings} == {RULES[key].severity}
    assert {finding.path for finding in findings} <= {example.path, *example.others, "pyproject.toml"}


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
    for example in (*kind.bad, *kind.good):
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
        "class TestA:\n    def right(self, x):\n        return x\n    def test_a(self):\n        self.right(1)\n",
        [("FT201", 4)],
    ),
    "FT201 a helper from beside": ("from .helpers import compare_all\ndef test_a():\n    compare_all(1)\n", []),
    "FT201 a mock alone is no check": (
        "from unittest.mock import Mock\ndef test_a():\n    place(Mock())\n",
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
    "FT201 imports and runs": ("def test_a():\n    import orders\n    orders.place(7)\n", [("FT201", 1)]),
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
            "    def test_a(self):\n        self.shop.buy(7)\n"
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
        "import unittest\nclass A(unittest.TestCase):\n    def test_a(self):\n        self.assertIsNotNone(place(7))\n",
        [("FT202", 4)],
    ),
    "FT203 two lengths": ("def test_a(orders):\n    found = orders.open()\n    assert len(found) == len(orders)\n", []),
    "FT201 a bug that is named": ("def test_a():\n    # see https://shop.example/issues/7\n    place(7)\n", []),
    "FT201 says so at its end": (
        "def test_a():\n    place(7)\n    # no errors is enough\n\ndef test_b(place):\n    assert place(7) == 1\n",
        [],
    ),
    "FT201 said of what follows": (
        "def test_a():\n    place(7)\n\n# no errors is enough\ndef test_b(place):\n    assert place(7) == 1\n",
        [("FT201", 1)],
    ),
    "FT201 defines and calls": (
        "def test_a():\n    @command('place')\n    def place():\n        return 7\n    place()\n",
        [("FT201", 1)],
    ),
    "FT201 opens something": ("def test_a(shop):\n    with shop.login('ada'):\n        pass\n", []),
    "FT201 opens something and closes it": (
        "def test_a(shop):\n    page = shop.login('ada')\n    page.close()\n",
        [],
    ),
    "FT201 closes something else": (
        "def test_a(shop):\n    page = shop.login('ada')\n    shop.close()\n",
        [("FT201", 1)],
    ),
    "FT201 opens something and uses it": (
        "def test_a(shop):\n    with shop.login('ada') as page:\n        page.reload()\n",
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
    "FT208 an order": ("def test_a(a, b):\n    a < b\n    assert a == b\n", []),
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
        [("FT401", 5)],
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
            "    place(1)\n    took = time.time() - began\n    assert took < 1\n"
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


@pytest.mark.parametrize("name", MORE)
def test_more_cases(name: str, repository: Repository) -> None:
    """A rule tells apart what its examples leave open."""
    code, expected = MORE[name]
    found = [each for each in repository.found(code) if each[0] == name[:5]]
    assert found == expected
