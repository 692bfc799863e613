"""Rules of other packages, by entry point."""

from __future__ import annotations

import ast
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from floe_testing.audit import Example, Finding, Function, Module, Rule, Severity
from floe_testing.audit import registry as rules
from floe_testing.audit.registry import BrokenRuleError, all_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Repository


class NoPrint(Rule):
    """A test that prints: the rule of a package of someone else's."""

    id = "SH001"
    name = "print"
    severity = Severity.NOTE
    reason = "Nobody reads it."
    bad = (Example("def test_a():\n    print(1)\n    assert place(7) == 1\n"),)
    good = (Example("def test_a():\n    assert place(7) == 1\n"),)

    def check(self, module: Module) -> Iterator[Finding]:
        """Look for calls of `print`."""
        for function in module.functions:
            for call in function.calls:
                if call.name == "print":
                    yield self.finding(module, call.node, f"{shown(function)} prints", function)


def shown(function: Function) -> str:
    """Return how the rule calls a function."""
    return function.symbol if isinstance(function.node, ast.FunctionDef) else "something"


class Breaks(NoPrint):
    """A rule that is not up to what it looks at."""

    id = "SH002"

    def check(self, module: Module) -> Iterator[Finding]:
        """Fail."""
        raise LookupError(module.path)


class Taken(NoPrint):
    """A rule with the id of another."""

    id = "FT401"


NO_RULE = object()


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Return a function that makes entry points of names in this module."""

    def offered(*names: str) -> None:
        points = [EntryPoint(name.lower(), f"{__name__}:{name}", rules.ENTRY_POINTS) for name in names]
        monkeypatch.setattr(rules, "entry_points", lambda group: points if group == rules.ENTRY_POINTS else [])
        monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.value.partition(":")[2]])
        all_rules.cache_clear()

    yield offered
    all_rules.cache_clear()


def test_another_package_s_rule(offer: object, repository: Repository) -> None:
    """A rule by entry point is followed, suppressed, selected and listed like the built-in ones."""
    offer("NoPrint")  # type: ignore[operator]  # the function above
    assert "SH001" in [each.id for each in all_rules()]
    code = "def test_a():\n    print(1)\n    assert place(7) == 1\n"
    repository.write("tests/unit/test_orders.py", code)
    (finding,) = repository.audit().findings
    assert (finding.rule, finding.message, finding.severity) == ("SH001", "test_a prints", Severity.NOTE)
    assert repository.found(code, ignore=["SH"]) == []
    assert repository.found(code.replace("print(1)", "print(1)  # floe: ignore[SH001] wanted")) == []


def test_a_rule_that_breaks(offer: object, repository: Repository) -> None:
    """A rule that fails on a module is told with the module, and not by a traceback."""
    offer("Breaks")  # type: ignore[operator]  # the function above
    repository.write("tests/unit/test_orders.py", "def test_a():\n    assert place(7) == 1\n")
    with pytest.raises(BrokenRuleError, match=r"the rule SH002 broke on tests/unit/test_orders\.py: LookupError"):
        repository.audit()


def test_what_is_no_rule(offer: object) -> None:
    """Entry points that can't be loaded, are no rule or take an id are told together, each with its value."""
    offer("Missing", "NO_RULE", "Taken")  # type: ignore[operator]  # the function above
    with pytest.raises(BrokenRuleError) as caught:
        all_rules()
    text = str(caught.value)
    assert ":Missing' can't be loaded: KeyError: 'Missing'" in text
    assert ":NO_RULE' is no class derived from floe_testing.audit.Rule" in text
    assert ":Taken': the id FT401 is taken by sleep" in text
