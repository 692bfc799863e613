"""What no test covers."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

from floe_testing.audit.config import JOURNEY, Journey
from floe_testing.audit.look import strings_in
from floe_testing.audit.model import Example, Fact, Finding, Severity
from floe_testing.audit.module import Function, Module
from floe_testing.audit.project import JOURNEYS_TABLE, PLUGINS_TABLE, PYPROJECT, Plugin, Project
from floe_testing.audit.rule import Rule

_REAL: Final = frozenset({"integration", "e2e"})


class JourneyWithoutTest(Rule):
    """Something that users do, and no end-to-end test does."""

    id = "FT901"
    name = "journey-without-test"
    severity = Severity.ERROR
    reason = (
        "Something that users do from end to end has no test in the end-to-end tier: each part may work, and the "
        "whole not. Journeys are listed in `[tool.floe-testing.audit.journeys]`."
    )
    bad = (
        Example(
            """
            def test_checkout(shop):
                assert shop.login("ada").name == "ada"
            """,
            path="tests/e2e/test_shop.py",
            config={"journeys": {"checkout": {"services": ["shop", "postgres"]}}},
        ),
    )
    good = (
        Example(
            """
            def test_buy(shop, postgres_database):
                assert shop.login("ada").buy(7).paid == postgres_database.paid(7)
            """,
            path="tests/e2e/test_shop.py",
            config={"journeys": {"checkout": {"services": ["shop", "postgres"]}}},
        ),
        Example(
            """
            import pytest

            @pytest.mark.journey("checkout")
            def test_buy(shop):
                assert shop.login("ada").buy(7).paid == 7
            """,
            path="tests/e2e/test_shop.py",
            config={"journeys": {"checkout": {}}},
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:
        """Note what the tests of the end-to-end tier use, and the fixtures and helpers that they may ask for."""
        if not project.config.journeys:
            return
        for function in module.functions:
            test = function.test is not None
            if test and module.tier_of(function) != "e2e":
                continue
            if test or function.kind in {"fixture", "helper"}:
                words = " ".join(sorted(_uses(function)))
                yield self.fact(module, function.node, function, key=_TEST if test else function.name, label=words)

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:
        """Report the journeys that no test makes."""
        used = [_all_used(fact, facts) for fact in facts if fact.key == _TEST]
        for name, journey in project.config.journeys.items():
            if project.whole and not any(_makes(name, journey, words) for words in used):
                message = f"the journey {name!r} has no end-to-end test {journey.describe(name)}"
                line = project.line_of(JOURNEYS_TABLE, name)
                yield Finding(PYPROJECT, line, 1, self.id, self.severity, message, text=f"{JOURNEYS_TABLE}.{name}")


_TEST: Final = "<test>"
_TIER: Final = "<tier>"
_LABEL: Final = re.compile(r"[a-z][a-z0-9-]{1,62}")
"""What a service may be called."""


def _uses(function: Function) -> Iterator[str]:
    """Yield the names by which a function may use a service: of fixtures, in texts and markers, and of helpers."""
    yield from (name for name in function.parameters if name not in {"self", "cls"})
    yield from (text for text in strings_in(function.node) if _LABEL.fullmatch(text))
    yield from (call.name for call in function.calls if "." not in call.name)
    if function.class_node is not None:
        for statement in function.class_node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                yield from (text for text in strings_in(statement.value) if _LABEL.fullmatch(text))
    for marker in function.test.markers if function.test else ():
        yield f"@{marker.name}"
        for value in marker.args:
            if isinstance(value, str):
                yield f"@{marker.name}:{value}" if marker.name == JOURNEY else value


def _all_used(test: Fact, facts: Sequence[Fact]) -> set[str]:
    """Return what a test uses, and the fixtures and helpers that it asks for, those of its module and its folders."""
    near: dict[str, set[str]] = {}
    for fact in facts:
        folder = fact.path.rpartition("/")[0]
        shared = fact.path.endswith("conftest.py") and test.path.startswith(f"{folder}/" if folder else "")
        if fact.key != _TEST and (shared or fact.path == test.path):
            near.setdefault(fact.key, set()).update(fact.label.split())
    used: set[str] = set()
    waiting = set(test.label.split())
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting |= near.get(name, set())
    return used


def _makes(name: str, journey: Journey, used: set[str]) -> bool:
    if f"@{JOURNEY}:{name}" in used or (journey.marker is not None and f"@{journey.marker}" in used):
        return True
    return bool(journey.services) and all(_is_used(service, used) for service in journey.services)


def _is_used(service: str, used: set[str]) -> bool:
    """Tell whether a service is named, or a fixture is called after it: `postgres_database`."""
    fixture = service.replace("-", "_")
    return service in used or any(each == fixture or each.startswith(f"{fixture}_") for each in used)


class PluginWithoutTest(Rule):
    """A plugin that no integration test touches."""

    id = "FT902"
    name = "plugin-without-integration-test"
    severity = Severity.NOTE
    reason = (
        "The package offers a plugin by entry point, and no test of the integration or end-to-end tier imports it "
        "or names it: whether it works against the real service is not known."
    )
    bad = (
        Example(
            """
            def test_memory_store():
                assert open_store("memory").rows() == []
            """,
            path="tests/integration/test_stores.py",
            plugins={"postgres": "orders.stores.postgres:PostgresStore"},
        ),
    )
    good = (
        Example(
            """
            def test_postgres_store():
                assert open_store("postgres").rows() == []
            """,
            path="tests/integration/test_stores.py",
            plugins={"postgres": "orders.stores.postgres:PostgresStore"},
        ),
        Example(
            """
            from orders.stores.postgres import PostgresStore

            def test_store():
                assert PostgresStore().rows() == []
            """,
            path="tests/integration/test_stores.py",
            plugins={"pg": "orders.stores.postgres:PostgresStore"},
        ),
    )

    def note(self, module: Module, project: Project) -> Iterator[Fact]:
        """Note which plugins a module's tests mention."""
        tests = [function for function in module.functions if module.tier_of(function) in _REAL]
        if not tests or not project.plugins:
            return
        yield self.fact(module, tests[0].node, None, key=_TIER)
        said = {word for function in tests for word in _said(function)}
        imported = set(_imported(module))
        for plugin in project.plugins:
            if plugin.name in said or imported & _places(plugin):
                yield self.fact(module, tests[0].node, None, key=f"{plugin.group}:{plugin.name}")

    def conclude(self, facts: Sequence[Fact], project: Project) -> Iterator[Finding]:
        """Report the plugins that no test mentions."""
        mentioned = {fact.key for fact in facts}
        for plugin in project.plugins if mentioned else ():  # a suite without such a tier is another matter
            key = f"{plugin.group}:{plugin.name}"
            if project.whole and key not in mentioned:
                message = f"no integration test mentions the plugin {plugin.name!r} ({plugin.value}) of {plugin.group}"
                line = project.line_of(f"{PLUGINS_TABLE}.{plugin.group}", plugin.name)
                yield Finding(PYPROJECT, line, 1, self.id, self.severity, message, text=f"{PLUGINS_TABLE}.{key}")


def _said(function: Function) -> Iterator[str]:
    yield from function.parameters
    yield from strings_in(function.node)
    if function.test is not None:
        yield from (marker.name for marker in function.test.markers)


def _imported(module: Module) -> Iterator[str]:
    for node in module.imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _places(plugin: Plugin) -> set[str]:
    """Return the names by which a plugin may be imported: its module, or the object from elsewhere in its package."""
    where, _, what = plugin.value.partition(":")
    return {where, f"{where}.{what}"}
